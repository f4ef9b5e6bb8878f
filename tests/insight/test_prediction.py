from typing import Any

import pytest

from benchmark.insight.prediction import links, predict
from benchmark.insight.schema import Distance, Link


def distance(first: str, second: str, value: float) -> Distance:
    return Distance(measure="kid", first=first, second=second, value=value, low=value, high=value)


def link(source: str, target: str, gain: float) -> Link:
    return Link(source=source, target=target, gain=gain, submissions=1)


def test_the_ledger_gives_the_gain_of_every_source_and_target(maker: Any) -> None:
    for target, source, skill in (("tiny", "other", 0.9), ("other", "tiny", 0.7)):
        for arm, own, chain in (
            ("imagenet", 0.6, ["ImageNet", target]), ("two-step", skill, ["ImageNet", source, target]),
        ):  # fmt: skip
            for name in ("net", "new"):
                for fold in range(5):
                    maker.add(arm, fold, skill=own, name=name, target=target, chain=chain)
    maker.add("two-step", 0, name="alone", chain=["ImageNet", "third", "tiny"])
    found = links(maker.ledger, "t")
    assert [(one.source, one.target, one.submissions) for one in found] == [("other", "tiny", 2), ("tiny", "other", 2)]
    assert found[0].gain == pytest.approx(0.29, abs=0.08) and found[1].gain == pytest.approx(0.1, abs=0.08)
    assert links(maker.ledger, "another track") == []


def test_with_too_few_pairs_there_is_a_sentence_and_no_number() -> None:
    found = predict([link("a", "b", 0.1), link("b", "a", 0.2), link("a", "z", 0.1)], [distance("a", "b", 1)], 0)
    assert found.correlations == () and len(found.links) == 3
    assert "holds 2 of the at least 4 pairs" in found.sentence and "(a → b, b → a)" in found.sentence
    assert "holds 0 of the at least 4" in predict([], [], 0).sentence


def test_with_enough_it_is_the_rank_correlation_with_an_exact_p() -> None:
    pairs = [
        ("a", "b", 1.0, 0.5),
        ("a", "c", 2.0, 0.4),
        ("a", "d", 3.0, 0.3),
        ("b", "c", 4.0, 0.2),
        ("b", "d", 5.0, 0.1),
    ]
    found = predict([link(a, b, gain) for a, b, _, gain in pairs], [distance(b, a, d) for a, b, d, _ in pairs], 0)
    [one] = found.correlations
    assert one.rho == pytest.approx(-1) and one.p == pytest.approx(2 / 120)
    assert "over 5 pairs" in found.sentence and "-1.00" in found.sentence


def test_equal_distances_correlate_with_nothing() -> None:
    pairs = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c")]
    found = predict([link(a, b, n / 10) for n, (a, b) in enumerate(pairs)], [distance(a, b, 1) for a, b in pairs], 0)
    assert found.correlations[0].rho == 0 and found.correlations[0].p == 1
