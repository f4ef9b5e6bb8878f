import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from benchmark.stats import general
from benchmark.stats.design import Design
from benchmark.stats.general import Answer, Cell, answer
from benchmark.stats.generator import MILD, Effects, Experiment, count, simulate
from benchmark.stats.pseudo import Tally, macro

BLOCKS = (4, 4, 4)
DESIGN = Design(3, BLOCKS)
CLASSES, IMAGES = 2, 20


def experiments(seed: int, n: int, gain: float = 0.0, effects: Effects = MILD) -> list[Experiment]:
    """Submissions tested on the images of the first: what is right stays right."""
    random = np.random.default_rng(seed)
    found = [simulate(random, DESIGN.repeats, BLOCKS, effects, gain) for _ in range(n)]
    truth = found[0].truth
    return [
        Experiment(truth, e.group, *(np.where(arm == e.truth, truth, arm) for arm in (e.arm, e.baseline)))
        for e in found
    ]


def simulated(target: str, seed: int, n: int = 3, gain: float = 0.0) -> list[Cell]:
    found = []
    for i, e in enumerate(experiments(seed, n, gain)):
        arms = [count(e.truth, e.group, arm, DESIGN.groups) for arm in (e.arm, e.baseline)]
        found.append(Cell(f"s{i}", "new" if i % 2 else "old", target, *arms))
    return found


def counted(hits: np.ndarray) -> Tally:
    """Two classes of IMAGES each; what is not right is taken for the other class."""
    both = np.repeat(hits[..., None], CLASSES, axis=-1).astype(np.float64)
    return Tally(both, both + (IMAGES - both)[..., ::-1], np.full(both.shape, float(IMAGES)))


def cell(name: str, target: str, more: np.ndarray | float, family: str = "all", design: Design = DESIGN) -> Cell:
    """An arm that has `more` images of each class right than its baseline: a gain of more / IMAGES."""
    base = np.full((design.repeats, design.groups), 10.0)
    return Cell(name, family, target, counted(base + more), counted(base))


def named(found: list[Answer]) -> dict[str, Answer]:
    assert len({one.question for one in found}) == len(found)
    return {one.question: one for one in found}


def test_value_is_the_mean_difference_of_scikit_learns_macro_f1() -> None:
    differences = [
        np.mean([f1_score(e.truth, a, average="macro") - f1_score(e.truth, b, average="macro")])
        for e in experiments(0, 4, 0.5)
        for a, b in zip(e.arm, e.baseline, strict=True)
    ]
    found = answer(simulated("q", 0, 4, 0.5), {"q": DESIGN}, resamples=99)[0]
    assert found.question == "gain on q" and found.submissions == 4 and found.new_submissions
    assert found.value == pytest.approx(np.mean(differences), abs=1e-12)


def test_resampled_gains_are_those_of_weighted_images() -> None:
    """scikit-learn with each image as often as its training and its group were drawn."""
    e, cells = experiments(1, 1)[0], simulated("q", 1, 1)
    draws = general.draw({"q": DESIGN}, 4, 0)
    found = general.gains(cells, {"q": DESIGN}, draws)["q"].resampled[0]
    trainings, groups = draws["q"].trainings, draws["q"].groups
    assert trainings is not None and groups is not None
    block = np.repeat(np.arange(3), BLOCKS)
    for b in range(4):
        total = mass = 0.0
        for row in range(DESIGN.repeats):
            each = (trainings[b, row][block] * groups[b])[e.group]
            if each.sum() > 0:
                labels = np.unique(e.truth[each > 0])
                score = [
                    f1_score(e.truth, arm[row], labels=labels, average="macro", sample_weight=each, zero_division=0)
                    for arm in (e.arm, e.baseline)
                ]
                total, mass = total + (score[0] - score[1]) * each.sum(), mass + each.sum()
        assert found[b] == pytest.approx(total / mass, abs=1e-6)


def test_targets_of_one_shape_share_trainings_and_no_groups() -> None:
    designs = {"q": DESIGN, "g": Design(3, (4, 3, 5)), "other": Design(2, BLOCKS)}
    draws = general.draw(designs, 500, 0)
    assert np.array_equal(draws["q"].trainings, draws["g"].trainings)
    assert not np.array_equal(draws["q"].groups, draws["g"].groups)
    assert draws["other"].trainings.shape == (500, 2, 3)
    alone = general.draw({"g": designs["g"]}, 500, 0)["g"]
    assert np.array_equal(alone.trainings, draws["g"].trainings) and np.array_equal(alone.groups, draws["g"].groups)
    assert not np.array_equal(general.draw({"g": designs["g"]}, 500, 1)["g"].groups, alone.groups)


