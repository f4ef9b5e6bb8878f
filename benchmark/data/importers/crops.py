"""Any folder of crops: every picture is decoded as a card declares, and is known by its pixels, not by its name.

Only what was declared is converted: 16 bits to 8 by the grey value that is white, colour to luminance,
transparency by what it lies on. What was not declared is an error that says what can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmark.data.card import Reading
from benchmark.data.importers.archive import Member
from benchmark.data.importers.raw import MODES, open_picture, whole
from benchmark.errors import InputError

U8 = npt.NDArray[np.uint8]
SUFFIXES = (".bmp", ".png", ".tif", ".tiff")
DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I")
"""Pillow's modes of 16 bits; a PNG of 16 bits is `I` in older versions."""


def wanted(member: Member, how: Reading) -> bool:
    """Whether a file is of the dataset."""
    return not any(fnmatchcase(member.name, one) or fnmatchcase(_base(member), one) for one in how.leave_out)


def _base(member: Member) -> str:
    return member.name.rsplit("/", 1)[-1]


def read(members: Iterable[Member], how: Reading) -> Iterator[tuple[str, U8]]:
    """Decode every member that is of the dataset.

    Yields:
        its name, and grey pixels (height, width).

    Raises:
        InputError: for a file that cannot be decoded, or only by what was not declared.
    """
    for member in members:
        if wanted(member, how):
            yield member.name, decode(member.read(), member.name, how)


def decode(data: bytes, where: str, how: Reading) -> U8:
    """Grey pixels of one picture, converted as declared; errors as `read`."""
    image = open_picture(data, where)
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise InputError("several pictures in one file", file=where, found=frames, allowed="1")
    whole(image, where)
    if image.mode in DEEP:
        return _eight_bits(np.asarray(image), where, how.white)
    if image.mode == "1":
        raise InputError("black and white only", file=where, found=image.mode, allowed="8 bits of grey")
    if image.mode == "P" or image.mode == "PA":
        image = image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    elif image.mode == "LA" or ("transparency" in image.info and image.mode in ("L", "RGB")):
        image = image.convert("RGBA")
    if image.mode not in MODES:
        raise InputError("not a grey or colour picture", file=where, found=image.mode, allowed=MODES)
    if image.mode == "RGBA":
        image = _opaque(image, where, how.transparent)
    values = np.asarray(image)
    if values.ndim == 3:
        if (values == values[..., :1]).all():
            values = values[..., 0]
        elif how.colour == "luminance":
            values = np.asarray(image.convert("L"))
        else:
            raise InputError(
                "a colour picture", file=where, field="colour", found=image.mode, allowed="grey, or equal channels",
                hint="To take its luminance: --colour luminance",
            )  # fmt: skip
    return np.ascontiguousarray(values, dtype=np.uint8)


def _eight_bits(values: npt.NDArray[np.generic], where: str, white: int | None) -> U8:
    deep = values.astype(np.int64)
    if white is None:
        raise InputError(
            "16 bits of grey", file=where, field="white", found=f"values {deep.min()} to {deep.max()}",
            allowed="8 bits, or a declared white", hint="Say which grey value is white: --white 4095 (12 bits), 65535",
        )  # fmt: skip
    if deep.max() > white or deep.min() < 0:
        raise InputError(
            "brighter than the declared white",
            file=where,
            field="white",
            found=int(deep.max()),
            allowed=f"0 to {white}",
        )
    return np.asarray((deep * 255 + white // 2) // white, dtype=np.uint8)


def _opaque(image: Image.Image, where: str, on: str) -> Image.Image:
    if image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB")
    if on == "refuse":
        raise InputError(
            "a transparent picture", file=where, field="transparent", found=image.mode, allowed="opaque",
            hint="Say what it lies on: --transparent black, or white",
        )  # fmt: skip
    ground = Image.new("RGBA", image.size, (0, 0, 0, 255) if on == "black" else (255, 255, 255, 255))
    return Image.alpha_composite(ground, image).convert("RGB")
