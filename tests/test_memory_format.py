"""Which memory format a submission trains in on this machine: asked once, kept, recorded and followed."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from benchmark import memory_format
from benchmark.campaign import Campaign
from benchmark.files import write_json
from benchmark.job import FORMATS, PROBE, MemoryFormat, Probe
from benchmark.memory_format import FEW, MemoryFormats, recorded
from benchmark.reproduce import Way, reproduce
from benchmark.sandbox import Limits, Outcome, Sandbox
from benchmark.sandbox.base import STOPPED, EpochReport
from benchmark.submission import Submission, load
from benchmark.track import Track
from tests.conftest import made_submission
from tests.test_reproduce import no_bar

FAST: dict[str, Any] = {"rounds": [{"channels_last": 1.0, "contiguous": 0.5}] * 3}
SLOW: dict[str, Any] = {"rounds": [{"channels_last": 1.0, "contiguous": 1.5}]}


class Told(Sandbox):
    """Answers every probe in the same way, and keeps what it was asked."""

    name: ClassVar[str] = "told"

    def __init__(self, answer: object = FAST, outcome: Outcome | None = None) -> None:
        super().__init__()
        self.answer, self.outcome = answer, outcome or Outcome("finished")
        self.asked: list[Probe] = []
        self.limits: list[Limits] = []

    def run(self, inputs: Path, output: Path, limits: Limits, report: EpochReport) -> Outcome:
        self.asked.append(Probe.model_validate_json((inputs / PROBE).read_text()))
        self.limits.append(limits)
        assert (inputs / "code").is_dir() and not list(output.iterdir())
        if self.answer is not None:
            (output / FORMATS).write_text(self.answer if isinstance(self.answer, str) else json.dumps(self.answer))
        return self.outcome


@pytest.fixture
def choose(tmp_path: Path, tiny_track: Track) -> Callable[..., MemoryFormat]:
    item = load("resnet50")

    def go(sandbox: Sandbox, key: str = "k", steps: int = FEW, **changes: Any) -> MemoryFormat:
        given = {"submission": item, "track": tiny_track, "device": "cpu", "threads": 1, **changes}
        return MemoryFormats(tmp_path).choose(key, steps, sandbox=sandbox, **given)

    return go


def kept(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "memory-formats.json").read_text())
    return found


@pytest.mark.parametrize(("answer", "choice"), [(FAST, "contiguous"), (SLOW, "channels-last")])
def test_it_is_measured_once_and_kept(choose: Any, tmp_path: Path, answer: dict[str, Any], choice: str) -> None:
    sandbox = Told(answer)
    assert [choose(sandbox, key) for key in "abc"] == [choice] * 3
    [asked] = sandbox.asked
    assert (asked.image_size, asked.recipe.batch_size, asked.device, asked.threads) == (32, 16, "cpu", 1)
    assert [(one.seconds, one.threads, one.device) for one in sandbox.limits] == [(30, 1, "cpu")], (
        "of the track's 300 s"
    )
    [line] = kept(tmp_path)["measured"].values()
    assert (line["submission"], line["choice"]) == ("resnet50", choice)
    assert line["seconds_a_step"] == answer["rounds"] and line["processor"]
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["memory-formats.lock"], "nothing is left"


def test_another_model_size_batch_device_or_number_of_threads_is_measured_anew(choose: Any, tiny_track: Track) -> None:
    sandbox, recipe = Told(), tiny_track.recipe
    small = tiny_track.preprocess.model_copy(update={"size": 48})
    changes: list[dict[str, Any]] = [
        {}, {"submission": load("densenet121")}, {"threads": 2}, {"device": "cuda:1"},
        {"track": tiny_track.model_copy(update={"preprocess": small})},
        {"track": tiny_track.model_copy(update={"recipe": recipe.model_copy(update={"batch_size": 8})})},
        {"track": tiny_track.model_copy(update={"recipe": recipe.model_copy(update={"precision": "bf16"})})},
    ]  # fmt: skip
    for _ in range(2):
        for change in changes:
            choose(sandbox, **change)
    assert len(sandbox.asked) == len(changes)
    choose(sandbox, track=tiny_track.model_copy(update={"recipe": recipe.model_copy(update={"epochs": 99})}))
    assert len(sandbox.asked) == len(changes), "how long it trains does not matter"


def test_another_processor_is_measured_anew(choose: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Told()
    for name in ("one", "other", "one"):
        monkeypatch.setattr(memory_format, "cpu_name", lambda name=name: name)
        choose(sandbox)
    assert len(sandbox.asked) == 2


def test_a_short_training_is_not_worth_it(choose: Any, tmp_path: Path) -> None:
    sandbox = Told()
    assert choose(sandbox, steps=FEW - 1) == "channels-last" and not sandbox.asked
    choose(sandbox)
    assert choose(sandbox, steps=FEW - 1) == "channels-last", "nor does it depend on who came first"


def test_units_that_follow_a_record_are_not_measured(choose: Any, tmp_path: Path) -> None:
    sandbox = Told(SLOW)
    MemoryFormats(tmp_path).follow({"a": "contiguous"})
    MemoryFormats(tmp_path).follow({"b": "channels-last"})
    assert [choose(sandbox, key, steps) for key in "ab" for steps in (1, FEW)] == ["contiguous"] * 2 + [
        "channels-last"
    ] * 2
    assert not sandbox.asked
    assert choose(sandbox, "c") == "channels-last" and len(sandbox.asked) == 1
    assert kept(tmp_path)["units"] == {"a": "contiguous", "b": "channels-last"}


def test_those_who_come_at_once_wait_for_one_probe(choose: Any) -> None:
    begun, go_on, answers = threading.Event(), threading.Event(), []

    class Waiting(Told):
        def run(self, *given: Any) -> Outcome:
            begun.set()
            assert go_on.wait(60)
            return super().run(*given)

    sandbox = Waiting()
    threads = [threading.Thread(target=lambda: answers.append(choose(sandbox))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert begun.wait(60)
    go_on.set()
    for thread in threads:
        thread.join()
    assert answers == ["contiguous"] * 3 and len(sandbox.asked) == 1


@pytest.mark.parametrize(("sandbox", "said"), [
    (Told(None, Outcome("model-failure", "bad-model", "no such layer\nprinted")), "bad-model: no such layer"),
    (Told(None), "no readable answer"), (Told("{"), "no readable answer"), (Told({"rounds": []}), "no readable answer"),
    (Told({"rounds": [{"channels_last": 1, "contiguous": -1}]}), "no readable answer"),
    (Told("x" * (1 << 15)), "no readable answer"),
])  # fmt: skip
def test_what_cannot_be_measured_is_channels_last_and_not_asked_again(
    choose: Any, tmp_path: Path, sandbox: Told, said: str
) -> None:
    sandbox.asked.clear()
    assert choose(sandbox) == choose(sandbox) == "channels-last" and len(sandbox.asked) == 1
    [line] = kept(tmp_path)["measured"].values()
    assert said in line["failed"]


@pytest.mark.parametrize("outcome", [STOPPED, Outcome("infrastructure", "killed", "ended from outside")])
def test_what_the_machine_did_is_not_kept(choose: Any, tmp_path: Path, outcome: Outcome) -> None:
    assert choose(Told(outcome=outcome)) == "channels-last" and not (tmp_path / "memory-formats.json").exists()
    assert choose(Told()) == "contiguous"


@pytest.mark.parametrize("content", ["{", "[]", '{"units": 3, "measured": []}', '{"measured": {"x": 1}}'])
def test_a_damaged_file_counts_as_empty(choose: Any, tmp_path: Path, content: str) -> None:
    (tmp_path / "memory-formats.json").write_text(content)
    assert choose(Told()) == "contiguous"


def test_records_from_before_are_channels_last() -> None:
    assert recorded({"environment": {}}) == recorded({"environment": None}) == recorded({}) == "channels-last"
    assert recorded({"environment": {"memory_format": ["x"]}}) == "channels-last"
    assert recorded({"environment": {"memory_format": "contiguous"}}) == "contiguous"


PICKY = """
import time

