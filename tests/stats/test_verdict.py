import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.stats import pigeonhole
from benchmark.stats.design import Design
from benchmark.stats.generator import MILD, STRONG, Effects, simulate, tallies
from benchmark.stats.power import smallest_margin
from benchmark.stats.pseudo import Tally
from benchmark.stats.verdict import Contrast, contrast, decide, needs, table_of_gains

FOLDS = (4, 3, 3, 3, 3)
DESIGN = Design(2, FOLDS)
DRAWS = pigeonhole.draw(DESIGN, 999, 0)


def arms(seed: int, gain: float = 0.0, effects: Effects = MILD, design: Design = DESIGN) -> tuple[Tally, Tally]:
    found = simulate(np.random.default_rng(seed), design.repeats, design.blocks, effects, gain)
    return tallies(found, design.groups)


def from_seed(seed: int, gain: float = 0.0, effects: Effects = MILD, margin: float = 0.005) -> Contrast:
    return contrast(*arms(seed, gain, effects), DESIGN, draws=DRAWS, margin=margin)


def test_a_large_gain_is_better_and_turned_round_it_is_worse() -> None:
    arm, baseline = arms(1, gain=2.0)
    there, back = (contrast(*pair, DESIGN, draws=DRAWS) for pair in ((arm, baseline), (baseline, arm)))
    assert [v.name for v in decide([there])] == ["better"] and [v.name for v in decide([back])] == ["worse"]
    assert there.gain == -back.gain and there.low == pytest.approx(-back.high)
    assert there.se == pytest.approx(back.se) and there.p_test == pytest.approx(back.p_test)


def test_two_arms_that_say_the_same_are_equivalent_and_nothing_is_divided_by_zero() -> None:
    arm, _ = arms(2)
    found = contrast(arm, arm, DESIGN, draws=DRAWS)
    assert (found.gain, found.se, found.p, found.low, found.high) == (0, 0, 1, 0, 0)
    [verdict] = decide([found])
    assert verdict.name == "equivalent" and found.smallest == 0 and found.repeats_for_point == 2


def test_a_wide_interval_is_undecided_and_a_wide_margin_equivalent() -> None:
    found = from_seed(3, effects=STRONG)
    assert [v.name for v in decide([found])] == ["undecided"]
    assert [v.name for v in decide([from_seed(3, effects=STRONG, margin=0.2)])] == ["equivalent"]


def test_equivalence_is_withheld_where_the_margin_is_small_against_the_error() -> None:
    found = from_seed(2)._replace(gain=0.0, p=1.0, p_equivalent=0.04)
    wide, narrow = (found._replace(smallest_margin=factor * found.margin) for factor in (0.99, 1.01))
    assert [wide.judges_equivalence, narrow.judges_equivalence] == [True, False]
    assert decide([wide])[0] == ("equivalent", 1.0, 0.04, 1)
    assert decide([narrow])[0] == ("undecided", 1.0, 1.0, 1)
    assert decide([wide, narrow])[0].p_equivalent == 0.08, "the narrow one still counts as a member"
    assert decide([wide, narrow], exploratory=True)[0].p_equivalent == 0.04


def test_the_smallest_margin_is_that_of_the_error() -> None:
    found = from_seed(3, margin=0.2)
    assert found.margin == 0.2 and found.smallest_margin == smallest_margin(found.se, found.df)
    assert 1.8 * found.se < found.smallest_margin < 2.6 * found.se


def test_test_and_bootstrap_must_agree() -> None:
    found = from_seed(4, gain=2.0)
    assert found.p == max(found.p_test, found.p_bootstrap)
    for disagreeing in (found._replace(p=0.2, p_bootstrap=0.2), found._replace(p=0.2, p_test=0.2)):
        assert decide([disagreeing])[0].name == "undecided"


def test_holm_over_the_family_and_its_untested_members() -> None:
    found = from_seed(5, gain=2.0)._replace(p=0.02, p_equivalent=1.0)
    assert decide([found])[0] == ("better", 0.02, 1.0, 1)
    assert [v.name for v in decide([found, found, found])] == ["undecided"] * 3, "0.02 x 3 is above 0.05"
    assert decide([found], family=3)[0].p == pytest.approx(0.06)
    assert [v.name for v in decide([found] * 3, exploratory=True)] == ["better"] * 3, "Benjamini-Hochberg"


