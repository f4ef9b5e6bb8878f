"""Units that take turns in one process, as the sandbox sees them."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.job import Job, Start
from benchmark.sandbox import Limits, Outcome, ProcessSandbox, hosts
from benchmark.sandbox import process as module
from benchmark.track import Recipe

SIDE = 32

STAND_IN = """
import json, sys, time
print("a word before the end", file=sys.stderr, flush=True)
for line in sys.stdin:
    request = json.loads(line)
    if "cancel" in request:
        continue
    name = request["inputs"].rsplit("/", 1)[1]
    if name == "dies":
        sys.exit(3)
    if name != "endless":
        print(json.dumps({"unit": request["unit"], "status": 0, "seconds": 0.5, "peak_bytes": 7, "beside": 2}), flush=True)
"""
"""Answers every unit at once but one called `endless`; ends at one called `dies`."""


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessSandbox]:
    monkeypatch.setattr(module, "POLL", 0.01)
    made = ProcessSandbox(share=True)
    yield made
    made.close()


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    real = hosts.subprocess.Popen
    monkeypatch.setattr(hosts.subprocess, "Popen", lambda command, **kw: real([sys.executable, "-c", STAND_IN], **kw))


@pytest.fixture
def run(sandbox: ProcessSandbox, tmp_path: Path) -> Callable[..., Outcome]:
    def go(name: str, seconds: float = 60.0) -> Outcome:
        inputs, output = tmp_path / name, tmp_path / f"{name}-output"
        (inputs / "code").mkdir(parents=True, exist_ok=True)
        output.mkdir(exist_ok=True)
        return sandbox.run(inputs, output, Limits(seconds, 1), lambda line: None)

    return go


def test_an_answer_becomes_an_outcome(stand_in: None, run: Callable[..., Outcome]) -> None:
    outcome = run("one")
    assert (outcome.status, outcome.seconds, outcome.peak_bytes) == ("finished", 0.5, 7)
    assert outcome.details == {"beside": 2} and outcome.energy_joules is None


def test_one_that_takes_too_long_is_ended_and_the_others_are_not(
    stand_in: None, run: Callable[..., Outcome], sandbox: ProcessSandbox
) -> None:
    sandbox.jobs = 2
    started = time.monotonic()
    outcome = run("endless", seconds=0.2)
    assert (outcome.status, outcome.kind) == ("model-failure", "time-out")
    assert time.monotonic() - started >= 0.4, "the limit is of a unit alone; two share the device"
    assert run("other").status == "finished"
    [trainer] = sandbox._trainers.running.values()
    assert trainer.process.poll() is None and not trainer._answers


def test_the_end_of_the_process_is_the_machines_failure_of_all_and_the_next_unit_has_a_new_one(
    stand_in: None, run: Callable[..., Outcome], sandbox: ProcessSandbox
) -> None:
    with ThreadPoolExecutor() as pool:
        first = pool.submit(run, "endless")
        while not sandbox._trainers.running:
            time.sleep(0.01)
        second = pool.submit(run, "dies")
        ended = [first.result(timeout=30), second.result(timeout=30)]
    assert {(one.status, one.kind) for one in ended} == {("infrastructure", "killed")}
    assert all("a word before the end" in one.message for one in ended)
    assert [one.details for one in ended] == [{"beside": 2}] * 2, "nobody knows which of them it was"
    assert run("other").status == "finished"
    assert run("dies").details == {"beside": 1}, "one that was alone is to blame"


def test_an_interrupted_run_ends_it(stand_in: None, run: Callable[..., Outcome], sandbox: ProcessSandbox) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(run, "endless") for _ in range(2)]
        while not sandbox._trainers.running:
            time.sleep(0.01)
        sandbox.stop()
        assert {one.result(timeout=30).kind for one in waiting} == {"stopped"}
    [trainer] = sandbox._trainers.running.values()
    assert trainer.process.poll() == -signal.SIGKILL


def write_unit(folder: Path, code: bool = False) -> tuple[Path, Path]:
    inputs, output = folder / "inputs", folder / "output"
    (inputs / "code").mkdir(parents=True)
    output.mkdir()
    random = np.random.default_rng(0)
    for name, count in (("train", 48), ("validation", 24), ("test", 30)):
        np.save(inputs / f"{name}.npy", random.integers(0, 255, (count, SIDE, SIDE), dtype=np.uint8))
        np.save(inputs / f"{name}_labels.npy", np.arange(count) % 24)
    model: dict[str, Any] = {"timm": "test_efficientnet", "kwargs": {}}
    if code:
        (inputs / "code" / "model.py").write_text("import timm\ndef build(num_classes, in_chans, img_size):\n"
            "    return timm.create_model('test_efficientnet', num_classes=num_classes)\n")  # fmt: skip
        model = {"factory": "model.py:build"}
    job = Job(
        key="k", seed=1, model={**model, "image_size": {"min": 16}, "mean": [0.5] * 3, "std": [0.5] * 3}, classes=24,
        image_size=SIDE, epochs=2, recipe=Recipe(epochs=2, batch_size=16, lr=0.01), start=Start(kind="random"),
        device="cpu", threads=1,
    )  # fmt: skip
    (inputs / "job.json").write_text(job.model_dump_json())
    return inputs, output


def test_real_units_share_one_process_and_one_with_code_of_its_own_does_not(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """And all three give the same logits."""
    lines: list[Any] = []
    folders = [write_unit(tmp_path / name, code=name == "own") for name in ("first", "second", "own")]
    outcomes: dict[int, Outcome] = {}

    def go(number: int) -> None:
        outcomes[number] = sandbox.run(*folders[number], Limits(300, 1), lines.append)

    threads = [threading.Thread(target=go, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcomes[number].status for number in range(3)] == ["finished"] * 3, outcomes
    assert [outcomes[number].details.get("beside") for number in range(3)] in ([2, 2, None], [1, 2, None], [2, 1, None])
    assert len(sandbox._trainers.running) == 1 and len(sandbox._hosts.running) == 1
    written = [(output / "logits.npy").read_bytes() for _, output in folders]
    assert written[0] == written[1] == written[2]
    assert len(lines) == 6, "a line an epoch of each"
    assert not sandbox.shares("cuda", code=True) and ProcessSandbox().shares("cuda:1", code=False)
    assert not ProcessSandbox().shares("cpu", code=False)


def test_it_ends_with_its_harness(sandbox: ProcessSandbox, stand_in: None, run: Callable[..., Outcome]) -> None:
    run("one")
    [trainer] = sandbox._trainers.running.values()
    sandbox.close()
    assert trainer.process.poll() == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(trainer.process.pid, 0)