def test_every_draw_holds_images_and_the_right_number_of_each() -> None:
    design = Design(1, (1, 1))
    found = general.draw({"q": design}, 2000, 0)["q"]
    assert (found.trainings.sum((1, 2)) == 2).all() and (found.groups.sum(1) == 2).all()
    assert ((found.trainings[:, 0] * found.groups).sum(1) > 0).all()


def test_submissions_part_is_the_expanded_percentile_interval() -> None:
    """Trainings and groups that do not vary: the lowest mean of 3 drawn is the lowest of the 3, with chance 1/27."""
    more = np.array([1.0, 2.0, 6.0])
    found = answer([cell(f"s{i}", "q", m) for i, m in enumerate(more)], {"q": DESIGN}, resamples=999)[0]
    widening = math.sqrt(3 / 2) * 4.302653 / 1.959964  # t and normal quantiles of 0.975, from tables
    low, high = (3 + widening * (end - 3) for end in (1, 6))
    assert (found.value, found.low, found.high) == pytest.approx((3 / 20, low / 20, high / 20), abs=1e-6)


def test_few_submissions_that_differ_are_not_called_helped() -> None:
    """Gains of 3 submissions spread about zero; without the widening 25 % would be called different from it."""
    errors = 0
    for seed in range(200):
        own = np.random.default_rng(seed).normal(0, 3, 3)
        found = answer([cell(f"s{i}", "q", m) for i, m in enumerate(own)], {"q": DESIGN}, resamples=199, seed=seed)[0]
        errors += found.p <= 0.05
    assert errors / 200 <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 200)


def test_known_gain_is_covered() -> None:
    truth = np.mean([macro(c.arm).mean() - macro(c.baseline).mean() for c in simulated("q", 99, 150, 1.0)])
    covered = seen = 0
    for seed in range(40):
        found = answer(simulated("q", seed, 7, 1.0), {"q": DESIGN}, resamples=199, seed=seed)[0]
        covered += found.low <= truth <= found.high
        seen += found.low > 0
    assert truth > 0.02 and covered >= 36 and seen >= 30


def test_no_gain_is_seldom_called_one() -> None:
    p = []
    for seed in range(80):
        cells = simulated("q", seed, 2) + simulated("g", 1000 + seed, 2)
        p.append([one.p for one in answer(cells, {"q": DESIGN, "g": DESIGN}, resamples=99, seed=seed)[:3]])
    assert (np.mean(np.array(p) <= 0.05, axis=0) <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 80)).all()
    assert (np.mean(np.array(p) <= 0.5, axis=0) > 0.1).all()


def test_interval_and_p_value_agree() -> None:
    seen = set()
    for seed in range(40):
        for level in (0.8, 0.95):
            found = answer(simulated("q", seed, 3, 0.25), {"q": DESIGN}, resamples=199, level=level)
            for one in found:
                outside = not one.low <= 0 <= one.high
                assert outside == (one.p <= 1 - level + 1e-12)
                seen.add(outside)
    assert seen == {True, False}


def test_interaction_rests_on_submissions_that_have_both() -> None:
    cells = [cell(name, "q", m) for name, m in zip("abcd", (4, 5, 6, 9), strict=True)]
    cells += [cell(name, "g", m) for name, m in zip("bcde", (1, 1, 1, -8), strict=True)]
    found = named(answer(cells, {"q": DESIGN, "g": DESIGN}, resamples=199))
    both = found["gain on q minus gain on g"]
    assert both.value == pytest.approx((4 + 5 + 8) / 3 / 20) and both.submissions == 3 and both.new_submissions
    assert found["gain on q"].value == pytest.approx(6 / 20) and found["gain on g"].submissions == 4


def test_interaction_turns_round_with_its_targets() -> None:
    cells = simulated("q", 0, 4, 1.0) + simulated("g", 1, 4)
    there = named(answer(cells, {"q": DESIGN, "g": DESIGN}, resamples=399))
    back = named(answer(cells, {"g": DESIGN, "q": DESIGN}, resamples=399))
    one, two = there["gain on q minus gain on g"], back["gain on g minus gain on q"]
    assert two[1:5] == pytest.approx((-one.value, -one.high, -one.low, one.p), abs=1e-12)
    assert one.value > 0 and there["gain on q"] == back["gain on q"] and there["gain on g"] == back["gain on g"]


