"""Reading what a unit left behind, without trusting any of it.

Only the agreed names are opened; each must be a regular file of a plausible size; the header of an
array is checked before its data is read; nothing is ever unpickled.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import stat
from pathlib import Path
from tokenize import TokenError
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

MAX_CHECKPOINT = 4 * 1024**3
MAX_TEXT = 4 * 1024**2
MAX_ENVIRONMENT = 64 * 1024
MAX_DEPTH = 8
MAX_NAME = 40
BROKEN = (ValueError, TypeError, SyntaxError, TokenError, OverflowError, RecursionError, MemoryError)
"""What a text made to break its reader can raise: deep nesting, endless numbers, no text at all."""

AGREED = {
    "logits.npy",
    "model.safetensors",
    "log.jsonl",
    "environment.json",
    "worker.log",
    "failure.json",
    "findings.json",
    "formats.json",
}


class BadOutputError(Exception):
    """The unit said it was done but its output is not usable: a failure of the submission."""


class Output(NamedTuple):
    """What was read: logits in the order of the *permuted* test images, and the texts."""

    logits: npt.NDArray[np.float32]
    log: list[dict[str, Any]]
    environment: dict[str, Any]


def regular(path: Path, limit: int) -> int:
    """Size of a regular file that is not a link, not sparse and not over the limit.

    Raises:
        BadOutputError: otherwise.
    """
    try:
        found = os.lstat(path)
    except OSError as error:
        raise BadOutputError(f"{path.name}: missing") from error
    if not stat.S_ISREG(found.st_mode):
        raise BadOutputError(f"{path.name}: not a regular file")
    if found.st_size > limit:
        raise BadOutputError(f"{path.name}: {found.st_size:,} bytes, more than {limit:,}")
    if found.st_size > 1 << 20 and found.st_blocks * 512 < found.st_size // 2:
        raise BadOutputError(f"{path.name}: a sparse file")
    return found.st_size


def read_logits(path: Path, images: int, classes: int) -> npt.NDArray[np.float32]:
    """Logits of shape (images, classes).

    Raises:
        BadOutputError: for another type, shape or size, or values that are not finite.
    """
    expected = images * classes * 4
    regular(path, expected + 4096)
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise BadOutputError(f"{path.name}: array format {version}, allowed (1, 0)")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            if dtype != np.float32 or shape != (images, classes) or fortran:
                raise BadOutputError(f"{path.name}: {dtype} {shape}, allowed float32 ({images}, {classes})")
            data = file.read()
    except BROKEN as error:
        raise BadOutputError(f"{path.name}: not an array file: {type(error).__name__}: {error}"[:500]) from error
    if len(data) != expected:
        raise BadOutputError(f"{path.name}: {len(data):,} bytes of data, allowed {expected:,}")
    values = np.frombuffer(data, dtype=np.float32).reshape(images, classes)
    if not np.isfinite(values).all():
        raise BadOutputError(f"{path.name}: values that are not finite")
    return values


def _check_checkpoint(path: Path) -> None:
    regular(path, MAX_CHECKPOINT)
    try:
        with safe_open(path, framework="numpy") as file:
            if not list(file.keys()):
                raise BadOutputError(f"{path.name}: holds no tensor")
    except (SafetensorError, OSError, ValueError) as error:
        raise BadOutputError(f"{path.name}: not a safetensors file: {error}") from error


def _parsed(text: str) -> dict[str, Any]:
    """An object of JSON that can also be written again; what is not finite becomes null."""
    found = json.loads(text, parse_constant=lambda _: None, parse_float=_finite)
    if not isinstance(found, dict):
        raise ValueError("no object")
    _shallow(found, MAX_DEPTH)
    json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
    return found


def _shallow(value: object, levels: int) -> None:
    """Refuse what is nested so deep that a later reader, deeper in its own stack, may fail on it."""
    if isinstance(value, dict | list):
        if not levels:
            raise ValueError("nested too deeply")
        for part in value.values() if isinstance(value, dict) else value:
            _shallow(part, levels - 1)


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _read_log(path: Path, epochs: int | None) -> list[dict[str, Any]]:
    regular(path, MAX_TEXT)
    try:
        entries = [_parsed(line) for line in path.read_text(encoding="utf-8").splitlines()]
        lines = [
            {k: v for k, v in one.items() if len(k) <= MAX_NAME and isinstance(v, int | float) and math.isfinite(v)}
            for one in entries
        ]
    except BROKEN as error:
        raise BadOutputError(f"{path.name}: not JSON lines: {type(error).__name__}: {error}"[:500]) from error
    if epochs is not None and [line.get("epoch") for line in lines] != list(range(1, epochs + 1)):
        raise BadOutputError(f"{path.name}: {len(lines)} lines, allowed: one for each of {epochs} epochs, in order")
    return lines


def _read_environment(path: Path) -> dict[str, Any]:
    regular(path, MAX_ENVIRONMENT)
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except BROKEN as error:
        raise BadOutputError(f"{path.name}: not JSON: {type(error).__name__}: {error}"[:500]) from error


def read_outputs(folder: Path, images: int, classes: int, epochs: int | None = None) -> Output:
    """Check and read a finished unit's output folder.

    Args:
        folder: the output folder.
        images: number of test images it was given.
        classes: number of classes.
        epochs: of the job; its log must hold one line for each. Not looked at when None.

    Raises:
        BadOutputError: when anything is not as agreed.
    """
    scores = read_logits(folder / "logits.npy", images, classes)
    _check_checkpoint(folder / "model.safetensors")
    return Output(scores, _read_log(folder / "log.jsonl", epochs), _read_environment(folder / "environment.json"))


def keep_agreed(folder: Path) -> None:
    """Remove whatever else a unit left in its output folder."""
    for entry in list(os.scandir(folder)):
        if entry.name not in AGREED:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
