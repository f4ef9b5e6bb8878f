"""The command line, and what follows from how it ends. No Apptainer is here: a script stands for it, and runs what it is told."""

import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import InputError
from benchmark.sandbox.apptainer import IMAGE, ApptainerSandbox, command
from benchmark.sandbox.base import Limits

STAND_IN = """#!{python}
import os, sys
words = sys.argv[1:]
binds = dict(reversed(word.removeprefix("--bind=").split(":")[:2]) for word in words if word.startswith("--bind="))
kept = dict(word.removeprefix("--env=").split("=", 1) for word in words if word.startswith("--env="))
os.chdir(binds["/output"])
os.environ.update(kept)
{body}
"""


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "worker.sif"
    path.write_bytes(b"an image")
    monkeypatch.setenv(IMAGE, str(path))
    return path


@pytest.fixture
def apptainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: Path) -> Any:
    """Sets what happens in a container."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(body: str) -> ApptainerSandbox:
        (folder / "apptainer").write_text(STAND_IN.format(python=sys.executable, body=body))
        (folder / "apptainer").chmod(0o755)
        return ApptainerSandbox()

    return make


def folders(tmp_path: Path) -> tuple[Path, Path]:
    inputs, output = tmp_path / "inputs", tmp_path / "output"
    inputs.mkdir()
    output.mkdir()
    return inputs, output


def test_the_command_shows_the_unit_its_two_folders_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    words = command(Path("/i/worker.sif"), Path("/a/in"), Path("/a/out"), Limits(60, 2, memory=1 << 30, processes=99))
    assert words[:2] == ["apptainer", "exec"]
    for wanted in (
        "--containall", "--cleanenv", "--no-home", "--no-privs", "--net", "--network=none", "--pids-limit=99", "--cpus=2",
        f"--memory={1 << 30}", f"--memory-swap={1 << 30}", "--env=OMP_NUM_THREADS=2", "--env=HF_HUB_OFFLINE=1",
    ):  # fmt: skip
        assert wanted in words, wanted
    assert [word for word in words if word.startswith("--bind")] == [
        "--bind=/a/in:/inputs:ro",
        "--bind=/a/out:/output:rw",
    ]
    assert words[-7:] == ["/i/worker.sif", "python3", "-P", "-m", "benchmark.start_worker", "/inputs", "/output"]
    assert "--nv" not in words and not any("CUDA" in word and "VISIBLE" in word for word in words)


@pytest.mark.parametrize(
    ("device", "leased", "seen"), [("cuda:3", "", "3"), ("cuda", "GPU-1,GPU-2", "GPU-1"), ("cuda", "", None)]
)
def test_a_unit_sees_the_gpu_that_was_leased(
    device: str, leased: str, seen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", leased)
    words = command(Path("i"), Path("a"), Path("b"), Limits(60, 1, device=device))
    assert "--nv" in words
    assert [word for word in words if "CUDA_VISIBLE" in word] == (
        [f"--env=CUDA_VISIBLE_DEVICES={seen}"] if seen else []
    )
    assert ApptainerSandbox().inside(device) == "cuda"


def test_a_unit_that_is_done_is_reported_epoch_by_epoch(apptainer: Any, tmp_path: Path) -> None:
    inputs, output = folders(tmp_path)
    sandbox = apptainer(
        "assert kept['OMP_NUM_THREADS'] == '1' and os.listdir(binds['/inputs']) == ['job.json']\n"
        "open('log.jsonl', 'w').write('{\"epoch\": 1}\\n{\"epoch\": 2}\\n')\nprint('hello')"
    )
    (inputs / "job.json").write_text("{}")
    lines: list[dict[str, Any]] = []
    outcome = sandbox.run(inputs, output, Limits(60, 1), lines.append)
    assert (outcome.status, lines) == ("finished", [{"epoch": 1}, {"epoch": 2}])
    assert (output / "worker.log").read_text() == "hello\n" and outcome.details["image"].startswith("sha256:")


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ("sys.exit(3)", "model-failure", "crash"),
        ("sys.exit(11)", "infrastructure", "machine"),
        ("print('FATAL: no network'); sys.exit(255)", "infrastructure", "start"),
        ("os.kill(os.getpid(), 9)", "infrastructure", "killed"),
        ("import time; time.sleep(600)", "model-failure", "time-out"),
    ],
)
def test_how_it_ended_tells_whose_fault_it_was(
    apptainer: Any, tmp_path: Path, body: str, status: str, kind: str
) -> None:
    inputs, output = folders(tmp_path)
    outcome = apptainer(body).run(inputs, output, Limits(2 if "sleep" in body else 60, 1), lambda line: None)
    assert (outcome.status, outcome.kind) == (status, kind), outcome
    assert "no network" in outcome.message or kind != "start"


def test_a_run_that_is_interrupted_ends_its_containers(apptainer: Any, tmp_path: Path) -> None:
    inputs, output = folders(tmp_path)
    sandbox = apptainer("import time; open('begun', 'w'); time.sleep(600)")

    def stop() -> None:
        while not (output / "begun").exists():
            pass
        sandbox.stop()

    threading.Thread(target=stop, daemon=True).start()
    assert sandbox.run(inputs, output, Limits(600, 1), lambda line: None).kind == "stopped"


def test_what_is_missing_is_said_before_anything_runs(
    apptainer: Any, tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = apptainer("")
    sandbox.prepare()
    with pytest.raises(InputError, match=r"no image of the worker.*apptainer build"):
        ApptainerSandbox(tmp_path / "none.sif").prepare()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="apptainer is not installed"):
        sandbox.prepare()
    inputs, output = folders(tmp_path)
    assert sandbox.run(inputs, output, Limits(1, 1), lambda line: None).kind == "input"
