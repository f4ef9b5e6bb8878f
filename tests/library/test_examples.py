"""The examples in the docstrings of what `from benchmark import ...` gives run as they stand."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import benchmark
from benchmark.submission import Submission

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```python\n(.*?) *```", re.DOTALL)


def examples() -> Iterator[tuple[str, str]]:
    """Name and code of every example."""
    for name in benchmark.__all__:
        thing: Any = getattr(benchmark, name)
        inner = {k: v for k, v in vars(thing).items() if inspect.isfunction(v)} if inspect.isclass(thing) else {}
        for title, one in {name: thing, **{f"{name}.{key}": value for key, value in inner.items()}}.items():
            for block in BLOCK.findall(inspect.getdoc(one) or ""):
                yield title, textwrap.dedent(block)


@pytest.fixture
def here(workspace: Path, tmp_path: Path, tiny_submission: Submission, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the published ledger, a tiny workspace under its usual name, and a tiny submission."""
    folder = tmp_path / "here"
    shutil.copytree(ROOT / "leaderboard", folder / "leaderboard")
    workspace.rename(folder / "karyobench-workspace")
    mine = folder / "submissions" / "my-net"
    shutil.copytree(tiny_submission.folder, mine)
    (mine / "submission.yaml").write_text(
        "name: my-net\ntitle: My Net\npaper: https://example.org\nlicense: MIT\nmodel: {factory: 'model.py:build'}\n"
    )
    monkeypatch.chdir(folder)
    monkeypatch.delenv("KARYOBENCH_WORKSPACE", raising=False)
    return folder


@pytest.mark.slow
def test_every_example_runs(here: Path) -> None:
    names = []
    for name, block in examples():
        names.append(name)
        exec(compile(block, f"the example of {name}", "exec"), {})
    functions = {name for name in benchmark.__all__ if name.islower() and name != "__version__"}
    assert functions | {"Data.part"} == set(names)
