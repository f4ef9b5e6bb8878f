from typing import Any

import pytest

from benchmark.findings import summary
from benchmark.results import Results

LONG = "imagenet-long[b]"
SIZES = {"source": 300, "tiny": 100}


@pytest.fixture
def chained(maker: Any) -> Any:
    """Two-step over `a` and over `b`, of one size, and the control that both share under the name of `b`."""

    def arm(name: str, skill: float, epochs: int = 10, source: bool = False) -> None:
        for repeat in range(2):
            for fold in range(5):
                parent = None
                if source:
                    maker.add(
                        "imagenet", fold, repeat, target=name, epochs=10, train_images=SIZES["source"], parent=None
                    )
                    parent = maker.ledger.records()[-1]["key"]
                maker.add(name, fold, repeat, skill, epochs=epochs, train_images=SIZES["tiny"], parent=parent)

    arm("imagenet", 0.6)
    arm("two-step[a]", 0.9, source=True)
    arm("two-step[b]", 0.9, source=True)
    return arm


def rows(maker: Any) -> dict[str, Any]:
    found = summary(Results(maker.ledger))
    return next(row for row in found if row["target"] == "tiny")["protocols"]


def test_a_control_of_equal_length_serves_both_chains(chained: Any, maker: Any) -> None:
    chained(LONG, 0.6, epochs=40)
    found = rows(maker)
    assert list(found) == ["imagenet", "two-step[a]", "two-step[b]", "imagenet-long[a]", LONG]
    assert [found[f"two-step[{name}]"]["gain"]["transfer"] for name in "ab"] == ["yes", "yes"]
    assert found["imagenet-long[a]"]["macro_f1"] == found[LONG]["macro_f1"]


def test_a_control_of_another_length_serves_only_its_own(chained: Any, maker: Any) -> None:
    chained(LONG, 0.6, epochs=39)
    found = rows(maker)
    assert "imagenet-long[a]" not in found
    assert [found[f"two-step[{name}]"]["gain"]["transfer"] for name in "ab"] == ["not tested", "yes"]


def test_protocols_over_named_sources_are_exploratory_and_leave_the_tracks_family_alone(
    chained: Any, maker: Any
) -> None:
    maker.fill(two_step=0.9)
    before = rows(maker)["two-step"]["gain"]
    assert (before["exploratory"], before["adjustment"], before["family"]) == (False, "Holm", 1)
    other = rows(maker)["two-step[a]"]["gain"]
    assert (other["exploratory"], other["adjustment"], other["verdict"]) == (True, "Benjamini-Hochberg", "better")
    assert "two-step training (a)" in other["sentence"] and other["sentence"].startswith("Exploratory: ")
