"""How an ended worker is judged, the same for every backend."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmark.job import MACHINE_FAILED, MODEL_FAILED, Failure

LOG_TAIL = 2000


def log_tail(output: Path) -> str:
    """The last lines a unit printed."""
    try:
        with (output / "worker.log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL))
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""


def with_log(problem: str, output: Path) -> str:
    """What went wrong, and below it the last lines that the unit printed."""
    return f"{problem}\n{log_tail(output)}".strip()


def _last_line(text: str) -> str:
    return text.splitlines()[-1] if text else "the worker says that the machine let it down"


def judge(code: int, output: Path) -> tuple[Any, str, str]:
    """Status, kind and message of a worker that ended by itself.

    Args:
        code: its exit status.
        output: its folder, with `worker.log` and perhaps `failure.json`.
    """
    if code == 0:
        return "finished", "", ""
    if code == MODEL_FAILED:
        try:
            with (output / "failure.json").open("rb") as file:
                failure = Failure.model_validate_json(file.read(20_000))
        except (OSError, ValueError):
            return "model-failure", "error", with_log("failed without saying why", output)
        return "model-failure", failure.kind, with_log(failure.message, output)
    if code == MACHINE_FAILED:
        return "infrastructure", "machine", _last_line(log_tail(output))
    return "model-failure", "crash", with_log(f"ended with exit status {code}", output)
