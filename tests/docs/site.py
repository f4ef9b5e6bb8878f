"""The documentation site, built once for all processes of a test run."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.documents import ROOT


def mkdocs(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Call mkdocs as `tox -e docs` does; its words are on standard error."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", *map(str, arguments)],
        cwd=cwd, env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def built(factory: pytest.TempPathFactory) -> Path:
    """The folder of the site; what the build said lies beside it, as `said`.

    Raises:
        AssertionError: when the build fails, which it does at any warning.
    """
    base = factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    site, said = shared / "documentation", shared / "documentation-said"
    with (shared / "documentation.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            done = mkdocs("build", "-d", site)
            said.write_text(f"{done.returncode}\n{done.stderr}")
    code, _, words = said.read_text().partition("\n")
    assert code == "0", words
    return site