def test_luck_of_a_training_that_both_targets_share_cancels_between_them() -> None:
    """Each fold and repeat has its own gain, on both targets: the difference is zero in every resample."""
    luck = np.random.default_rng(0).integers(-6, 7, (3, 3))
    here = np.repeat(luck, BLOCKS, axis=1)
    there = np.repeat(luck, (5, 5, 5), axis=1)
    designs = {"q": DESIGN, "g": Design(3, (5, 5, 5))}
    cells = [cell(name, "q", here) for name in "ab"]
    cells += [cell(name, "g", there, design=designs["g"]) for name in "ab"]
    found = named(answer(cells, designs, resamples=199))
    one, many = found["gain on q minus gain on g"], found["gain on q"]
    # groups are drawn for each target, so that folds differ a little in weight
    assert abs(one.value) < 1e-12 and 0 < one.high - one.low < 0.75 * (many.high - many.low)
    uneven = {"q": DESIGN, "g": Design(2, (5, 5, 5))}
    apart = [*cells[:2], *(cell(name, "g", there[:2], design=uneven["g"]) for name in "ab")]
    other = named(answer(apart, uneven, resamples=199))["gain on q minus gain on g"]
    assert other.high - other.low > 1.3 * (one.high - one.low)


def test_families_are_contrasted_in_the_order_asked() -> None:
    cells = [cell(f"n{i}", "q", m, "new") for i, m in enumerate((5, 6, 7))]
    cells += [cell(f"o{i}", "q", m, "old") for i, m in enumerate((1, 2, 3, 2))]
    cells += [cell("x", "q", 0, "rest")]
    found = answer(cells, {"q": DESIGN}, families=["old", "new"], resamples=499)
    assert [one.question for one in found] == [
        "gain on q",
        "gain on q, old",
        "gain on q, new",
        "gain on q, old minus new",
    ]
    assert [one.value for one in found[1:]] == pytest.approx([0.1, 0.3, -0.2])
    assert [one.submissions for one in found] == [8, 4, 3, 7]
    assert all(one.new_submissions and one.conservative for one in found)
    assert found[3].high < 0 and found[3].p < 0.05
    assert found[3].note.startswith("exploratory") and not found[1].note
    assert named(answer(cells, {"q": DESIGN}, resamples=99)).keys() > {"gain on q, new minus old", "gain on q, rest"}


def test_where_all_are_of_one_family_it_is_not_asked_for_apart() -> None:
    """The board of two networks of one family gave each mean gain twice."""
    cells = [cell(f"n{i}", target, i, "new") for i in range(3) for target in ("q", "g")]
    cells += [cell("o", "g", 1, "old")]
    found = answer(cells, {"q": DESIGN, "g": DESIGN}, resamples=99)
    assert [one.question for one in found if "q" in one.question.split(" on ")[1]] == [
        "gain on q", "gain on q minus gain on g",
    ]  # fmt: skip
    assert "gain on g, new" in named(found)
    assert [one.family for one in found] == ["new", "", "new", "new", "old", ""]
    asked = answer(cells, {"q": DESIGN, "g": DESIGN}, families=["new"], resamples=99)
    assert "gain on q, new" in named(asked)


def test_families_are_drawn_apart() -> None:
    """The same gains in both: drawn together, their difference would be zero in every resample."""
    cells = [cell(f"{family}{m}", "q", m, family) for family in ("new", "old") for m in (1, 2, 6)]
    found = named(answer(cells, {"q": DESIGN}, resamples=199))["gain on q, new minus old"]
    assert found.value == pytest.approx(0) and found.low < -0.2 and found.high > 0.2


def test_few_submissions_speak_of_themselves_only() -> None:
    cells = [cell(f"n{i}", "q", m, "new") for i, m in enumerate((1, 9))]
    found = named(answer(cells, {"q": DESIGN}, resamples=99))["gain on q"]
    assert not found.new_submissions and "these submissions only" in found.note
    assert (found.low, found.high) == pytest.approx((0.25, 0.25), abs=1e-6)
    cells += [cell(f"o{i}", "q", m, "old") for i, m in enumerate((1, 2, 3))]
    more = named(answer(cells, {"q": DESIGN}, resamples=99))
    assert [one.new_submissions for one in more.values()] == [True, False, True, False]
    assert more["gain on q, new minus old"].note.count(";") == 1


