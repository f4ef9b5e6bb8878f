"""The one seam to the check of a single submission: `karyobench submission check FOLDER --json`, as a process of its own.

The process gets no variable beyond what it needs, so that no token is in reach of the code that it builds.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmark.errors import InfrastructureError
from benchmark.proposal.check import Examined
from benchmark.sandbox.process import KEPT

SECONDS = 1800
PASSED = re.compile(r"^(KARYOBENCH_\w+|HF_HOME|HF_ENDPOINT|HF_HUB_OFFLINE|XDG_CACHE_HOME|DOCKER_HOST|OMP_NUM_THREADS)$")
"""Variables that the check may need, beside those of every sandbox."""


def examine(folder: Path, options: tuple[str, ...] = (), seconds: float = SECONDS) -> Examined:
    """Check one submission's folder.

    Args:
        folder: of the submission.
        options: more of `karyobench submission check`.
        seconds: that it may take.

    Raises:
        InfrastructureError: when the check itself fails.
    """
    command = [sys.executable, "-P", "-m", "benchmark", "submission", "check", str(folder), "--json", *options]
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings(),
        start_new_session=True,
    )  # fmt: skip
    try:
        out, err = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return Examined([f"the check was not done after {seconds:.0f} s"], [], [])
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
    try:
        text = "\n" + out.decode("utf-8", "replace")
        [result] = json.loads(text[text.rindex("\n[\n") :])
        return told(result, folder)
    except (ValueError, TypeError, KeyError) as error:
        said = " ".join(err.decode("utf-8", "replace").split())[-500:]
        raise InfrastructureError(f"the check ended with {child.returncode} and no result: {said}") from error


def surroundings() -> dict[str, str]:
    """Variables of the process that builds strangers' code: an allow-list, no token."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT or PASSED.match(name)}
    root = str(Path(__file__).resolve().parents[2])
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, [root, kept.get("PYTHONPATH", "")]))}


def told(result: dict[str, Any], folder: Path) -> Examined:
    """The result of the check in sentences: its problems and warnings, and how each step went."""
    facts = [f"{step['step']}: {step['detail']} ({step['status']})" for step in result["steps"]]
    return Examined(*(
        [str(text).replace(str(folder), f"submissions/{folder.name}") for text in texts]
        for texts in (result["problems"], result["warnings"], facts)
    ))  # fmt: skip
