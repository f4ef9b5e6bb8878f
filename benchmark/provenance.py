"""What made a record: the harness and the packages it ran with."""

from __future__ import annotations

import functools
import hashlib
from importlib import metadata

from benchmark import versions
from benchmark.resources import PACKAGE

NAMED = ("torch", "torchvision", "timm", "numpy", "scipy", "safetensors", "huggingface-hub", "pillow", "pydantic")


@functools.cache
def packages() -> dict[str, str]:
    """Versions of the installed packages that decide a result."""
    found = {}
    for name in NAMED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def harness() -> dict[str, str]:
    """Version of this package, the numbers that decide its results, and a hash over its Python files (16 hex digits): its revision."""
    total = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        total.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return {**versions.own(), "code": total.hexdigest()[:16]}
