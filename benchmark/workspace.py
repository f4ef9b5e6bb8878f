"""Where images, units and the ledger are, unless a folder is named."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "KARYOBENCH_WORKSPACE"
"""The environment variable that names the folder for commands and notebooks."""

DEFAULT_WORKSPACE = Path("karyobench-workspace")


def folder(named: Path | str | None = None) -> Path:
    """The folder that was named, else that of the environment, else `karyobench-workspace` in the present folder."""
    return Path(named if named is not None else os.environ.get(VARIABLE) or DEFAULT_WORKSPACE)
