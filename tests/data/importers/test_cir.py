"""The CIR layout and its bogus second strip, with TIFF files written by hand."""

from __future__ import annotations

import io
import struct
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
from benchmark.data.importers.cir import SUFFIXES, decode, read
from benchmark.data.importers.raw import RawImage
from benchmark.errors import InputError

U8 = npt.NDArray[np.uint8]
LONG, SHORT = 4, 3


def pixels(seed: int = 0, height: int = 12, width: int = 9) -> U8:
    """A generated crop."""
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def tiff(values: U8, rows: int | None = None, strips: list[int] | None = None, photometric: int = 1) -> bytes:
    """An uncompressed 8-bit grey TIFF: header, first strip at 48, then the directory.

    Args:
        values: grey pixels.
        rows: rows of a strip; all by default.
        strips: offsets to announce; those of the real strips by default.
        photometric: 1 for black is zero.
    """
    height, width = values.shape
    rows = rows or height
    tops = range(0, height, rows)
    offsets = strips if strips is not None else [48 + top * width for top in tops]
    counts = [rows * width] * len(offsets)
    body = values.tobytes()
    directory = 48 + len(body) + len(body) % 2
    entries = [
        (256, LONG, [width]), (257, LONG, [height]), (258, SHORT, [8]), (259, SHORT, [1]), (262, SHORT, [photometric]),
        (273, LONG, offsets), (277, SHORT, [1]), (278, LONG, [rows]), (279, LONG, counts),
    ]  # fmt: skip
    table, extra = b"", b""
    extra_at = directory + 2 + 12 * len(entries) + 4
    for tag, kind, items in entries:
        packed = struct.pack(f"<{len(items)}{'I' if kind == LONG else 'H'}", *items)
        if len(packed) > 4:
            packed, extra = struct.pack("<I", extra_at + len(extra)), extra + packed
        table += struct.pack("<HHI", tag, kind, len(items)) + packed.ljust(4, b"\0")
    head = struct.pack("<2sHI", b"II", 42, directory).ljust(48, b"\0")
    return head + body.ljust(directory - 48, b"\0") + struct.pack("<H", len(entries)) + table + b"\0" * 4 + extra


def bogus(values: U8) -> bytes:
    """As in the real files: one strip has all rows, and a second of the same length runs behind the end."""
    return tiff(values, strips=[48, 48 + values.size])


def one(name: str, data: bytes | None = None) -> RawImage:
    """Read a single member."""
    content = bogus(pixels()) if data is None else data
    (item,) = read([Member(name, lambda: content)])
    return item


@pytest.mark.parametrize(
    ("name", "image", "label", "cell", "case"),
    [
        ("1/1_1_56131_115966_1341591.tiff", "115966-1341591-01-1", "1", "1341591", "115966"),
        ("DataNew/22/22_2_5_6_7.TIFF", "6-7-22-2", "22", "7", "6"),
        ("repo-HEAD/DataNew/23/23_1_5_6_7.tif", "6-7-23-1", "X", "7", "6"),
        ("DataNew/24/24_1_5_6_7.tiff", "6-7-24-1", "Y", "7", "6"),
    ],
)
def test_name_gives_class_cell_and_case(name: str, image: str, label: str, cell: str, case: str) -> None:
    item = one(name)
    assert item[:4] == (image, label, cell, case)
    np.testing.assert_array_equal(item.pixels, pixels())


@pytest.mark.parametrize("number", [0, 25])
def test_class_outside_is_refused(number: int) -> None:
    with pytest.raises(InputError, match=rf"{number}_1_2_3_4\.tiff: no such class; found {number}; allowed: 1 to 24"):
        one(f"{number}/{number}_1_2_3_4.tiff")


@pytest.mark.parametrize(
    "name", ["1/1_1_2_3.tiff", "1_1_2_3_4.tiff", "1/1_1_2_3_4_5.tiff", "1/X_1_2_3_4.tiff", "1/a.tiff"]
)
def test_name_outside_the_layout_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="name outside the CIR layout") as caught:
        one(name)
    assert name in str(caught.value)


def test_file_in_another_classs_folder_is_refused() -> None:
    with pytest.raises(InputError, match=r"2/1_1_2_3_4\.tiff: file in another class's folder; found '2'; allowed: 1"):
        one("2/1_1_2_3_4.tiff")


