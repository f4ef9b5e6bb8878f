"""A submission's extra packages: which lines its `requirements.txt` may hold, and how an image gets them.

They are wheels, each of one version and known hashes, so that what is installed is what was reviewed and nothing of it
runs while it is installed. They add to the image and replace nothing in it.
"""

from __future__ import annotations

import re
from pathlib import Path

from benchmark.errors import InputError
from benchmark.files import read_text
from benchmark.sandbox.context import WORKER_PACKAGES, normal

MAX_BYTES = 256 * 1024
ALLOWED = "name==version --hash=sha256:<64 hex digits>, with any number of hashes"
LINE = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>[0-9][A-Za-z0-9.!+_-]*)"
    r"(?P<hashes>(?:\s+--hash=sha256:[0-9a-f]{64})+)"
)
KEPT = frozenset({*WORKER_PACKAGES, "benchmark", "karyobench", "torchaudio", "torchvision", "triton"})
"""What the image has already and a submission may not name; `GUARD` finds whatever else would be replaced."""

DOCKERFILE = """\
ARG HARNESS
FROM ${HARNESS} AS packages
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_CERT
ARG PIP_DEFAULT_TIMEOUT
COPY requirements.txt guard.py /tmp/
RUN PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --no-cache-dir --require-hashes --no-deps \\
      --only-binary :all: --target /tmp/extra --requirement /tmp/requirements.txt \\
    && python3 -P /tmp/guard.py /tmp/extra

FROM ${HARNESS}
COPY --from=packages /tmp/extra /opt/submission
ENV PYTHONPATH=/opt/karyobench:/opt/packages:/opt/submission
ARG BASE
ARG BASE_ID
ARG HASH
LABEL org.karyobench.base="${BASE}" org.karyobench.base-id="${BASE_ID}" org.karyobench.requirements="${HASH}"
"""

GUARD = '''\
"""Fails when a folder of packages holds a name that this interpreter has already, or one that it would run by itself."""
import importlib.util
import pathlib
import sys

for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    name = path.name.split(".")[0]
    if path.suffix == ".dist-info" or name in ("bin", "__pycache__"):
        continue
    if path.suffix == ".pth" or name in ("sitecustomize", "usercustomize") or importlib.util.find_spec(name):
        sys.exit(f"the packages would replace {path.name} of the image")
'''


def read_requirements(path: Path) -> str:
    """The lines of a `requirements.txt` in one form: sorted, without comments, one line a package.

    Raises:
        InputError: for anything but pinned and hashed packages that the image does not have yet; names the line.
    """
    lines: dict[str, str] = {}
    for number, text in _joined(read_text(path, MAX_BYTES)):
        where = f"line {number}"
        found = LINE.fullmatch(text)
        if found is None:
            raise InputError(
                "is not a pinned package with its hashes", file=path, field=where, found=text, allowed=ALLOWED
            )
        name = normal(found["name"])
        if name in KEPT or name.startswith("nvidia-"):
            raise InputError("the image has this package already", file=path, field=where, found=name,
                             hint="Remove the line: a submission uses the image's own version")  # fmt: skip
        if name in lines:
            raise InputError("a second line for the same package", file=path, field=where, found=name)
        lines[name] = " ".join([f"{name}=={found['version']}", *sorted(found["hashes"].split())])
    if not lines:
        raise InputError("names no package", file=path, allowed=ALLOWED)
    return "\n".join(lines[name] for name in sorted(lines)) + "\n"


def _joined(text: str) -> list[tuple[int, str]]:
    """Number of the first and text of every logical line: backslashes joined, comments and blanks left out."""
    found: list[tuple[int, str]] = []
    open_line = False
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        goes_on = line.endswith("\\")
        line = line.removesuffix("\\").strip()
        if open_line:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line}".strip())
        elif line:
            found.append((number, line))
        open_line = goes_on and bool(found)
    return found
