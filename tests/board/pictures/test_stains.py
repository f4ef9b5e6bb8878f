from itertools import product

import pytest

from benchmark.board.model import Gain
from benchmark.board.pictures.stains import Both, stains
from tests.board import made


def gain(verdict: str = "better", **changed: object) -> Gain:
    found = made.row(0, "cir-g", 1).results["two-step"].gain
    assert found is not None
    return found.model_copy(update={"verdict": verdict, **changed})


@pytest.mark.parametrize(
    ("q", "g", "group"),
    [
        ("better", "better", "better on both"),
        ("better", "undecided", "better on one"),
        ("withheld", "better", "better on one"),
        ("equivalent", "withheld", "no difference shown"),
        ("worse", "better", "worse on one or both"),
        ("undecided", "worse", "worse on one or both"),
    ],
)
def test_two_verdicts_are_said_together_and_a_loss_outweighs_a_gain(q: str, g: str, group: str) -> None:
    assert Both("net", gain(q), gain(g)).group == group


def test_names_axes_and_groups_are_text_and_the_bytes_the_same() -> None:
    verdicts = ("better", "worse", "equivalent")
    found = [Both(f"Net {q} {g}", gain(q), gain(g, value=-0.02 + 0.01 * i)) for i, (q, g) in enumerate(product(verdicts, repeat=2))]  # fmt: skip
    pictures = stains(found, 40, "A note.", ("one (Q-band)", "two (G-band)"))
    assert pictures == stains(found, 40, "A note.", ("one (Q-band)", "two (G-band)"))
    svg = pictures["svg"].decode()
    for text in ("gain on one (Q-band), points", "gain on two (G-band), points", "better on both", "worse on one or both", "A note.", "Net better better"):  # fmt: skip
        assert text in svg


def test_a_gain_without_an_interval_is_a_point() -> None:
    bare = gain(low=None, high=None, interval="none", verdict="withheld")
    assert b"no difference shown" in stains([Both("net", bare, bare)], 40)["svg"]