def test_the_trap_is_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow calls such a file truncated, or gives other pixels when told to go on."""
    values = pixels(0, 60, 40)
    data = bogus(values)
    assert 48 + 2 * values.size > len(data)
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(data)).load()
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert not np.array_equal(np.asarray(Image.open(io.BytesIO(data))), values)
    np.testing.assert_array_equal(decode(data, "x"), values)


def test_several_honest_strips_in_any_place() -> None:
    """Each strip is read where it lies: here they lie in the file in reverse order, the last one shorter."""
    values = pixels(3, 10, 9)
    laid = np.concatenate([values[8:], values[4:8], values[:4]])
    data = tiff(laid, rows=4, strips=[48 + 6 * 9, 48 + 2 * 9, 48])
    np.testing.assert_array_equal(decode(data, "x"), values)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), values)


def test_white_is_zero_is_turned_round() -> None:
    np.testing.assert_array_equal(decode(tiff(pixels(), photometric=0), "x"), 255 - pixels())


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_ordinary_tiff_is_read(compression: str | None) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels()).save(buffer, "TIFF", compression=compression)
    np.testing.assert_array_equal(decode(buffer.getvalue(), "x"), pixels())


def test_equal_channels_are_grey_and_colour_is_refused() -> None:
    values = np.repeat(pixels()[..., None] // 2, 3, axis=2)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "TIFF")
    np.testing.assert_array_equal(decode(buffer.getvalue(), "x"), pixels() // 2)
    values[0, 0, 2] += 1
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "TIFF")
    with pytest.raises(InputError, match=r"1/1_1_2_3_4\.tiff: a colour image"):
        one("1/1_1_2_3_4.tiff", buffer.getvalue())


def test_four_bit_grey_is_not_read_as_bytes() -> None:
    data = bytearray(tiff(np.full((4, 4), 0x5A, dtype=np.uint8)))
    at = data.index(struct.pack("<HHIH", 258, SHORT, 1, 8)) + 8
    data[at] = 4
    found = decode(bytes(data), "x")
    np.testing.assert_array_equal(found, np.asarray(Image.open(io.BytesIO(bytes(data)))))
    assert set(np.unique(found)) == {0x55, 0xAA}


def test_cut_off_pixels_are_refused() -> None:
    """A first strip that itself runs behind the end."""
    data = tiff(pixels(), strips=[1 << 20, 48])
    with pytest.raises(InputError, match=r"1/1_1_2_3_4\.tiff: image data is damaged or cut off; found '0 bytes'"):
        one("1/1_1_2_3_4.tiff", data)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_cut_off_file_is_refused() -> None:
    """The directory lies behind the pixels, so that a cut takes it away."""
    with pytest.raises(InputError, match=r"1/1_1_2_3_4\.tiff: "):
        one("1/1_1_2_3_4.tiff", bogus(pixels())[:100])


@pytest.mark.parametrize("data", [b"", b"II*\0", b"text"])
def test_undecodable_file_is_named(data: bytes) -> None:
    with pytest.raises(InputError, match=r"1/1_1_2_3_4\.tiff: "):
        one("1/1_1_2_3_4.tiff", data)


def test_other_format_under_a_tiff_name_is_refused() -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels()).save(buffer, "PNG")
    with pytest.raises(InputError, match=r"1/1_1_2_3_4\.tiff: not a TIFF file; found 'PNG'; allowed: TIFF"):
        one("1/1_1_2_3_4.tiff", buffer.getvalue())


def test_tiled_file_is_left_to_pillow() -> None:
    """It has no strips at all: renaming the strip tags to those of tiles makes one."""
    values = pixels(1, 16, 16)
    data = bytearray(tiff(values))
    for strip, tile in ((273, 324), (279, 325), (278, 323), (277, 322)):
        at = data.index(struct.pack("<H", strip), 48 + values.size)
        data[at : at + 2] = struct.pack("<H", tile)
        if tile == 322:
            data[at + 8 : at + 10] = struct.pack("<H", 16)
    np.testing.assert_array_equal(decode(bytes(data), "x"), values)


def test_folder_zip_and_tar_give_the_same_images(tmp_path: Path) -> None:
    tree = {f"DataNew/{n}/{n}_{copy}_1_2_3.tiff": bogus(pixels(n)) for n in (1, 10, 2, 23) for copy in (1, 2)}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped, tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tarred:
        for name, data in tree.items():
            file = tmp_path / "folder" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            zipped.writestr(name, data)
            tarred.add(file, name)
    found = [
        sorted((item[:4], item.pixels.tobytes()) for item in read(members(tmp_path / path, SUFFIXES, "DataNew")))
        for path in ("folder", "a.zip", "a.tar.gz")
    ]
    assert len(found[0]) == 8
    assert found[1] == found[0]
    assert found[2] == found[0]


@pytest.mark.realdata
def test_real_archive(archives: Path) -> None:
    items = list(read(members(archives / "cir_gband.zip", SUFFIXES)))
    counts = Counter(item.label for item in items)
    assert (len(items), counts["X"], counts["Y"], len(counts)) == (2806, 94, 27, 24)
    assert all(117 <= counts[str(number)] <= 127 for number in range(1, 23))
    assert len({item.image for item in items}) == 2806
    assert len({item.cell for item in items}) == len({(item.case, item.cell) for item in items}) == 65
    assert len({item.case for item in items}) == 16
    borders = [np.concatenate([item.pixels[0], item.pixels[-1]]).mean() for item in items]
    assert np.median(borders) > 240
