"""CIR-Net G-band by case and cell: `<class>/<class>_<copy>_<x>_<case>_<cell>.tiff`, dark on white.

Trap: every file announces a second strip that lies behind its end, so that a decoder calls it
truncated or returns garbage. The true pixels are the width x height bytes at the first strip.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from PIL.TiffImagePlugin import TiffImageFile

from benchmark.data.importers.archive import Member
from benchmark.data.importers.raw import RawImage, label_of, load, open_picture
from benchmark.errors import InputError

SUFFIXES = (".tif", ".tiff")
NAME = re.compile(
    r"(?:^|/)(?P<folder>\d{1,2})/(?P<number>\d{1,2})_(?P<copy>\d+)_(?P<x>\d+)_(?P<case>\d+)_(?P<cell>\d+)\.tiff?$",
    re.IGNORECASE,
)
BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, ROWS_PER_STRIP = 258, 259, 262, 273, 278


def decode(data: bytes, where: str) -> npt.NDArray[np.uint8]:
    """Grey pixels (height, width) of one TIFF that may announce more strips than its rows need.

    Only as many strips as the height needs are read, each from its own offset; what an
    uncompressed 8-bit grey TIFF says of further ones is ignored. Every other TIFF goes to Pillow.

    Raises:
        InputError: when it is no TIFF, no 8-bit grey one, or its pixels are cut off.
    """
    image = open_picture(data, where)
    if not isinstance(image, TiffImageFile):
        raise InputError("not a TIFF file", file=where, found=image.format, allowed="TIFF")
    tags = image.tag_v2
    plain = image.mode == "L" and tags.get(COMPRESSION, 1) == 1 and tuple(tags.get(BITS, (1,))) == (8,)
    if not plain or STRIP_OFFSETS not in tags:
        return load(image, where)
    width, height = image.size
    rows = min(max(int(tags.get(ROWS_PER_STRIP, height)), 1), height)
    pixels = bytearray()
    for offset, top in zip(tags[STRIP_OFFSETS], range(0, height, rows), strict=False):
        pixels += data[offset : offset + width * min(rows, height - top)]
    if len(pixels) != width * height:
        found, allowed = f"{len(pixels)} bytes", f"{width * height} bytes"
        raise InputError("image data is damaged or cut off", file=where, found=found, allowed=allowed)
    values = np.frombuffer(bytes(pixels), dtype=np.uint8).reshape(height, width)
    white_is_zero = tags.get(PHOTOMETRIC) == 0
    return 255 - values if white_is_zero else values


def read(members: Iterable[Member]) -> Iterator[RawImage]:
    """Decode every member.

    Raises:
        InputError: for a name outside the layout, a class outside 1-24, a file in another class's
            folder, or a file that cannot be decoded.
    """
    for member in members:
        match = NAME.search(member.name)
        if match is None:
            allowed = "<class>/<class>_<copy>_<x>_<case>_<cell>.tiff"
            raise InputError("name outside the CIR layout", file=member.name, allowed=allowed)
        number = int(match["number"])
        if not 1 <= number <= 24:
            raise InputError("no such class", file=member.name, found=number, allowed="1 to 24")
        if int(match["folder"]) != number:
            found = match["folder"]
            raise InputError("file in another class's folder", file=member.name, found=found, allowed=str(number))
        image = f"{match['case']}-{match['cell']}-{number:02d}-{match['copy']}"
        yield RawImage(image, label_of(number), match["cell"], match["case"], decode(member.read(), member.name))
