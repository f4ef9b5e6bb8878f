"""CIR-Net's own archive: `<id><unix time>.<fraction>.<label 0-23>.tiff`, 224x224, no cell, no case.

Labels count from zero: 0-21 are chromosomes 1-22, 22 is X, 23 is Y. The groups are not in the
names, so that its folds can only be drawn by image; the card says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from benchmark.data.importers.archive import Member
from benchmark.data.importers.cir import decode
from benchmark.data.importers.raw import RawImage, label_of
from benchmark.errors import InputError

SUFFIXES = (".tif", ".tiff")
NAME = re.compile(r"(?:^|/)(?P<id>[^/]*\d\.\d+)\.(?P<label>\d{1,2})\.tiff?$", re.IGNORECASE)


def read(members: Iterable[Member]) -> Iterator[RawImage]:
    """Decode every member.

    Raises:
        InputError: for a name outside the layout, a label outside 0-23, or an undecodable file.
    """
    for member in members:
        match = NAME.search(member.name)
        if match is None:
            allowed = "<id><unix time>.<fraction>.<label>.tiff"
            raise InputError("name outside the CIR origin layout", file=member.name, allowed=allowed)
        label = int(match["label"])
        if label > 23:
            raise InputError("no such class", file=member.name, found=label, allowed="0 to 23")
        yield RawImage(match["id"], label_of(label + 1), "", "", decode(member.read(), member.name))
