"""Hosts with the real worker module: many units one after the other, each as if it were the first."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.sandbox import Limits, ProcessSandbox
from benchmark.sandbox.hosts import Host, HostDiedError, Servers

ECHO = (
    "import json, os, sys\n"
    "for line in sys.stdin:\n"
    "    unit = json.loads(line)['unit']\n"
    "    print(json.dumps({'unit': unit, 'pid': os.getpid()}), flush=True)\n"
    "    print(json.dumps({'unit': unit, 'status': 0, 'peak_bytes': 1}), flush=True)\n"
)


@pytest.fixture
def sandbox() -> Iterator[ProcessSandbox]:
    made = ProcessSandbox()
    yield made
    made.close()


def broken_unit(folder: Path) -> tuple[Path, Path]:
    """Inputs that the real worker refuses, saying which process it is."""
    (folder / "output").mkdir(parents=True)
    (folder / "job.json").write_text("{}")
    return folder, folder / "output"


def hosts_of(sandbox: ProcessSandbox) -> list[Host]:
    return list(sandbox._hosts.running.values())


def test_one_host_serves_unit_after_unit_and_ends_with_the_run(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    for number in range(3):
        outcome = sandbox.run(*broken_unit(tmp_path / str(number)), Limits(60, 1), lambda line: None)
        assert (outcome.status, outcome.kind) == ("infrastructure", "machine"), outcome.message
        assert "the job cannot be read" in (tmp_path / str(number) / "output" / "worker.log").read_text()
    [host] = hosts_of(sandbox)
    assert host.process.poll() is None
    sandbox.close()
    assert host.process.poll() == -signal.SIGKILL and not hosts_of(sandbox)


def test_other_threads_are_another_host(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    for threads in (1, 2):
        sandbox.run(*broken_unit(tmp_path / str(threads)), Limits(60, threads), lambda line: None)
    assert len(hosts_of(sandbox)) == 2


def test_a_free_host_that_died_is_replaced(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    sandbox.run(*broken_unit(tmp_path / "first"), Limits(60, 1), lambda line: None)
    [before] = hosts_of(sandbox)
    os.kill(before.process.pid, signal.SIGKILL)
    before.process.wait()
    outcome = sandbox.run(*broken_unit(tmp_path / "second"), Limits(60, 1), lambda line: None)
    assert outcome.kind == "machine" and hosts_of(sandbox) != [before]


def test_a_host_that_cannot_start_says_what_it_printed(
    sandbox: ProcessSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "torch.py"
    bad.write_text("raise ImportError('this torch is broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = sandbox.run(*broken_unit(tmp_path / "unit"), Limits(60, 1), lambda line: None)
    assert (outcome.status, outcome.kind) == ("infrastructure", "start")
    assert "this torch is broken" in outcome.message


def test_hosts_are_kept_by_their_environment(tmp_path: Path) -> None:
    made: list[dict[str, str]] = []

    class Echo(Host):
        def __init__(self, command: list[str], environment: dict[str, str]) -> None:
            made.append(environment)
            super().__init__([sys.executable, "-c", ECHO], environment)

    hosts = Servers(Echo, "not.asked.for")
    one, two = {"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2"}
    for environment in (one, one, two, one):
        taken, unit = hosts.start(environment, tmp_path, tmp_path)
        assert taken.workers == {unit: taken.process.pid}
        assert taken.poll(unit, 10.0) == {"unit": unit, "status": 0, "peak_bytes": 1}
        taken.forget(unit)
        assert not taken.workers
    assert made == [one, two]
    hosts.close()


def test_a_host_without_a_program_is_named() -> None:
    with pytest.raises(HostDiedError, match="nowhere"):
        Host(["/nowhere/python"], {})


def host_of(*lines: str) -> Host:
    """A host whose worker is some lines of Python."""
    body = "".join(f"    {line}\n" for line in lines)
    code = (
        "import os, sys, time, types\n"
        "module = types.ModuleType('benchmark.training.worker')\n"
        f"def main(arguments):\n{body}    return 0\n"
        "module.main = main\n"
        "import benchmark.training\n"
        "sys.modules['benchmark.training.worker'] = benchmark.training.worker = module\n"
        "import runpy\nsys.argv = ['host']\n"
        "runpy.run_module('benchmark.start_worker', run_name='__main__')\n"
    )
    return Host([sys.executable, "-c", code], {**os.environ, "KARYOBENCH_HARNESS": ""})


def test_units_that_run_at_once_are_of_one_host_and_end_on_their_own(tmp_path: Path) -> None:
    """So that they share the memory of what it has imported; each waits here for a file."""
    host = host_of("print(os.getppid(), flush=True)", "while not os.path.exists('go'): time.sleep(0.01)")
    outputs = [tmp_path / name for name in ("first", "second", "third")]
    try:
        for output in outputs:
            output.mkdir()
        units = [host.begin(tmp_path, output) for output in outputs]
        assert len({host.workers[unit] for unit in units}) == 3 and host.poll(units[0], 0.05) is None
        for place, status in ((1, 0), (0, 0), (2, int(signal.SIGKILL))):
            if status:
                os.kill(host.workers[units[place]], status)
            else:
                (outputs[place] / "go").touch()
            answer = host.poll(units[place], 30.0)
            assert answer is not None and answer["status"] == status and answer["peak_bytes"] > 1 << 20
        assert {(output / "worker.log").read_text() for output in outputs} == {f"{host.process.pid}\n"}
    finally:
        host.close()


def test_what_a_unit_leaves_in_memory_is_gone_for_the_next(tmp_path: Path) -> None:
    """Every unit is a fork of a host that has seen none."""
    host = host_of("sys.seen = getattr(sys, 'seen', 0) + 1", "open('seen', 'w').write(str(sys.seen))")
    pids = set()
    try:
        for number in range(3):
            output = tmp_path / str(number)
            output.mkdir()
            unit = host.begin(tmp_path, output)
            pids.add(host.workers[unit])
            answer = host.poll(unit, 30.0)
            assert answer is not None and answer["status"] == 0, (output / "worker.log").read_text()
            assert (output / "seen").read_text() == "1"
    finally:
        host.close()
    assert len(pids) == 3
