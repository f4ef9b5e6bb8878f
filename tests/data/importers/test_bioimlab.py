"""The BioImLab layout and every trap met in it, with generated pictures."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFile

from benchmark.data.importers import members
from benchmark.data.importers.archive import Member
from benchmark.data.importers.bioimlab import SUFFIXES, read
from benchmark.data.importers.raw import MAX_SIDE, RawImage
from benchmark.data.manifest import CLASSES
from benchmark.errors import InputError

U8 = npt.NDArray[np.uint8]


def pixels(seed: int = 0, height: int = 11, width: int = 7) -> U8:
    """A generated crop of odd sides, so that rows need padding in a BMP."""
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def encoded(image: Image.Image, form: str = "BMP") -> bytes:
    """A picture file."""
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def grey_bmp(values: U8) -> bytes:
    """An 8-bit grey BMP."""
    return encoded(Image.fromarray(values))


def one(name: str, data: bytes | None = None) -> RawImage:
    """Read a single member."""
    content = grey_bmp(pixels()) if data is None else data
    (item,) = read([Member(name, lambda: content)])
    return item


@pytest.mark.parametrize(
    ("name", "image", "label", "cell"),
    [
        ("1/1 1a.bmp", "001-01a", "1", "001"),
        ("119/119 22b.bmp", "119-22b", "22", "119"),
        ("single_chromosomes/3/3 23.bmp", "003-23", "X", "003"),
        ("repo-HEAD/Some work/single_chromosomes/3/3 24.bmp", "003-24", "Y", "003"),
        ("79/79 23a.bmp", "079-23a", "X", "079"),
        ("7/7 23b.bmp", "007-23b", "X", "007"),
        ("4/4 7A.BMP", "004-07a", "7", "004"),
    ],
)
def test_name_gives_class_and_cell(name: str, image: str, label: str, cell: str) -> None:
    item = one(name)
    assert item[:4] == (image, label, cell, "")
    np.testing.assert_array_equal(item.pixels, pixels())


def test_two_cells_that_are_one_picture_share_a_case() -> None:
    assert one("2/2 1a.bmp").case == one("111/111 1a.bmp").case == "002+111"
    assert one("3/3 1a.bmp").case == ""


def test_ids_of_a_cell_are_distinct() -> None:
    names = [f"5/5 {number}{copy}.bmp" for number in range(1, 23) for copy in "ab"] + ["5/5 23.bmp", "5/5 24.bmp"]
    assert len({one(name).image for name in names}) == 46


@pytest.mark.parametrize("number", ["0", "25", "99"])
def test_class_outside_is_refused(number: str) -> None:
    with pytest.raises(InputError, match=rf"1/1 {number}a\.bmp: no such class; found {number}; allowed: 1 to 24"):
        one(f"1/1 {number}a.bmp")


@pytest.mark.parametrize(
    "name",
    ["1/1 1c.bmp", "1/1-1a.bmp", "1 1a.bmp", "1/1 1a.png", "x/x 1a.bmp", "1/11a.bmp", "1/1 1a.bmp.bmp", "1/1  1a.bmp"],
)
def test_name_outside_the_layout_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="name outside the BioImLab layout") as caught:
        one(name)
    assert name in str(caught.value)
    assert "<cell>/<cell> <class>[a|b].bmp" in str(caught.value)


def test_file_in_another_cells_folder_is_refused() -> None:
    with pytest.raises(InputError, match=r"8/7 1a\.bmp: file in another cell's folder; found '8'; allowed: 7"):
        one("8/7 1a.bmp")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_equal_channels_are_grey(mode: str) -> None:
    image = Image.fromarray(pixels()).convert(mode)
    np.testing.assert_array_equal(one("1/1 1a.bmp", encoded(image)).pixels, pixels())


def test_palette_is_looked_up() -> None:
    """An 8-bit BMP whose palette is grey but not in order."""
    image = Image.fromarray(pixels(), "L").convert("P")
    image.putpalette([255 - value for value in range(256) for _ in range(3)])
    np.testing.assert_array_equal(one("1/1 1a.bmp", encoded(image)).pixels, 255 - pixels())


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_real_colour_is_refused(channel: int) -> None:
    """One pixel of one channel, off by one."""
    values = np.repeat(pixels()[..., None] // 2, 3, axis=2)
    values[4, 3, channel] += 1
    with pytest.raises(InputError, match=r"1/1 1a\.bmp: a colour image; found 'RGB'"):
        one("1/1 1a.bmp", encoded(Image.fromarray(values)))


@pytest.mark.parametrize("mode", ["1", "I;16", "LA", "CMYK"])
def test_other_depths_are_refused(mode: str) -> None:
    image = Image.new(mode, (5, 4))
    form = "TIFF" if mode in ("CMYK", "I;16") else "PNG"
    with pytest.raises(InputError, match=r"1/1 1a\.bmp: not an 8-bit grey image"):
        one("1/1 1a.bmp", encoded(image, form))


@pytest.mark.parametrize("kept", [0.5, 0.99])
@pytest.mark.parametrize("global_switch", [False, True])
def test_truncated_file_is_refused(kept: float, global_switch: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when another package has told Pillow to make up what is missing; its setting is left alone."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", global_switch)
    data = grey_bmp(pixels(0, 60, 40))
    with pytest.raises(InputError, match=r"1/1 1a\.bmp: image data is damaged or cut off"):
        one("1/1 1a.bmp", data[: int(len(data) * kept)])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is global_switch


@pytest.mark.parametrize("data", [b"", b"BM", b"<html>", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_undecodable_file_is_named(data: bytes) -> None:
    with pytest.raises(InputError, match=r"6/6 2b\.bmp: cannot be decoded as an image; allowed: BMP, PNG, TIFF"):
        one("6/6 2b.bmp", data)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [MAX_SIDE + 1, 12_000, 60_000])
def test_unreasonable_size_is_refused_before_decoding(side: int) -> None:
    data = bytearray(grey_bmp(pixels()))
    data[18:22] = data[22:26] = side.to_bytes(4, "little")
    with pytest.raises(InputError, match=r"1/1 1a\.bmp: unreasonable size"):
        one("1/1 1a.bmp", bytes(data))


def tree() -> dict[str, bytes]:
    """A tiny copy of the real layout."""
    names = [f"{cell}/{cell} {name}" for cell in (1, 2, 10) for name in ("1a", "1b", "2a", "23", "24")]
    return {f"single_chromosomes/{name}.bmp": grey_bmp(pixels(seed)) for seed, name in enumerate(names)}


@pytest.fixture
def packed(tmp_path: Path) -> dict[str, Path]:
    """The tree as a folder, a zip and a tar.gz."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped, tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tarred:
        for name, data in tree().items():
            file = tmp_path / "folder" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            zipped.writestr(name, data)
            tarred.add(file, name)
    return {"folder": tmp_path / "folder", "zip": tmp_path / "a.zip", "tar": tmp_path / "a.tar.gz"}


def test_folder_zip_and_tar_give_the_same_images(packed: dict[str, Path]) -> None:
    found = {
        kind: sorted((item[:4], item.pixels.tobytes()) for item in read(members(path, SUFFIXES, "single_chromosomes")))
        for kind, path in packed.items()
    }
    assert len(found["folder"]) == 15
    assert found["zip"] == found["folder"]
    assert found["tar"] == found["folder"]


@pytest.mark.realdata
def test_real_archive(archives: Path) -> None:
    items = list(read(members(archives / "bioimlab_qband.zip", SUFFIXES)))
    assert Counter(item.label for item in items) == {**{str(n): 238 for n in range(1, 23)}, "X": 193, "Y": 45}
    assert {item.label for item in items} == set(CLASSES)
    assert set(Counter(item.cell for item in items).values()) == {46}
    assert len({item.image for item in items}) == 5474
    assert len({item.cell for item in items}) == 119
    assert all(item.pixels.ndim == 2 and item.pixels.dtype == np.uint8 for item in items)
