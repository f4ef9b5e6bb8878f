from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmark.insight.adistance import ADistance
from benchmark.insight.compare import Comparison, decide, number
from benchmark.insight.frechet import Frechet
from benchmark.insight.kernel import Kernel
from benchmark.insight.measure import Measure

MEASURES: list[Callable[[Any, Any], Measure]] = [Frechet, Kernel, ADistance]


def compared(make: Any, clustered: Any, shifts: tuple[float, ...], shared: float = 1.0) -> Comparison:
    """Q, G and natural images with means that differ by so much."""
    made = [clustered(seed, groups=16, mean=shift, shared=shared) for seed, shift in enumerate(shifts)]
    measure = make([x for x, _ in made], [g for _, g in made])
    return Comparison(measure, ["q", "g", "natural"], [16] * 3, 300, 0, lambda: None)


@pytest.mark.parametrize("make", MEASURES)
def test_planted_domains_are_ordered_and_the_claim_holds(make: Any, clustered: Any) -> None:
    found = compared(make, clustered, (0.0, 0.7, 3.5))
    assert found.of("q", "g").value < found.of("natural", "g").value <= found.of("q", "natural").value
    claim = found.claim("q", "g")
    assert claim.verdict == "holds" and 0 < claim.low < claim.value < claim.high
    assert "are closer to each other than either is to natural images" in claim.sentence
    assert all(floor.mean < found.of("q", "natural").value for floor in found.floors) and len(found.floors) == 3


def test_stains_farther_apart_than_photographs_refute_the_claim(clustered: Any) -> None:
    claim = compared(Kernel, clustered, (0.0, 4.0, 0.5)).claim("q", "g")
    assert claim.verdict == "does not hold" and claim.high < 0 and "are not closer" in claim.sentence


@pytest.mark.parametrize("make", MEASURES)
def test_one_source_for_all_decides_nothing(make: Any, clustered: Any) -> None:
    claim = compared(make, clustered, (0.0, 0.0, 0.0)).claim("q", "g")
    assert claim.verdict == "not decided" and claim.low < 0 < claim.high and "cannot be said" in claim.sentence


def test_a_distance_at_its_end_for_all_decides_nothing(clustered: Any) -> None:
    claim = compared(ADistance, clustered, (0.0, 50.0, 100.0), shared=0.1).claim("q", "g")
    assert claim.value == claim.low == claim.high == 0 and claim.verdict == "not decided"


def test_distances_carry_intervals_that_hold_them_and_repeat(clustered: Any) -> None:
    one, again = (compared(Kernel, clustered, (0.0, 1.0, 3.0)).distances() for _ in range(2))
    assert one == again and [(d.first, d.second) for d in one] == [("q", "g"), ("q", "natural"), ("g", "natural")]
    assert all(d.low < d.value < d.high for d in one)


def test_verdicts_and_numbers() -> None:
    assert [decide(0.1, 1), decide(-1, -0.1), decide(0, 1)] == ["holds", "does not hold", "not decided"]
    assert [number(v) for v in (0.0, -0.01234, 0.000061, 1.2345, 123.4, 2874.2)] == [
        "0", "−0.0123", "0.0001", "1.23", "123", "2,874",
    ]  # fmt: skip
    assert not np.isnan(float(number(1e-9)))
