"""The process sandbox with real children; their worker is replaced by a few lines of Python."""

import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.sandbox import Limits, Outcome, ProcessSandbox, hosts
from benchmark.sandbox import process as module

PLACE = """
import sys, types
module = types.ModuleType("benchmark.training.worker")
def main(arguments):
    sys.argv = ["worker", *arguments]
    exec(CODE, {"__name__": "worker"})
    return 0
CODE = {code!r}
module.main = main
import benchmark.training
sys.modules["benchmark.training.worker"] = benchmark.training.worker = module
import runpy
sys.argv = ["host"]
runpy.run_module("benchmark.start_worker", run_name="__main__")
"""
"""A host whose worker is some lines of Python."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs some Python code in place of the worker."""
    monkeypatch.setattr(module, "POLL", 0.01)
    real, sandbox, closed = hosts.subprocess.Popen, ProcessSandbox(), ProcessSandbox(closed=True)

    def go(
        code: str, seconds: float = 20.0, output: Path | None = None, network: bool = True
    ) -> tuple[Outcome, list[dict[str, Any]]]:
        output = output or tmp_path / "output"
        output.mkdir()
        lines: list[dict[str, Any]] = []
        text = PLACE.replace("{code!r}", repr(code))
        monkeypatch.setattr(hosts.subprocess, "Popen", lambda command, **kw: real([sys.executable, "-c", text], **kw))
        return (sandbox if network else closed).run(tmp_path, output, Limits(seconds, 1), lines.append), lines

    yield go
    sandbox.close()
    closed.close()


def test_a_good_end_is_measured(run: Any) -> None:
    outcome, lines = run(
        "import time\nblock = bytearray(80 * 1024 * 1024)\n"
        "print('{\"epoch\": 1}', file=open('log.jsonl', 'w'), flush=True)\ntime.sleep(0.1)"
    )
    assert outcome.status == "finished" and lines == [{"epoch": 1}]
    assert 0.1 <= outcome.seconds < 15 and outcome.peak_bytes > 80 * 1024 * 1024
    assert 0 < outcome.cpu_seconds < outcome.seconds, "sleeping costs no processor time"


def test_a_crash_is_the_models_failure_with_the_last_lines(run: Any) -> None:
    outcome, _ = run("raise SystemError('it broke here')")
    assert (outcome.status, outcome.kind) == ("model-failure", "crash") and "it broke here" in outcome.message


def test_a_crash_in_native_code_too(run: Any) -> None:
    outcome, _ = run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert (outcome.status, outcome.kind) == ("model-failure", "crash")


def test_a_named_failure_keeps_its_name(run: Any) -> None:
    text = '{"kind": "nan", "message": "in epoch 3", "epoch": 3}'
    outcome, _ = run(f"open('failure.json', 'w').write('{text}'); raise SystemExit(10)")
    assert (outcome.status, outcome.kind, outcome.message) == ("model-failure", "nan", "in epoch 3")


def test_every_failure_of_a_model_comes_with_the_last_lines_it_printed(run: Any, tmp_path: Path) -> None:
    text = '{"kind": "nan", "message": "in epoch 3", "epoch": 3}'
    outcome, _ = run(f"print('the last words'); open('failure.json', 'w').write('{text}'); raise SystemExit(10)")
    assert outcome.message == "in epoch 3\nthe last words"
    late = module._judge(-signal.SIGKILL, True, tmp_path / "output", Limits(7, 1))
    assert late == ("model-failure", "time-out", "not done after 7 s\nthe last words")


def test_a_failure_that_does_not_say_why_is_still_one(run: Any) -> None:
    outcome, _ = run("open('failure.json', 'w').write('[' * 100000); raise SystemExit(10)")
    assert (outcome.status, outcome.kind) == ("model-failure", "error")


def test_being_killed_from_outside_is_the_machines(run: Any) -> None:
    outcome, _ = run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert (outcome.status, outcome.kind) == ("infrastructure", "killed")


def test_a_full_disk_or_missing_gpu_is_the_machines(run: Any) -> None:
    outcome, _ = run("print('no such GPU'); raise SystemExit(11)")
    assert outcome.status == "infrastructure" and "no such GPU" in outcome.message