import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes, channels):
        super().__init__()
        self.first, self.last = nn.Conv2d(channels, 8, 3, stride=2), nn.Linear(8, classes)

    def forward(self, images):
        if self.training and images.is_contiguous(memory_format=torch.channels_last):
            time.sleep(0.05)
        return self.last(self.first(images).relu().mean((2, 3)))


def build(num_classes, in_chans, img_size):
    return Net(num_classes, in_chans)
"""


@pytest.mark.slow
def test_a_model_that_is_faster_contiguous_trains_so_and_comes_out_again_so(
    workspace: Path, tmp_path: Path, tiny_track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a real sandbox; the reproduction measures nothing and is the same to the bit."""
    (place := tmp_path / "own").mkdir()
    made = made_submission(place)
    made.code[0].write_text(PICKY)
    item = Submission(made.spec, made.folder, made.code)
    campaign = Campaign(workspace, tiny_track, [item])
    plan = campaign.plan(["scratch"], ["sim-q"])
    with monkeypatch.context() as patch:
        patch.setattr(memory_format, "FEW", 1)
        [(_, record)] = campaign.run(campaign.todo(plan), lambda unit, line: None)
    assert record["status"] == "scored"
    assert (record["environment"]["memory_format"], record["environment"]["layers"]) == ("contiguous", "library")
    [line] = kept(workspace)["measured"].values()
    assert line["choice"] == "contiguous" and len(line["seconds_a_step"]) == 3
    write_json(workspace / "memory-formats.json", {})
    [found] = reproduce(workspace, [record], Way(), no_bar, folders=[item.folder], fetch=False)
    assert (found["grade"], found["environment"]["memory_format"]) == ("bitwise", "contiguous")
