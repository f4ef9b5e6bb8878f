"""Whose network it is: judged from prints; that they are taken from code is tested in test_prints and test_structure."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmark.errors import InfrastructureError, InputError
from benchmark.proposal import copies as module
from benchmark.proposal.copies import common_size, copies, same, same_weights
from benchmark.proposal.prints import Print
from benchmark.submission import Spec, Submission, Weights

HUB, REVISION, HASH, OTHER = "timm/resnet18.a1_in1k", "1" * 40, "a" * 64, "b" * 64


def made(name: str, weights: dict | None = None, size: dict | None = None) -> Submission:
    model = {"timm": "resnet18", "image_size": size or {"min": 32}}
    plain = {"name": name, "title": name, "paper": "https://example.org", "license": "MIT", "model": model}
    return Submission(Spec.model_validate(plain | ({"weights": weights} if weights else {})), Path(name), ())


@pytest.fixture
def prints(monkeypatch: pytest.MonkeyPatch) -> dict[str, Print]:
    """What a sandbox would tell, by name."""
    told: dict[str, Print] = {}

    def take(submissions: Sequence[Submission], image_size: int, sandbox: str) -> dict[str, Print]:
        return {one.name: told[one.name] for one in submissions}

    monkeypatch.setattr(module, "take", take)
    return told


def test_prints_are_the_same_by_graph_or_by_answer() -> None:
    one = Print(graph="g", training="t", answer=(1.0, 2.0), parameters=5)
    assert same(one, one.model_copy(update={"answer": None, "parameters": 6}))
    other = one.model_copy(update={"graph": "h"})
    assert same(one, other.model_copy(update={"answer": (1.0, 2.0 + 1e-7)}))
    assert not same(one, other.model_copy(update={"answer": (1.0, 2.0 + 1e-5)}))
    assert not same(one, other.model_copy(update={"answer": None}))
    assert not same(one, other.model_copy(update={"parameters": 6}))
    assert not same(one, other.model_copy(update={"answer": (1.0, 2.0, 3.0)}))
    assert not same(one, Print(error="cannot be built")) and not same(Print(error="x"), Print(error="x"))


def test_weights_are_the_same_by_hash_else_by_place() -> None:
    pinned = Weights(hub=HUB, revision=REVISION, sha256=HASH)
    assert same_weights(None, None) and not same_weights(pinned, None)
    assert same_weights(pinned, Weights(hub=HUB))
    assert same_weights(pinned, Weights(hub="timm/resnet18.tv_in1k", revision=REVISION, sha256=HASH))
    assert not same_weights(pinned, Weights(hub=HUB, revision=REVISION, sha256=OTHER))
    assert not same_weights(Weights(hub=HUB), Weights(hub="timm/resnet18.tv_in1k"))


@pytest.mark.parametrize(
    ("own", "other", "training", "level", "says"),
    [
        (None, None, "t", "error", "a copy: this is the network of old-net (5 parameters) with no weights of its own"),
        (None, {"hub": HUB}, "t", "error", "with no weights of its own"),
        ({"hub": HUB}, {"hub": HUB}, "t", "error", "with the same weights"),
        ({"hub": HUB}, {"hub": HUB}, "u", "warning", "trained otherwise"),
        ({"hub": "timm/resnet18.tv_in1k"}, {"hub": HUB}, "t", "warning", "from other weights"),
        ({"hub": HUB}, None, "t", "warning", "from other weights"),
    ],
)  # fmt: skip
def test_what_a_copy_is(prints, own, other, training, level, says) -> None:
    prints["old-net"] = Print(graph="g", training="t", parameters=5)
    prints["far-net"] = Print(graph="h", training="t", parameters=5)
    prints["new-net"] = Print(graph="g", training=training, parameters=5)
    (found,), unknown = copies(made("new-net", own), [made("old-net", other), made("far-net", own)])
    assert unknown == []
    assert (found.other, found.level) == ("old-net", level) and says in found.text


def test_a_network_that_cannot_be_built_is_an_error_of_its_own(prints) -> None:
    prints["new-net"] = Print(error="fails on 64 x 64 images")
    prints["old-net"] = Print(graph="g")
    with pytest.raises(InputError, match="fails on 64 x 64 images"):
        copies(made("new-net"), [made("old-net")])
    assert copies(made("new-net"), []) == ([], [])


def test_one_old_submission_that_cannot_be_built_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(submissions: Sequence[Submission], image_size: int, sandbox: str) -> dict[str, Print]:
        if "bad-net" in [one.name for one in submissions]:
            raise InputError("ended its process")
        return {one.name: Print(graph="g", training="t") for one in submissions}

    monkeypatch.setattr(module, "take", take)
    found = copies(made("new-net"), [made("bad-net"), made("old-net")])
    assert [one.other for one in found.copies] == ["old-net"] and found.unknown == ["bad-net"]


def test_a_machine_that_fails_is_no_fault_of_the_submission(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(*_: object) -> dict[str, Print]:
        raise InfrastructureError("no daemon")

    monkeypatch.setattr(module, "take", take)
    with pytest.raises(InfrastructureError):
        copies(made("new-net"), [made("old-net")])


def test_a_submission_with_packages_of_its_own_is_built_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def take(submissions: Sequence[Submission], image_size: int, sandbox: str) -> dict[str, Print]:
        asked.append({one.name for one in submissions})
        return {one.name: Print(graph=one.name) for one in submissions}

    monkeypatch.setattr(module, "take", take)
    (tmp_path / "requirements.txt").write_text("")
    special = made("special-net")
    special = Submission(special.spec, tmp_path, (tmp_path / "requirements.txt",))
    assert copies(made("new-net"), [made("a-net"), special, made("b-net")]) == ([], [])
    assert asked[0] == {"new-net"} and sorted(map(sorted, asked[1:])) == [["a-net", "b-net"], ["special-net"]]


@pytest.mark.parametrize(
    ("size", "side"),
    [({"min": 32}, 64), ({"min": 96}, 96), ({"min": 32, "max": 48}, 32), ({"min": 28, "multiple_of": 14}, 70)],
)
def test_the_size_of_comparison_is_one_that_it_takes(size: dict, side: int) -> None:
    assert common_size(made("x", size=size)) == side