def test_too_slow_is_ended_and_said(run: Any) -> None:
    outcome, _ = run("import time; time.sleep(60)", seconds=0.3)
    assert (outcome.status, outcome.kind) == ("model-failure", "time-out") and outcome.seconds < 10


def test_what_the_unit_started_does_not_outlive_it(run: Any, tmp_path: Path) -> None:
    outcome, _ = run(
        "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('pid', 'w').write(str(child.pid))"
    )
    assert outcome.status == "finished"
    pid = int((tmp_path / "output" / "pid").read_text())
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the child is still running")


HUGE = Path("/sys/kernel/mm/transparent_hugepage/enabled")
GLIBC = tuple(int(part) for part in (platform.libc_ver()[1] or "0").split(".")) if sys.platform == "linux" else ()


@pytest.mark.skipif(
    GLIBC < (2, 35) or not HUGE.is_file() or "[never]" in HUGE.read_text(),
    reason="this system gives no huge pages to who asks, or its C library is too old to ask",
)
def test_what_a_unit_keeps_lies_in_huge_pages(run: Any, tmp_path: Path) -> None:
    outcome, _ = run(
        "from benchmark.allocator import keep_memory\nassert keep_memory()\n"
        "block = b'x' * (128 << 20)\n"
        "lines = open('/proc/self/smaps_rollup').read().splitlines()\n"
        "open('huge', 'w').write(next(line.split()[1] for line in lines if line.startswith('AnonHugePages')))"
    )
    assert outcome.status == "finished", outcome.message
    assert int((tmp_path / "output" / "huge").read_text()) > 100 << 10, "kB of a block of 128 MiB"


def test_only_a_few_variables_reach_the_unit(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    run("import os; open('env', 'w').write(repr(dict(os.environ)))")
    text = (tmp_path / "output" / "env").read_text()
    assert "secret" not in text and "'OMP_NUM_THREADS': '1'" in text and "'HF_HUB_OFFLINE': '1'" in text


def test_relative_folders_are_found_although_the_unit_runs_in_its_output(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "import sys, pathlib; sys.exit(0 if all(pathlib.Path(p).is_dir() for p in sys.argv[1:]) else 3)"
    outcome, _ = run(code, output=Path("output"))
    assert outcome.status == "finished", outcome.message


def test_a_host_that_is_killed_under_a_unit_is_the_machines_failure(run: Any) -> None:
    outcome, _ = run("import os, signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)")
    assert (outcome.status, outcome.kind) == ("infrastructure", "killed") and "host" in outcome.message


def test_junk_in_the_log_is_skipped(run: Any) -> None:
    _, lines = run("open('log.jsonl', 'w').write('junk\\n[1]\\n{\"epoch\": 2}\\n{\"cut')")
    assert lines == [{"epoch": 2}]


ORPHAN = """
import os, time
ready, told = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(told, str(os.getpid()).encode())
        time.sleep(600)
    os._exit(0)
open('left', 'wb').write(os.read(ready, 20))
"""


@pytest.mark.parametrize("ending", ["", "time.sleep(600)"])
def test_nothing_that_a_worker_started_outlives_it(run: Any, tmp_path: Path, ending: str) -> None:
    """A process in a session of its own, whose parents have ended; after a good end, and after a time-out."""
    outcome, _ = run(ORPHAN + ending, seconds=2.0 if ending else 20.0)
    assert outcome.kind == ("time-out" if ending else "")
    orphan = int((tmp_path / "output" / "left").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(orphan, 0)


NETWORK = "import json, socket\nopen('log.jsonl', 'w').write(json.dumps({'has': [n for _, n in socket.if_nameindex()]}) + '\\n')"


def test_a_closed_worker_has_no_network(run: Any, tmp_path: Path) -> None:
    code = "import sys; from benchmark.start_worker import leave_network; sys.exit(not leave_network())"
    if subprocess.run([sys.executable, "-c", code], check=False).returncode:
        pytest.skip("the kernel lets no process leave its network")
    outcome, lines = run(NETWORK, network=False)
    assert outcome.status == "finished" and lines == [{"has": ["lo"]}]
    _, lines = run(NETWORK, output=tmp_path / "open")
    assert lines == [{"has": [name for _, name in socket.if_nameindex()]}]