def test_a_withheld_verdict_still_counts_as_a_member() -> None:
    found = from_seed(6, gain=2.0)._replace(p=0.03, p_equivalent=1.0)
    verdicts = decide([found, found._replace(needs="6 trainings or more (found 5)", p=0.0001)])
    assert [v.name for v in verdicts] == ["undecided", "withheld"] and verdicts[0].p == pytest.approx(0.06)


@pytest.mark.parametrize(("design", "wanted"), [
    (Design(1, (24,) * 5), "6 trainings or more (found 5; 2 repeats give them)"),
    (Design(5, (119,)), "6 trainings or more (found 5; 6 repeats give them)"),
    (Design(10, (5,)), "6 groups or more (found 5)"),
    (Design(1, (1, 1, 1)), "6 trainings or more (found 3; 2 repeats give them) and 6 groups or more (found 3)"),
    (Design(2, FOLDS), ""),
])  # fmt: skip
def test_too_few_is_said_with_the_number_it_takes(design: Design, wanted: str) -> None:
    assert needs(design) == wanted


def test_with_one_repeat_the_number_of_repeats_is_not_known() -> None:
    design = Design(1, FOLDS)
    found = contrast(*arms(7, design=design), design, resamples=99)
    assert found.repeats_for_point is None and decide([found])[0].name == "withheld"


def test_unpaired_or_unfit_arms_are_an_error_and_never_a_number() -> None:
    arm, baseline = arms(8)
    other, _ = arms(9)
    with pytest.raises(ValueError, match="different images"):
        contrast(arm, other, DESIGN)
    with pytest.raises(ValueError, match="shapes"):
        contrast(arm, Tally(*(part[:, 1:] for part in baseline)), DESIGN)
    with pytest.raises(ValueError, match="the design is"):
        contrast(arm, baseline, Design(2, (16,) * 2))
    with pytest.raises(ValueError, match="NaN"):
        contrast(Tally(arm.hits * np.nan, *arm[1:]), baseline, DESIGN)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_order_of_groups_and_labels_changes_nothing(seed: int) -> None:
    arm, baseline = arms(seed)
    random = np.random.default_rng(seed)
    groups = np.concatenate([s + random.permutation(n) for s, n in zip(DESIGN.starts, FOLDS, strict=True)])
    labels = random.permutation(24)
    moved = [Tally(*(part[:, groups][:, :, labels] for part in one)) for one in (arm, baseline)]
    first, second = contrast(arm, baseline, DESIGN, resamples=99), contrast(*moved, DESIGN, resamples=99)
    for name in ("gain", "se", "p_test", "smallest", "p_satterthwaite"):
        assert getattr(first, name) == pytest.approx(getattr(second, name), abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_every_image_twice_changes_nothing(seed: int) -> None:
    """Copies of images inside their group are no new evidence; a test over images would think so."""
    arm, baseline = arms(seed)
    once = contrast(arm, baseline, DESIGN, draws=DRAWS)
    twice = contrast(*(Tally(*(2 * part for part in one)) for one in (arm, baseline)), DESIGN, draws=DRAWS)
    assert once.p_test == pytest.approx(twice.p_test) and once.p_bootstrap == pytest.approx(twice.p_bootstrap, abs=2e-3)
    assert once.gain == pytest.approx(twice.gain) and once.smallest == pytest.approx(twice.smallest)


def test_every_group_twice_makes_no_false_verdict() -> None:
    """Copied groups can at most halve the variance; of 60 nulls with strong luck of training few turn into claims."""
    claims = 0
    for seed in range(60):
        arm, baseline = arms(seed, effects=STRONG)
        copied = [Tally(*(np.repeat(part, 2, axis=1) for part in one)) for one in (arm, baseline)]
        design = Design(2, [2 * size for size in FOLDS])
        once, twice = table_of_gains(arm, baseline), table_of_gains(*copied)
        assert twice.shape[1] == 2 * once.shape[1]
        found = contrast(*copied, design, resamples=199)
        assert found.se > contrast(arm, baseline, DESIGN, resamples=99).se / np.sqrt(2) - 1e-3
        claims += decide([found])[0].name in ("better", "worse")
    assert claims <= 9
