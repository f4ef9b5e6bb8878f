import subprocess
import sys

import pytest

from benchmark import engine as engines
from benchmark.engine import Entry, LocalEngine, Options
from benchmark.errors import InputError


def test_local_is_there_without_any_extra() -> None:
    assert engines.load("local") is LocalEngine


def test_an_unknown_engine_is_one_error_that_names_those_there_are() -> None:
    with pytest.raises(InputError, match=r"no such engine; found 'kubernetes'; allowed: local, ray"):
        engines.load("kubernetes")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.ENGINES, "ray", Entry("benchmark.engine.ray", "RayEngine", "no_such_package"))
    with pytest.raises(InputError, match=r"pip install 'karyobench\[ray\]'"):
        engines.load("ray")


def test_an_engine_refuses_a_setting_that_it_does_not_know() -> None:
    with pytest.raises(InputError, match="the engine local has no such setting"):
        LocalEngine(1, options=Options(settings={"partition": "gpu"}))


def test_no_engines_package_is_imported_before_it_is_chosen() -> None:
    code = "import sys, benchmark.campaign; print([m for m in ('ray', 'submitit', 'fsspec') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
