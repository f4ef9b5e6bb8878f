import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark import start_worker
from benchmark.job import MACHINE_FAILED
from benchmark.start_worker import PARENT
from benchmark.training import kernels

CHILD = (
    "import os, sys, time\nfrom benchmark.start_worker import die_with_parent\n"
    "die_with_parent()\nprint('alive', flush=True)\ntime.sleep(60)\n"
)
HARNESS = (
    "import subprocess, sys, time\n"
    f"child = subprocess.Popen([sys.executable, '-c', {CHILD!r}], stdout=subprocess.PIPE, start_new_session=True)\n"
    "child.stdout.readline()\nprint(child.pid, flush=True)\ntime.sleep(60)\n"
)


def gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux only")
def test_a_worker_ends_with_a_harness_that_is_killed() -> None:
    harness = subprocess.Popen([sys.executable, "-c", HARNESS], stdout=subprocess.PIPE, text=True)
    assert harness.stdout is not None
    worker = int(harness.stdout.readline())
    assert not gone(worker)
    harness.kill()
    harness.wait()
    deadline = time.monotonic() + 10
    while not gone(worker) and time.monotonic() < deadline:
        time.sleep(0.02)
    left = not gone(worker)
    if left:
        os.kill(worker, signal.SIGKILL)
    assert not left


def test_a_worker_whose_harness_is_gone_already_does_not_start() -> None:
    code = "from benchmark.start_worker import die_with_parent\ndie_with_parent()\nprint('started')"
    for parent, started in ((str(os.getpid()), True), ("1", os.getpid() == 1), ("", True)):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, PARENT: parent},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ("started" in done.stdout) == started and (done.returncode == 0) == started


def test_without_a_named_harness_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from benchmark.start_worker import die_with_parent\ndie_with_parent()\nprint('started')"
    monkeypatch.delenv(PARENT, raising=False)
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "started\n"
    )


def test_an_image_without_what_every_unit_needs_is_no_units_fault(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.13: cannot open shared object file')\n")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    command = [sys.executable, "-P", "-m", "benchmark.start_worker", str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == MACHINE_FAILED == start_worker.MACHINE_FAILED
    assert "libcudart.so.13" in done.stderr


@pytest.mark.parametrize("name", ["job.json", "probe.json"])
@pytest.mark.parametrize(("job", "compiled"), [
    ('{"device": "cpu"}', 1), ('{"device": "cuda:0"}', 0), ("{", 0), (None, 0),
])  # fmt: skip
def test_a_host_compiles_before_it_forks_for_a_processor(
    name: str, job: str | None, compiled: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(kernels, "loops", lambda: calls.append(1))
    if job is not None:
        (tmp_path / name).write_text(job)
    start_worker._compile_for(tmp_path)
    assert len(calls) == compiled
