"""What is sent to the daemon: the worker's import closure, and not one file more."""

from __future__ import annotations

import ast
import fnmatch
import io
import re
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path

import pytest

from benchmark import resources
from benchmark.sandbox import context
from benchmark.sandbox.image import ENTRYPOINT, USER

ROOT = Path(__file__).parents[2]
SECRET = ("*.csv", "*label*", "*.jsonl", "*.npy", "*.npz", "card.yaml", "secret*")
OUTSIDE = ("cli", "board", "data/importers", "ledger", "scoring", "sandbox", "engine", "insight", "plan", "campaign")


def module(file: str) -> str:
    """`benchmark/data/card.py` as `benchmark.data.card`."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def test_exactly_what_the_worker_imports_is_sent() -> None:
    code = (
        "import benchmark.start_worker, benchmark.training.worker, sys\n"
        "print(*(name for name in sys.modules if name.split('.')[0] == 'benchmark'))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert {module(name) for name in context.worker_files()} == set(done.stdout.split()), "mend .dockerignore"


def imported(tree: ast.AST) -> set[str]:
    """Modules that the statements in a tree import, with `from package import module` spelled out; not those for types alone."""
    found = set()
    typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    skipped = {id(inner) for node in typing for statement in node.body for inner in ast.walk(statement)}
    for node in (node for node in ast.walk(tree) if id(node) not in skipped):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_what_is_imported_late_is_sent_too() -> None:
    files = context.worker_files()
    sent = {module(name) for name in files}
    ours = {module(path.relative_to(ROOT).as_posix()) for path in (ROOT / "benchmark").rglob("*.py")}
    for name, content in files.items():
        assert imported(ast.parse(content)) & ours <= sent, f"{name} imports what the image does not have"


def test_every_package_that_the_worker_imports_is_required() -> None:
    provided = metadata.packages_distributions()
    found = set()
    for file, content in context.worker_files().items():
        tree = ast.parse(content)
        if not file.startswith("benchmark/training/"):  # what these import late is for the harness's side
            tree.body = [one for one in tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
        top = {name.split(".")[0] for name in imported(tree)} - set(sys.stdlib_module_names)
        found |= {context.normal(one) for name in top - {"benchmark"} for one in provided.get(name, [name])}
    assert found == set(context.WORKER_PACKAGES)


def test_no_label_no_manifest_and_nothing_of_the_other_side_is_sent() -> None:
    names = list(context.worker_files())
    assert not [name for name in names if any(fnmatch.fnmatch(Path(name).name, pattern) for pattern in SECRET)]
    assert not [name for name in names if name.removeprefix("benchmark/").startswith(OUTSIDE)]
    assert all(name.startswith("benchmark/") and name.endswith(".py") for name in names)


def test_the_allow_list_is_one_for_docker_too() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*" and all(line.startswith("!") for line in lines[1:])
    assert lines[1:] == sorted(lines[1:])


def test_requirements_are_the_ranges_of_the_package() -> None:
    lines = [
        "Torch>=2.5",
        "timm >= 1.0.12",
        "numba>=0.60",
        "llvmlite >= 0.43",
        "numpy>=1.26; python_version >= '3.11'",
        'ruff>=1; extra == "dev"',
        "rich>=13",
    ]
    lines += ["pydantic[email]>=2.7", "PyYAML>=6,<7", "safetensors~=0.4", "scipy!=1.13"]
    assert context.requirements(lines) == [
        "llvmlite>=0.43", "numba>=0.60", "numpy>=1.26", "pydantic[email]>=2.7", "PyYAML>=6,<7", "safetensors~=0.4", "timm>=1.0.12", "Torch>=2.5",
    ]  # fmt: skip
    assert [re.split("[<>=]", line)[0] for line in context.requirements()] == list(context.WORKER_PACKAGES)


def test_hash_follows_every_part(monkeypatch: pytest.MonkeyPatch) -> None:
    before = context.worker_hash()
    assert before == context.worker_hash() and len(before) == 64
    files = context.worker_files()
    monkeypatch.setattr(context, "worker_files", lambda: {**files, "benchmark/job.py": b"changed"})
    changed = context.worker_hash()
    monkeypatch.setattr(context, "worker_files", lambda: {**files, "benchmark/new.py": b""})
    added = context.worker_hash()
    monkeypatch.setattr(context, "worker_files", lambda: files)
    monkeypatch.setattr(context, "requirements", lambda: ["torch>=9"])
    assert len({before, changed, added, context.worker_hash()}) == 4


def test_context_depends_on_names_and_contents_only() -> None:
    first = context.packed({"b": b"2", "a/x.py": b"1"}).read()
    assert first == context.packed({"a/x.py": b"1", "b": b"2"}).read()
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        assert [(e.name, e.mode, e.mtime, e.uid) for e in archive] == [("a/x.py", 0o644, 0, 0), ("b", 0o644, 0, 0)]


def test_files_are_found_in_a_wheel_before_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "benchmark"
    (package / "_shipped").mkdir(parents=True)
    monkeypatch.setattr(resources, "PACKAGE", package)
    assert context.shipped_file("Dockerfile") == tmp_path / "Dockerfile"
    (package / "_shipped" / "Dockerfile").touch()
    assert context.shipped_file("Dockerfile") == package / "_shipped" / "Dockerfile"


DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_dockerfile_names_a_tag_and_no_digest() -> None:
    assert re.fullmatch(r"pytorch/pytorch:\S+-runtime", context.default_base())
    assert "@" not in DOCKERFILE and "sha256" not in DOCKERFILE


def test_dockerfile_ends_as_a_user_who_is_not_root_and_at_the_worker() -> None:
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert re.findall(r"^USER (\S+)$", last, re.MULTILINE)[-1] == USER
    assert f"ENTRYPOINT {ENTRYPOINT}".replace("'", '"') in last


def test_what_pip_is_told_stays_in_a_stage_that_is_not_kept() -> None:
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert "PIP_" not in last and "pip install" not in last
    steps = [line.split()[0] for line in last.splitlines() if re.match("[A-Z]+ ", line)]
    assert "RUN" not in steps[steps.index("ARG") :], "an argument before RUN would be kept in the history"
