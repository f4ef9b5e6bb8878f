"""What every importer yields, and decoding of one file to grey pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, UnidentifiedImageError

from benchmark.errors import InputError

MAX_SIDE = 4096
FORMATS = ("BMP", "PNG", "TIFF")
"""Only lossless formats, and none whose decoder runs another program (EPS does)."""
MODES = ("L", "P", "RGB", "RGBA")


class RawImage(NamedTuple):
    """One decoded crop: grey values (height, width) as they are in the file."""

    image: str
    label: str
    cell: str
    case: str
    pixels: npt.NDArray[np.uint8]


def label_of(number: int, first_sex: int = 23) -> str:
    """Class name of a number: 23 is X and 24 is Y (or as `first_sex` says)."""
    return {first_sex: "X", first_sex + 1: "Y"}.get(number, str(number))


def grey(image: Image.Image, where: str) -> npt.NDArray[np.uint8]:
    """Grey pixels of a loaded picture; colour is taken only when its channels are equal.

    Raises:
        InputError: for real colour or another depth than 8 bits.
    """
    if image.mode not in MODES:
        raise InputError("not an 8-bit grey image", file=where, found=image.mode, allowed=MODES)
    if image.mode == "P":
        image = image.convert("RGB")
    values = np.asarray(image)
    if values.ndim == 3:
        if not (values[..., :3] == values[..., :1]).all():
            raise InputError("a colour image", file=where, found=image.mode, allowed="grey, or equal channels")
        values = values[..., 0]
    return np.ascontiguousarray(values)


def open_picture(data: bytes, where: str) -> Image.Image:
    """Open (not yet decode) a picture.

    Raises:
        InputError: when it is no picture or is unreasonably large.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise InputError("unreasonable size", file=where, allowed=f"1 to {MAX_SIDE} pixels a side") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise InputError("cannot be decoded as an image", file=where, allowed=FORMATS) from error
    if max(image.size) > MAX_SIDE or min(image.size) < 1:
        raise InputError("unreasonable size", file=where, found=image.size, allowed=f"1 to {MAX_SIDE} pixels a side")
    return image


@contextmanager
def _whole_files_only() -> Iterator[None]:
    """Other packages set Pillow's global switch that fills cut-off pictures with made-up pixels."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def whole(image: Image.Image, where: str) -> None:
    """Decode an opened picture, to its end.

    Raises:
        InputError: when it is truncated or damaged.
    """
    try:
        with _whole_files_only():
            image.load()
    except (OSError, ValueError, SyntaxError, IndexError) as error:
        raise InputError("image data is damaged or cut off", file=where) from error


def load(image: Image.Image, where: str) -> npt.NDArray[np.uint8]:
    """Decode an opened picture to grey pixels (height, width).

    Raises:
        InputError: when it is truncated, or no grey 8-bit one.
    """
    whole(image, where)
    return grey(image, where)


def decode(data: bytes, where: str) -> npt.NDArray[np.uint8]:
    """Grey pixels (height, width) of an ordinary picture file.

    Raises:
        InputError: when it is truncated, no picture, or no grey 8-bit one.
    """
    return load(open_picture(data, where), where)
