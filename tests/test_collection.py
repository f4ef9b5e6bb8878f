"""The processes that share the tests out refuse to start when they do not all see the same tests in the same order."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def collected(folder: Path, seed: int, plugins: bool = True) -> list[str]:
    """Ids of all tests below a folder, as a new process with a hash seed of its own sees them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    if not plugins:
        kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder)],
        cwd=folder, env=kept | {"PYTHONHASHSEED": str(seed)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    return [line for line in done.stdout.splitlines() if "::" in line]


def by_file(ids: list[str]) -> list[str]:
    """Ids, file after file: files come in the order in which somebody names them."""
    return sorted(ids, key=lambda one: one.partition("::")[0])


@pytest.mark.slow
def test_every_process_sees_the_same_tests_in_the_same_order(request: pytest.FixtureRequest) -> None:
    """This process is the first, where it runs the suite; where it runs a few tests only, another one is."""
    own = [item.nodeid for item in request.session.items]
    first = own if len(own) > 1000 else collected(ROOT, 1)
    chosen = set(first)
    assert len(first) > 1000
    assert by_file([one for one in collected(ROOT, 2) if one in chosen]) == by_file(first), (
        "an id or its place hangs on the moment, the hash seed or the process"
    )


@pytest.mark.parametrize("values", ["[time.time()]", "[os.getpid()]", "sorted('abcdefgh', key=hash)"])
def test_ids_that_change_would_be_noticed(tmp_path: Path, values: str) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_odd.py").write_text(
        f"import os, time, pytest\n@pytest.mark.parametrize('x', {values})\ndef test_it(x): pass\n"
    )
    first = collected(tmp_path, 1, plugins=False)
    time.sleep(0.01)
    assert first and collected(tmp_path, 2, plugins=False) != first
