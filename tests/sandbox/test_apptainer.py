"""The command line, and what follows from how it ends: a script stands for Apptainer, and runs what it is told.

Exit codes and messages are those that Apptainer 1.4.5 was seen to give.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import InputError
from benchmark.sandbox.apptainer import IMAGE, LIMITS, ApptainerSandbox, command
from benchmark.sandbox.base import Limits

ROOT = Path(__file__).parents[2]

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
        ("sys.exit(128 + 9)", "infrastructure", "killed"),
        ("sys.exit(128 + 15)", "infrastructure", "killed"),
        ("sys.exit(128 + 11)", "model-failure", "crash"),
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


CGROUPS = "FATAL: container creation failed: cannot use cgroups - systemd not running as init on this host"


def test_limits_that_apptainer_cannot_keep_can_be_left_to_the_batch_system(
    apptainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = f"if any(w.startswith(('--pids', '--cpus', '--mem')) for w in words):\n    print({CGROUPS!r}); sys.exit(255)"
    limits = Limits(60, 1, memory=1 << 30)
    refused = apptainer(body).run(*folders(tmp_path), limits, lambda line: None)
    assert (refused.status, refused.kind) == ("infrastructure", "start")
    assert "cannot use cgroups" in refused.message and f"{LIMITS}=batch leaves limits to the batch" in refused.message
    monkeypatch.setenv(LIMITS, "batch")
    (tmp_path / "again").mkdir()
    outcome = apptainer(body).run(*folders(tmp_path / "again"), limits, lambda line: None)
    assert outcome.status == "finished" and outcome.details["limited_by"] == "batch"
    assert "--network=none" in command(Path("i"), Path("a"), Path("b"), limits), "the network is never left to anybody"
    monkeypatch.setenv(LIMITS, "nobody")
    with pytest.raises(InputError, match=rf"{LIMITS}: who limits a unit\?; found 'nobody'; allowed: apptainer, batch"):
        ApptainerSandbox().prepare()


def test_it_finds_the_users_session_and_the_unit_does_not(
    apptainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    monkeypatch.setenv("A_SECRET", "x")
    sandbox = apptainer("print(sorted(os.environ), os.environ['XDG_RUNTIME_DIR'], '--cleanenv' in words)")
    inputs, output = folders(tmp_path)
    assert sandbox.run(inputs, output, Limits(60, 1), lambda line: None).status == "finished"
    said = (output / "worker.log").read_text()
    assert "/run/user/7 True" in said and "A_SECRET" not in said


HARNESS = """
import sys
from pathlib import Path
from benchmark.sandbox.apptainer import ApptainerSandbox
from benchmark.sandbox.base import Limits
ApptainerSandbox().run(Path(sys.argv[1]), Path(sys.argv[2]), Limits(600, 1), lambda line: None)
"""


def test_a_container_ends_with_a_harness_that_is_killed(apptainer: Any, tmp_path: Path) -> None:
    apptainer("import time; open('begun', 'w').write(str(os.getpid())); time.sleep(600)")
    inputs, output = folders(tmp_path)
    harness = subprocess.Popen([sys.executable, "-c", HARNESS, str(inputs), str(output)], cwd=ROOT)
    until = time.monotonic() + 60
    while not (output / "begun").is_file() or not (output / "begun").read_text():
        assert time.monotonic() < until and harness.poll() is None
        time.sleep(0.02)
    pid = int((output / "begun").read_text())
    harness.kill()
    harness.wait()
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    left = alive(pid)
    if left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
