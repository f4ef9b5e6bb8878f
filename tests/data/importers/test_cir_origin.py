"""CIR-Net's own archive: labels from zero, no groups, with generated pictures."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from benchmark.data.importers import members
from benchmark.data.importers.archive import Member
from benchmark.data.importers.cir_origin import SUFFIXES, read
from benchmark.data.importers.raw import RawImage
from benchmark.data.manifest import CLASSES
from benchmark.errors import InputError


def pixels(seed: int = 0) -> npt.NDArray[np.uint8]:
    """A generated picture of the archive's size."""
    return np.random.default_rng(seed).integers(0, 256, (224, 224), dtype=np.uint8)


def tiff(seed: int = 0) -> bytes:
    """The same as a TIFF."""
    buffer = io.BytesIO()
    Image.fromarray(pixels(seed)).save(buffer, "TIFF")
    return buffer.getvalue()


def one(name: str, data: bytes | None = None) -> RawImage:
    """Read a single member."""
    content = tiff() if data is None else data
    (item,) = read([Member(name, lambda: content)])
    return item


def test_archive_gives_all_classes_and_no_groups(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "origin.tar.gz", "w:gz") as archive:
        for label in range(24):
            data = tiff(label)
            info = tarfile.TarInfo(f"origin/{label}1562345678.{label}0123.{label}.tiff")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    items = list(read(members(tmp_path / "origin.tar.gz", SUFFIXES)))
    assert tuple(item.label for item in items) == CLASSES
    assert {(item.cell, item.case) for item in items} == {("", "")}
    assert len({item.image for item in items}) == 24
    for label, item in enumerate(items):
        assert item.pixels.shape == (224, 224)
        np.testing.assert_array_equal(item.pixels, pixels(label))


@pytest.mark.parametrize(
    ("name", "image", "label"),
    [
        ("1001562345678.9012345.0.tiff", "1001562345678.9012345", "1"),
        ("origin/abc_7-1562345678.5.21.tif", "abc_7-1562345678.5", "22"),
        ("origin/1562345678.5.22.tiff", "1562345678.5", "X"),
        ("origin/1562345678.5.23.TIFF", "1562345678.5", "Y"),
    ],
)
def test_labels_count_from_zero(name: str, image: str, label: str) -> None:
    assert one(name)[:4] == (image, label, "", "")


@pytest.mark.parametrize("label", [24, 99])
def test_label_outside_is_refused(label: int) -> None:
    words = rf"1562345678\.5\.{label}\.tiff: no such class; found {label}; allowed: 0 to 23"
    with pytest.raises(InputError, match=words):
        one(f"origin/1562345678.5.{label}.tiff")


@pytest.mark.parametrize(
    "name", ["1562345678.5.tiff", "a.b.1.tiff", "1562345678.5.X.tiff", "1562345678.5.123.tiff", "1.tiff"]
)
def test_name_outside_the_layout_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="name outside the CIR origin layout") as caught:
        one(name)
    assert name in str(caught.value)


def test_undecodable_file_is_named() -> None:
    with pytest.raises(InputError, match=r"origin/1562345678\.5\.0\.tiff: "):
        one("origin/1562345678.5.0.tiff", tiff()[:300])