def test_drawn_submissions_widen_the_interval() -> None:
    random = np.random.default_rng(0)
    cells = [cell(f"s{i}", "q", random.integers(0, 9) + random.integers(-1, 2, (3, 12))) for i in range(6)]
    fixed = general.gains(cells, {"q": DESIGN}, general.draw({"q": DESIGN}, 999, 0))["q"].resampled.mean(0)
    found = answer(cells, {"q": DESIGN}, resamples=999)[0]
    assert found.high - found.low > 2 * np.subtract(*np.quantile(fixed, [0.975, 0.025]))


def test_order_of_cells_changes_nothing() -> None:
    cells = simulated("q", 0, 5) + simulated("g", 1, 4)
    designs = {"q": DESIGN, "g": DESIGN}
    found = answer(cells, designs, resamples=99)
    order = np.random.default_rng(0).permutation(len(cells))
    assert answer([cells[i] for i in order], designs, resamples=99) == found
    assert len(found) == 3 + 2 * 3


def test_order_of_classes_changes_nothing() -> None:
    cells = simulated("q", 0, 3)
    order = np.random.default_rng(0).permutation(24)
    turned = [
        c._replace(arm=Tally(*(p[..., order] for p in c.arm)), baseline=Tally(*(p[..., order] for p in c.baseline)))
        for c in cells
    ]
    before, after = (answer(c, {"q": DESIGN}, resamples=99)[0] for c in (cells, turned))
    assert before[1:4] == pytest.approx(after[1:4], abs=1e-6)


def test_swapped_arms_turn_the_answers_round() -> None:
    cells = simulated("q", 3, 4, 0.5)
    back = [c._replace(arm=c.baseline, baseline=c.arm) for c in cells]
    for one, two in zip(*(answer(c, {"q": DESIGN}, resamples=99) for c in (cells, back)), strict=True):
        assert one[1:5] == pytest.approx((-two.value, -two.high, -two.low, two.p), abs=1e-12)


def test_interval_of_a_mean_is_near_the_normal_one() -> None:
    """Many submissions, nothing else that varies: the textbook interval."""
    own = np.random.default_rng(0).normal(0, 2, 30)
    found = answer([cell(f"s{i:02}", "q", m) for i, m in enumerate(own)], {"q": DESIGN}, resamples=4999)[0]
    low, high = stats.t.interval(0.95, 29, own.mean() / 20, stats.sem(own / 20))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.08 * (high - low))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c._replace(target="other"), "s2 on other: unknown target; allowed: q"),
        (lambda c: c._replace(submission="s1", family="new"), "s1 on q: given twice"),
        (lambda c: c._replace(arm=Tally(*(p[:, ::-1] for p in c.arm))), "s2 on q: arm: .*different images"),
        (lambda c: c._replace(baseline=Tally(*(p[..., :-1] for p in c.baseline))), "s2 on q: baseline: .*shapes"),
        (lambda c: c._replace(arm=Tally(*(p[:2] for p in c.arm))), r"arm of shape \(2, 12\), the design is \(3, 12\)"),
        (lambda c: c._replace(arm=c.arm._replace(hits=c.arm.hits * np.nan)), "s2 on q: arm holds NaN"),
        (lambda c: c._replace(arm=c.arm._replace(claimed=-c.arm.claimed)), "negative count"),
    ],
)
def test_a_bad_cell_is_refused(change, message: str) -> None:
    *good, last = simulated("q", 0, 3)
    with pytest.raises(ValueError, match=message):
        answer([*good, change(last)], {"q": DESIGN}, resamples=99)


def test_a_submission_of_two_families_is_refused() -> None:
    cells = [cell("a", "q", 1, "new"), cell("a", "g", 1, "old")]
    with pytest.raises(ValueError, match="a on g: family old, elsewhere new"):
        answer(cells, {"q": DESIGN, "g": DESIGN}, resamples=99)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": 1.0}, "level 1.0"),
        ({"resamples": 38}, "38 resamples; allowed at level 0.95: 39 or more"),
        ({"families": ["none"]}, "families none; allowed, each once: new, old"),
        ({"families": ["old", "old"]}, "each once"),
        ({"cells": []}, "no cells"),
    ],
)
def test_bad_questions_are_refused(change: dict[str, object], message: str) -> None:
    good = {"cells": simulated("q", 0, 3), "designs": {"q": DESIGN}, "resamples": 39}
    with pytest.raises(ValueError, match=message):
        answer(**(good | change))
