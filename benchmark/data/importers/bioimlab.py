"""BioImLab Q-band: `<cell>/<cell> <class>[a|b].bmp`, light on black.

Traps, all met in the real files: in a male cell X is `23` and Y `24`, usually with no letter but
once as `23a`; 14 files are RGB with three equal channels; cells 002 and 111 are one metaphase at
two exposures (`karyobench data audit` finds it), so that they share a case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from benchmark.data.importers.archive import Member
from benchmark.data.importers.raw import RawImage, decode, label_of
from benchmark.errors import InputError

SAME_METAPHASE = {2: "002+111", 111: "002+111"}
"""Cells that are known to be of one person, because they are the same picture; no other person is known."""

SUFFIXES = (".bmp",)
NAME = re.compile(
    r"(?:^|/)(?P<folder>\d{1,4})/(?P<cell>\d{1,4}) (?P<number>\d{1,2})(?P<copy>[ab]?)\.bmp$",
    re.IGNORECASE,
)


def read(members: Iterable[Member]) -> Iterator[RawImage]:
    """Decode every member.

    Raises:
        InputError: for a name outside the layout, a class outside 1-24, a file in another cell's
            folder, or a file that cannot be decoded.
    """
    for member in members:
        match = NAME.search(member.name)
        if match is None:
            allowed = "<cell>/<cell> <class>[a|b].bmp"
            raise InputError("name outside the BioImLab layout", file=member.name, allowed=allowed)
        cell, number = int(match["cell"]), int(match["number"])
        if not 1 <= number <= 24:
            raise InputError("no such class", file=member.name, found=number, allowed="1 to 24")
        if int(match["folder"]) != cell:
            found = match["folder"]
            raise InputError("file in another cell's folder", file=member.name, found=found, allowed=str(cell))
        image = f"{cell:03d}-{number:02d}{match['copy'].lower()}"
        yield RawImage(
            image, label_of(number), f"{cell:03d}", SAME_METAPHASE.get(cell, ""), decode(member.read(), member.name)
        )
