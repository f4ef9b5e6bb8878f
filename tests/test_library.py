"""What `from benchmark import ...` gives, and what `import benchmark` costs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import benchmark

HEAVY = ("torch", "timm", "scipy", "sklearn", "numpy", "matplotlib", "ray", "fsspec", "docker", "pydantic", "typer")
PUBLISHED = Path(__file__).parents[1] / "leaderboard"


def loaded(code: str) -> list[str]:
    """The heavy packages that some code imports, in a new process."""
    code = f"import sys, json\n{code}\nprint(json.dumps(sorted(set({HEAVY!r}) & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert loaded("import benchmark; benchmark.__version__; dir(benchmark)") == []
    assert loaded("from benchmark import KaryoError") == []


def test_no_name_brings_torch_and_a_dataset_no_statistics() -> None:
    names = [name for name in benchmark.__all__ if name != "__version__"]
    found = loaded(f"from benchmark import {', '.join(names)}")
    assert not {"torch", "timm", "ray", "fsspec", "matplotlib"} & set(found)
    assert "scipy" not in loaded("from benchmark import dataset")


def test_every_name_is_there_is_documented_and_is_no_module() -> None:
    modules = {path.stem for path in Path(benchmark.__file__).parent.iterdir()}
    for name in benchmark.__all__:
        found: Any = getattr(benchmark, name)
        assert name in dir(benchmark) and (name == "__version__" or found.__doc__)
        assert name not in modules, "a submodule that is imported would take the place of the name"


def test_functions_say_what_they_take_raise_and_look_like() -> None:
    functions = [getattr(benchmark, name) for name in benchmark.__all__ if name.islower() and name != "__version__"]
    assert len(functions) == 8
    for function in functions:
        for part in ("Args:", "Example:") + (("Raises:",) if function is not benchmark.columns else ()):
            assert part in function.__doc__, f"{function.__name__} has no {part}"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'benchmark' has no attribute 'verdicts'"):
        _ = benchmark.verdicts
    with pytest.raises(ImportError):
        from benchmark import verdicts  # type: ignore[attr-defined] # noqa: F401 (must fail)
