"""Links torch, torchvision and what they need from this interpreter's packages into another folder.

Hard links, so that gigabytes are not copied before they are packed; copies where the disk is another one.
"""

from __future__ import annotations

import os
import shutil
import sys
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

WANTED = ("torch", "torchvision")
GPU_ONLY = (
    "triton/*",
    "torch/include/*",
    "nvidia/*/include/*",
    "nvidia/cudnn/lib/libcudnn_*",
    "nvidia/*/lib/libcusolver*",
    "nvidia/*/lib/libnvrtc.alt*",
    "*.a",
)
"""What no CPU loads, as patterns of paths below the packages' folder."""


def closure(names: tuple[str, ...]) -> dict[str, metadata.Distribution]:
    """Every installed distribution that the named ones need, with the extras that they ask for."""
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    todo = [(name, "") for name in names]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        found[name] = metadata.distribution(name)
        for needed in map(Requirement, found[name].requires or ()):
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                todo += [(canonicalize_name(needed.name), one) for one in ("", *needed.extras)]
    return found


def as_constrained(constraints: Path) -> bool:
    """Whether the wanted packages are installed at the versions that a constraints file names."""
    wanted = dict(line.split("==") for line in constraints.read_text().split() if "==" in line)
    try:
        return all(metadata.version(name).split("+")[0] == wanted.get(name, metadata.version(name)) for name in WANTED)
    except metadata.PackageNotFoundError:
        return False


def link(distribution: metadata.Distribution, target: Path) -> None:
    """Link one distribution's files, less its commands and what only a GPU needs."""
    for file in distribution.files or ():
        name = file.as_posix()
        source = Path(str(distribution.locate_file(file)))
        if name.startswith("..") or any(fnmatch(name, p) for p in GPU_ONLY) or not source.is_file():
            continue
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, place)
        except OSError:
            shutil.copy2(source, place)


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        sys.exit(0 if as_constrained(Path(sys.argv[2])) else 1)
    for one in closure(WANTED).values():
        link(one, Path(sys.argv[1]))
