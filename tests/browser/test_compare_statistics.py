"""The comparison in the reader's browser is the statistics of `benchmark.stats`, to nine digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import stats

from benchmark.board import detail_model as d
from benchmark.board.pages.compare import tallies_file
from benchmark.board.pages.frame import STATIC
from benchmark.stats import secondary, verdict
from benchmark.stats.design import Design
from benchmark.stats.pseudo import Tally, macro, pseudo_values
from benchmark.stats.twoway import cluster_robust
from tests.board import made

pytestmark = pytest.mark.browser

SCRIPTS = ("common.js", "chance.js", "tallies.js", "crossed.js", "pigeonhole.js")
CLOSE = {"rel": 1e-9, "abs": 1e-12}

RUN = """async ({names, how}) => {
  const arm = (name) => Tallies.arm(KB.get(Tallies.name('pocket', name)), 'cir-g', 'two-step');
  let pair;
  try { pair = Tallies.pair(...names.map(arm)); }
  catch (error) { if (error instanceof Tallies.Refusal) return { refused: error.message }; throw error; }
  const test = Crossed.difference(pair);
  const bootstrap = await Pigeonhole.resample(pair, how);
  return {
    test, bootstrap, classes: Crossed.perClass(pair), needs: Crossed.needs(pair),
    scores: [pair.first, pair.second].map((one) => Crossed.score(pair, one)),
    macros: [pair.first, pair.second].map((one) => Crossed.macro(pair, one)),
    byClass: [pair.first, pair.second].map((one) => Crossed.byClass(pair, one)),
    verdict: Crossed.decide(pair, test, bootstrap), repeats: pair.repeats, blocks: pair.blocks,
  };
}"""


class Case(NamedTuple):
    """Two classifiers on one design; `absent` classes have no image, `rare` ones are held by one group."""

    repeats: int
    folds: tuple[int, ...]
    skills: tuple[float, float]
    absent: tuple[int, ...] = ()
    rare: tuple[int, ...] = ()


CASES = {
    "five folds": Case(2, (3, 3, 3, 3, 4), (0.9, 0.86)),
    "many cells": Case(4, (24, 24, 24, 24, 23), (0.93, 0.928)),
    "one fold": Case(7, (11,), (0.8, 0.75)),
    "one repeat": Case(1, (2, 2, 3, 2, 4, 2), (0.9, 0.85)),
    "a class without images": Case(3, (4, 5, 3), (0.85, 0.86), absent=(23,)),
    "a class of one group": Case(3, (4, 5, 3), (0.85, 0.8), rare=(5, 23)),
    "perfect and not": Case(2, (4, 4, 4), (1.0, 0.9)),
    "alike": Case(2, (3, 3, 3, 3, 4), (0.9, 0.9)),
    "too few trainings": Case(1, (8, 8), (0.9, 0.8)),
}


def tallies(name: str, case: Case, skill: float, manifest: str = "0", **changed: Any) -> d.Tallies:
    """Counts of one made-up classifier."""
    random = np.random.default_rng([*name.encode()])
    true = np.random.default_rng([1, *case.folds]).integers(1, 4, (sum(case.folds), 24))
    true[:, list(case.absent)] = 0
    true[1:, list(case.rare)] = 0
    hits = random.binomial(true, skill, (case.repeats, *true.shape))
    claimed = hits.copy()
    for place in np.argwhere(true - hits > 0):
        np.add.at(claimed[tuple(place[:2])], random.integers(0, 24, (true - hits)[tuple(place)]), 1)
    counts = d.Counts(
        target="cir-g", protocol="two-step", folds=case.folds, fold_numbers=tuple(range(len(case.folds))),
        repeats=tuple(range(case.repeats)), groups=len(true), hits=tuple(hits.ravel().tolist()),
        claimed=tuple(claimed.ravel().tolist()), true=tuple(true.ravel().tolist()),
    ).model_copy(update=changed)  # fmt: skip
    return d.Tallies(submission=name, track="pocket", manifests={"cir-g": manifest}, counts=(counts,))


def arm(found: d.Tallies) -> Tally:
    """The same for `benchmark.stats`."""
    (one,) = found.counts
    shape = (len(one.repeats), one.groups, 24)
    hits, claimed = (np.array(part, dtype=float).reshape(shape) for part in (one.hits, one.claimed))
    return Tally(hits, claimed, np.broadcast_to(np.array(one.true, dtype=float).reshape(shape[1:]), shape).copy())


def pair(case: Case) -> tuple[d.Tallies, d.Tallies]:
    return tallies("first", case, case.skills[0]), tallies("second", case, case.skills[1])


Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def tab_of_statistics(browser: Any) -> Iterator[Any]:
    """One tab with the scripts of the comparison; whatever it complains of fails the module."""
    page, complaints = browser.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for name in SCRIPTS:
        page.add_script_tag(content=(STATIC / name).read_text())
    yield page
    page.close()
    assert complaints == []


@pytest.fixture(scope="module")
def statistics(tab_of_statistics: Any) -> Run:
    """Compares two `Tallies` in the browser."""

    def run(first: d.Tallies, second: d.Tallies, **how: Any) -> dict[str, Any]:
        for found in (first, second):
            tab_of_statistics.evaluate(tallies_file(found)[1].decode())
        names = [first.submission, second.submission]
        found: dict[str, Any] = tab_of_statistics.evaluate(RUN, {"names": names, "how": how})
        return found

    return run


@pytest.fixture(scope="module")
def known(statistics: Run) -> dict[str, dict[str, Any]]:
    """Every case, compared once."""
    return {name: statistics(*pair(case)) for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_t_part_agrees_with_python(known: Any, name: str) -> None:
    case = CASES[name]
    first, second = pair(case)
    found = known[name]
    one, two, design = arm(first), arm(second), Design(case.repeats, case.folds)
    wanted = verdict.contrast(one, two, design, resamples=200)
    test = found["test"]
    assert (test["value"], test["se"], test["df"]) == pytest.approx((wanted.gain, wanted.se, wanted.df), **CLOSE)
    assert (test["low"], test["high"]) == pytest.approx((wanted.low, wanted.high), **CLOSE)
    assert (test["p"], test["smallest"]) == pytest.approx((wanted.p_test, wanted.smallest), **CLOSE)
    assert test["smallestMargin"] == pytest.approx(wanted.smallest_margin, **CLOSE)
    assert found["needs"] == wanted.needs
    assert found["macros"] == pytest.approx([float(macro(a).mean()) for a in (one, two)], **CLOSE)


@pytest.mark.parametrize("name", CASES)
def test_equivalence_by_two_one_sided_tests_agrees_with_python(known: Any, name: str) -> None:
    case = CASES[name]
    first, second = pair(case)
    one, two = arm(first), arm(second)
    gain = float((macro(one) - macro(two)).mean())
    wanted = cluster_robust(gain, verdict.table_of_gains(one, two), Design(case.repeats, case.folds))
    assert known[name]["test"]["inside"] == pytest.approx(wanted.p_inside(0.005), **CLOSE)


@pytest.mark.parametrize("name", CASES)
def test_differences_by_class_agree_with_python(known: Any, name: str) -> None:
    case = CASES[name]
    first, second = pair(case)
    found = known[name]["classes"]
    wanted = secondary.per_class(arm(first), arm(second), Design(case.repeats, case.folds))
    assert [one["index"] for one in found] == [one.index for one in wanted]
    for key, name_in_python in (
        ("gain", "gain"),
        ("low", "low"),
        ("high", "high"),
        ("p", "p"),
        ("adjusted", "p_adjusted"),
    ):
        assert [one[key] for one in found] == pytest.approx([getattr(o, name_in_python) for o in wanted], **CLOSE), key


@pytest.mark.parametrize("name", ["five folds", "one fold", "many cells"])
def test_the_interval_of_a_score_is_that_of_the_board(known: Any, name: str) -> None:
    case = CASES[name]
    first, _ = pair(case)
    counts = arm(first)
    value = float(macro(counts).mean())
    wanted = cluster_robust(value, pseudo_values(counts), Design(case.repeats, case.folds))
    score = known[name]["scores"][0]
    assert (score["value"], score["low"], score["high"]) == pytest.approx((value, *wanted.interval()), **CLOSE)


def test_arms_that_are_alike_everywhere_are_equivalent(statistics: Any) -> None:
    first = tallies("first", CASES["five folds"], 0.9)
    found = statistics(first, first.model_copy(update={"submission": "second"}))
    assert found["verdict"] == {"name": "equivalent", "p": 1, "inside": pytest.approx(1e-4)}
    assert (found["test"]["low"], found["test"]["value"], found["test"]["high"]) == (0, 0, 0)


@pytest.mark.parametrize("name", ["five folds", "one fold", "alike", "one repeat", "a class of one group"])
def test_the_bootstrap_agrees_with_python_within_its_own_chance(known: Any, name: str) -> None:
    case = CASES[name]
    first, second = pair(case)
    design = Design(case.repeats, case.folds)
    python = [verdict.contrast(arm(first), arm(second), design, seed=seed) for seed in range(8)]
    found = known[name]["bootstrap"]
    for key, attribute in (("p", "p_bootstrap"), ("low", "bootstrap_low"), ("high", "bootstrap_high")):
        values = [getattr(one, attribute) for one in python]
        assert abs(found[key] - np.mean(values)) <= 5 * np.std(values, ddof=1) + 2e-4, key


def test_verdicts_agree_with_python(known: Any) -> None:
    names = set()
    for name, case in CASES.items():
        first, second = pair(case)
        contrast = verdict.contrast(arm(first), arm(second), Design(case.repeats, case.folds))
        (wanted,) = verdict.decide([contrast])
        assert known[name]["verdict"]["name"] == wanted.name, name
        names.add(wanted.name)
    assert {"better", "undecided", "withheld"} <= names


def test_the_same_link_shows_the_same_figures_and_swapping_turns_the_sign(statistics: Any) -> None:
    first, second = pair(CASES["five folds"])
    once, again, swapped = statistics(first, second), statistics(first, second), statistics(second, first)
    assert once == again
    assert swapped["test"]["value"] == -once["test"]["value"]
    assert swapped["bootstrap"]["p"] == once["bootstrap"]["p"]
    assert swapped["bootstrap"]["low"] == pytest.approx(-once["bootstrap"]["high"], rel=1e-12)


def test_only_common_folds_and_repeats_are_paired(statistics: Any) -> None:
    case = Case(3, (3, 4, 2, 5), (0.9, 0.8))
    whole, other = pair(case)
    (counts,) = other.counts
    shape = (3, 14, 24)
    columns = [*range(3, 7), *range(9, 14)]  # folds 1 and 3
    cut = {
        part: tuple(np.array(getattr(counts, part)).reshape(shape)[[0, 2]][:, columns].ravel().tolist())
        for part in ("hits", "claimed")
    }
    true = tuple(np.array(counts.true).reshape(shape[1:])[columns].ravel().tolist())
    partial = counts.model_copy(
        update=cut | {"true": true, "folds": (4, 5), "fold_numbers": (1, 3), "groups": 9, "repeats": (0, 2)}
    )
    found = statistics(whole, other.model_copy(update={"counts": (partial,)}), resamples=200)
    assert (found["repeats"], found["blocks"]) == (2, [4, 5])
    one, two = (Tally(*(part[[0, 2]][:, columns] for part in arm(each))) for each in (whole, other))
    assert found["test"]["value"] == pytest.approx(float((macro(one) - macro(two)).mean()), **CLOSE)
    wanted = verdict.contrast(one, two, Design(2, (4, 5)), resamples=200)
    assert found["test"]["se"] == pytest.approx(wanted.se, **CLOSE)


@pytest.mark.parametrize(
    ("changed", "manifest", "sentence"),
    [
        ({}, "1", "different versions of the data set"),
        ({"fold_numbers": (5, 6, 7, 8, 9)}, "0", "no fold in common"),
        ({"fold_numbers": (), "folds": (4, 3, 3, 3, 3)}, "0", "no fold in common"),
        ({"repeats": (7, 8)}, "0", "no repeat in common"),
    ],
)
def test_what_is_not_of_the_same_images_is_refused(statistics: Any, changed: Any, manifest: str, sentence: str) -> None:
    case = CASES["five folds"]
    first = tallies("first", case, 0.9)
    found = statistics(first, tallies("second", case, 0.9, manifest, **changed))
    assert sentence in found["refused"]


def test_groups_that_hold_other_images_are_refused(statistics: Any) -> None:
    case = CASES["five folds"]
    first, second = pair(case)
    (counts,) = second.counts
    more = counts.model_copy(update={"true": (counts.true[0] + 1, *counts.true[1:])})
    found = statistics(first, second.model_copy(update={"counts": (more,)}))
    assert found == {"refused": "The groups of the two hold different images."}


def test_one_group_gives_a_named_error_and_no_number(statistics: Any) -> None:
    found = statistics(*pair(Case(6, (1,), (0.9, 0.5))))
    assert found == {
        "refused": "Both were tested on one group only (two or more are needed): nothing can be said of others."
    }


def test_students_t_agrees_with_scipy(tab_of_statistics: Any) -> None:
    grid = [
        (t, df)
        for df in (1, 2, 3, 5, 9, 15, 19, 60, 118, 999)
        for t in (-40, -3.3, -1, -1e-3, 0, 1e-4, 0.2, 1, 2, 5, 12, 80)
    ]
    found = tab_of_statistics.evaluate("(grid) => grid.map(([t, df]) => Chance.tAbove(t, df))", grid)
    assert found == pytest.approx([float(stats.t.sf(*one)) for one in grid], rel=1e-9, abs=1e-300)
    parts = [(part, df) for df in (1, 2, 5, 9, 19, 118) for part in (0.5, 0.8, 0.9, 0.975, 0.9999)]
    found = tab_of_statistics.evaluate("(grid) => grid.map(([part, df]) => Chance.tQuantile(part, df))", parts)
    assert found == pytest.approx([float(stats.t.ppf(*one)) for one in parts], rel=1e-9, abs=1e-12)


def test_adjusted_p_values_agree_with_python(tab_of_statistics: Any) -> None:
    values = [0.01, 0.5, 0.01, 0.04, 1.0, 0.2, 0.003]
    found = tab_of_statistics.evaluate("(values) => Chance.benjaminiHochberg(values)", values)
    assert found == pytest.approx(stats.false_discovery_control(values).tolist(), rel=1e-12)


def test_draws_are_even(tab_of_statistics: Any) -> None:
    counts = tab_of_statistics.evaluate("""() => {
      const below = Chance.generator(5);
      const [into, sums] = [new Float64Array(7), new Float64Array(7)];
      for (let k = 0; k < 20000; k += 1) { Chance.multinomial(below, into); into.forEach((n, at) => { sums[at] += n; }); }
      return [...sums];
    }""")
    assert sum(counts) == 140_000
    assert stats.chisquare(counts).pvalue > 1e-4


def test_the_counts_of_a_file_are_those_that_went_in(tab_of_statistics: Any) -> None:
    whole = made.tallies("a", 0.7, repeats=3)
    tab_of_statistics.evaluate(tallies_file(whole)[1].decode())
    for counts in whole.counts:
        found = tab_of_statistics.evaluate(
            """([target, protocol]) => {
              const one = Tallies.arm(KB.get('tallies/pocket/a'), target, protocol);
              return [one.hits, one.claimed, one.truth].map((part) => [...part]);
            }""",
            [counts.target, counts.protocol],
        )
        assert found == [list(counts.hits), list(counts.claimed), list(counts.true)]


@pytest.mark.slow
def test_a_large_comparison_takes_less_than_two_seconds(tab_of_statistics: Any) -> None:
    first, second = pair(Case(4, (24, 24, 24, 24, 23), (0.93, 0.928)))
    for found in (first, second):
        tab_of_statistics.evaluate(tallies_file(found)[1].decode())
    seconds = tab_of_statistics.evaluate(f"""async () => {{
      const started = performance.now();
      await ({RUN})({{names: ['first', 'second'], how: {{}}}});
      return (performance.now() - started) / 1000;
    }}""")
    assert seconds < 2
