"""What an image is built from: the allow-list, the requirements, and a hash over both. Knows no docker.

The allow-list is the `.dockerignore` beside the Dockerfile, so that it is the same for whoever builds: no card, no
manifest, no label is on it.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from benchmark import resources

WORKER_PACKAGES = ("llvmlite", "numba", "numpy", "pydantic", "pyyaml", "safetensors", "timm", "torch")
"""Those of the package's requirements that a worker imports; their ranges are the package's own."""


def shipped_file(name: str) -> Path:
    """Where `Dockerfile` or `.dockerignore` lies, in a checkout and in a wheel."""
    packed = resources.PACKAGE / "_shipped" / name
    return packed if packed.is_file() else resources.PACKAGE.parent / name


def worker_files() -> dict[str, bytes]:
    """What is sent to the daemon, but the Dockerfile: content by path, as the allow-list says."""
    lines = shipped_file(".dockerignore").read_text(encoding="utf-8").splitlines()
    names = sorted(line[1:] for line in lines if line.startswith("!"))
    return {name: (resources.PACKAGE.parent / name).read_bytes() for name in names}


def requirements(lines: Sequence[str] | None = None) -> list[str]:
    """The worker's packages with the ranges that this package requires.

    Args:
        lines: requirement lines; default: those of the installed package.
    """
    found = {}
    for line in metadata.requires("karyobench") or () if lines is None else lines:
        if "extra ==" not in line:
            found[normal(re.split(r"[\s<>=!~\[;(]", line, maxsplit=1)[0])] = line.split(";")[0].replace(" ", "")
    return [found[name] for name in WORKER_PACKAGES]


def normal(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def worker_hash() -> str:
    """SHA-256 over everything of ours that decides the image's contents: sources, Dockerfile, requirements."""
    total = hashlib.sha256()
    parts = {**worker_files(), "Dockerfile": shipped_file("Dockerfile").read_bytes(), "": repr(requirements()).encode()}
    for name, content in sorted(parts.items()):
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def packed(files: Mapping[str, bytes]) -> io.BytesIO:
    """A build context: a tar whose bytes depend on the files' names and contents only."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    stream.seek(0)
    return stream


def default_base() -> str:
    """The base that the Dockerfile names."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)$", shipped_file("Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert found, "the Dockerfile names a base"
    return found[1]
