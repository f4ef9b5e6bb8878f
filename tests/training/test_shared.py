"""Units that take turns in one process: each must end as it does alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.job import FORMATS, MODEL_FAILED, PROBE, Formats, Job, Start
from benchmark.track import Augment, Recipe
from benchmark.training import worker
from benchmark.training.shared import Member, Room, Turns

SIDE = 32
VIT = {"timm": "test_vit", "kwargs": {"proj_drop_rate": 0.3}}
CNN = {"timm": "test_efficientnet", "kwargs": {"drop_rate": 0.3}}
RECIPE = Recipe(epochs=9, batch_size=16, lr=0.01, augment=Augment(rotate=10, noise=0.02))


@pytest.fixture
def unit(tmp_path: Path) -> Any:
    """Writes the folders of a unit; returns a request for it."""

    def go(number: int, place: str, model: dict[str, Any] = VIT, **changes: Any) -> dict[str, Any]:
        inputs, output = tmp_path / place / f"{number}", tmp_path / place / f"{number}-output"
        (inputs / "code").mkdir(parents=True)
        output.mkdir()
        random = np.random.default_rng(number)
        for name, count in (("train", 48), ("validation", 24), ("test", 30)):
            np.save(inputs / f"{name}.npy", random.integers(0, 255, (count, SIDE, SIDE), dtype=np.uint8))
            np.save(inputs / f"{name}_labels.npy", np.arange(count) % 24)
        spec = {**model, "image_size": {"min": 16}, "mean": [0.5] * 3, "std": [0.5] * 3}
        base: dict[str, Any] = {
            "key": "k", "seed": number, "model": spec, "classes": 24, "image_size": SIDE, "epochs": 2, "recipe": RECIPE,
            "start": Start(kind="random"), "device": "cpu", "threads": 1,
        }  # fmt: skip
        (inputs / "job.json").write_text(Job(**{**base, **changes}).model_dump_json())
        return {"unit": number, "inputs": str(inputs), "output": str(output)}

    return go


def all_of(turns: Turns) -> None:
    while not turns.idle:
        turns.round()


def turns(room: Room | None = None, clock: Any = None) -> tuple[Turns, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    return Turns(told.append, room or Room(None, lambda: 0), clock or (lambda: 0.0)), told


def test_each_ends_with_the_bits_that_it_has_alone(unit: Any) -> None:
    """Dropout and augmentation are drawn in turns; one comes later, one has more epochs."""
    several = [(1, VIT, {}), (2, CNN, {"epochs": 3}), (3, VIT, {})]
    together, told = turns()
    for number, model, changes in several[:2]:
        together.take(unit(number, "together", model, **changes))
    together.round()
    together.round()
    together.take(unit(3, "together", VIT))
    all_of(together)
    assert [one["status"] for one in told] == [0, 0, 0] and max(one["beside"] for one in told) == 3
    for number, model, changes in several:
        request = unit(number, "alone", model, **changes)
        assert worker.main([request["inputs"], request["output"]]) == 0
        alone, shared = (Path(request["output"].replace("alone", place)) for place in ("alone", "together"))
        assert (alone / "logits.npy").read_bytes() == (shared / "logits.npy").read_bytes()
        assert (alone / "model.safetensors").read_bytes() == (shared / "model.safetensors").read_bytes()


def test_a_probe_takes_its_turns_and_changes_nobodys_bits(unit: Any) -> None:
    together, told = turns()
    together.take(unit(1, "together"))
    asked = unit(2, "together", CNN)
    job = json.loads((Path(asked["inputs"]) / "job.json").read_text())
    for path in Path(asked["inputs"]).glob("*.*"):
        path.unlink()
    names = ("model", "classes", "image_size", "recipe", "device", "threads")
    (Path(asked["inputs"]) / PROBE).write_text(json.dumps({name: job[name] for name in names}))
    together.take(asked)
    all_of(together)
    assert {one["unit"]: (one["status"], one["beside"]) for one in told} == {1: (0, 2), 2: (0, 2)}
    assert Formats.model_validate_json((Path(asked["output"]) / FORMATS).read_text()).rounds
    alone, shared = unit(1, "alone"), Path(asked["output"]).parent / "1-output"
    assert worker.main([alone["inputs"], alone["output"]]) == 0
    assert (Path(alone["output"]) / "logits.npy").read_bytes() == (shared / "logits.npy").read_bytes()


def test_generators_of_the_process_are_left_as_they_were(unit: Any) -> None:
    together, _ = turns()
    together.take(unit(1, "together", CNN))
    torch.manual_seed(99)
    wanted = torch.rand(3)
    torch.manual_seed(99)
    all_of(together)
    assert torch.equal(torch.rand(3), wanted)


def test_the_failure_of_one_is_not_the_others(unit: Any) -> None:
    together, told = turns()
    together.take(unit(1, "together", {"timm": "no_such_network", "kwargs": {}}))
    together.take(unit(2, "together", CNN))
    all_of(together)
    assert {one["unit"]: one["status"] for one in told} == {1: MODEL_FAILED, 2: 0}
    failure = json.loads(
        (Path(unit(3, "x")["output"]).parents[1] / "together" / "1-output" / "failure.json").read_text()
    )
    assert "no_such_network" in failure["message"]


def test_seconds_are_shared_and_add_up_to_the_time_that_passed(unit: Any) -> None:
    seconds = iter(range(10_000))
    together, told = turns(clock=lambda: float(next(seconds)))
    for number in (1, 2):
        together.take(unit(number, "together", CNN))
    rounds = 0
    while not together.idle:
        together.round()
        rounds += 1
    assert sum(one["seconds"] for one in told) == pytest.approx(rounds), "a second a round, whoever is there"
    assert told[0]["seconds"] == pytest.approx(told[1]["seconds"], abs=1)


def test_a_unit_that_is_called_off_ends_without_an_answer_and_the_other_goes_on(unit: Any) -> None:
    together, told = turns()
    for number in (1, 2, 3):
        together.take(unit(number, "together", CNN))
    together.round()
    together.take({"cancel": 2})
    all_of(together)
    assert [one["unit"] for one in told] == [1, 3]


class OutOfMemory(Member):
    """Finds no room when others are there, or never."""

    never = False

    def advance(self) -> bool:
        if self.turns == 2 and (self.never or not self.alone):
            self.work._failed(torch.OutOfMemoryError("no room"))
            return False
        return super().advance()


@pytest.mark.parametrize("never", [False, True])
def test_who_finds_no_room_beside_others_is_trained_alone(unit: Any, never: bool) -> None:
    together, told = turns()
    small = unit(1, "together", CNN, epochs=3)
    together.take(small)
    large = OutOfMemory(unit(2, "together", CNN))
    large.never = never
    together.waiting.append(large)
    beside: list[set[int]] = []
    while not together.idle:
        together.round()
        beside.append({one.number for one in together.active})
    assert [one["unit"] for one in told] == [1, 2], "it waited for the other's end"
    assert beside.count({1, 2}) and {2} in beside
    status = {one["unit"]: one["status"] for one in told}
    assert status == {1: 0, 2: MODEL_FAILED if never else 0}
    output = large.output
    assert (output / "failure.json").exists() == never, "only a failure without others is a result"
    if not never:
        assert len((output / "log.jsonl").read_text().splitlines()) == 2, "the first attempt left nothing"


def test_a_device_that_serves_nobody_any_more_ends_the_process_and_blames_no_unit(unit: Any) -> None:
    together, told = turns()
    for number in (1, 2):
        together.take(unit(number, "together", CNN))
    together.round()
    member = together.active[0]
    member.work._rest = iter(())
    member.advance = lambda: member.work._failed(RuntimeError("CUDA error: illegal access"))  # type: ignore[method-assign,func-returns-value,assignment]
    with pytest.raises(RuntimeError, match="CUDA error"):
        together.round()
    assert told == []


class Memory:
    """A device of some bytes on which every unit takes what it takes at its fourth turn."""

    def __init__(self, size: int, each: int) -> None:
        self.size, self.each, self.taken = size, each, 0
        self.room = Room(lambda: self.size - self.taken, lambda: self.taken)


def test_units_join_as_long_as_measured_memory_lasts(unit: Any) -> None:
    memory = Memory(100, 20)
    together, told = turns(memory.room)
    most = 0

    class Taking(Member):
        def advance(self) -> bool:
            more = super().advance()
            if self.turns == 4:
                memory.taken += memory.each
            if not more:
                memory.taken -= memory.each
            return more

    for number in range(1, 8):
        together.waiting.append(Taking(unit(number, "together", CNN, epochs=12)))
    while not together.idle:
        together.round()
        most = max(most, len(together.active))
        assert memory.taken <= memory.size
    assert most == 4, "five would fill it to the last byte, and a fifth of what one takes is kept free"
    assert len(told) == 7 and all(one["status"] == 0 for one in told)
