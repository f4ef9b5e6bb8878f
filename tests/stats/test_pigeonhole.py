import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmark.stats import generator, pigeonhole
from benchmark.stats.design import Design
from benchmark.stats.pigeonhole import Draws
from benchmark.stats.pseudo import Tally, macro

DESIGNS = pytest.mark.parametrize(("repeats", "blocks"), [(6, (5,)), (2, (3, 4, 2)), (1, (2, 3, 1, 2)), (1, (1, 1))])
MODES = pytest.mark.parametrize("mode", [lambda draws: draws, pigeonhole.only_trainings, pigeonhole.only_groups])
IMAGES = 2**16
"""Of each class in `linear`: enough for a table to survive rounding, few enough for single precision."""


def few(repeats: int, groups: int, seed: int = 0, images: int = 8, classes: int = 4) -> generator.Experiment:
    """So few images a group that draws lack classes; every group holds one image at least."""
    random = np.random.default_rng(seed)
    group = np.sort(np.concatenate([np.arange(groups), random.integers(0, groups, groups * (images - 1))]))
    truth = random.integers(0, classes, len(group))
    right = random.random((repeats, len(group))) < 0.7
    claims = np.where(right, truth, random.integers(0, classes, right.shape))
    return generator.Experiment(truth, group, claims, claims)


def counts_of(drawn: generator.Experiment, groups: int) -> Tally:
    return generator.count(drawn.truth, drawn.group, drawn.arm, groups)


def literal(counts: Tally, design: Design, draws: Draws) -> np.ndarray:
    """Double precision, one resample and one row at a time."""
    resamples = len(draws.groups if draws.trainings is None else draws.trainings)
    found = []
    for b in range(resamples):
        values, masses = [], []
        for row in range(design.repeats):
            weight = np.ones(design.groups)
            if draws.trainings is not None:
                weight = weight * draws.trainings[b, row][design.block_of]
            if draws.groups is not None:
                weight = weight * draws.groups[b]
            if weight.sum() == 0:
                continue
            hits, claimed, true = (weight @ part[row] for part in counts)
            held = true > 0
            values.append(np.mean(2 * hits[held] / (claimed + true)[held]))
            masses.append(weight.sum())
        found.append(np.average(values, weights=masses))
    return np.array(found)


def linear(table: np.ndarray) -> Tally:
    """Counts of which macro-F1, with whatever weights, is the weighted mean of a table of values 0 to 1."""
    hits = np.repeat(np.round(table * IMAGES)[..., None], 2, axis=-1)
    same = np.full(hits.shape, float(IMAGES))
    return Tally(hits, same, same)


# ---- scores


@DESIGNS
@MODES
def test_scores_are_those_of_a_literal_loop(repeats: int, blocks: tuple[int, ...], mode) -> None:
    design = Design(repeats, blocks)
    counts = counts_of(few(repeats, design.groups), design.groups)
    draws = mode(pigeonhole.draw(design, 150, 1))
    expected = literal(counts, design, draws)
    assert expected.std() > 0.01
    assert pigeonhole.scores(counts, design, draws) == pytest.approx(expected, abs=1e-6)


@DESIGNS
@MODES
def test_scores_are_scikit_learns_with_weighted_images(repeats: int, blocks: tuple[int, ...], mode) -> None:
    """Every image as often as its training times as often as its group was drawn."""
    design = Design(repeats, blocks)
    drawn = few(repeats, design.groups)
    draws = mode(pigeonhole.draw(design, 6, 1))
    found = pigeonhole.scores(counts_of(drawn, design.groups), design, draws)
    ones = np.ones((6, repeats, len(blocks))), np.ones((6, design.groups))
    trainings, groups = (one if part is None else part for part, one in zip(draws, ones, strict=True))
    for b in range(6):
        total = mass = 0.0
        for row in range(repeats):
            weight = trainings[b, row][design.block_of] * groups[b]
            if not weight.any():
                continue
            each = weight[drawn.group]
            labels = np.unique(drawn.truth[each > 0])
            score = f1_score(drawn.truth, drawn.arm[row], labels=labels, average="macro", sample_weight=each)
            total, mass = total + score * weight.sum(), mass + weight.sum()
        assert found[b] == pytest.approx(total / mass, abs=1e-6)


@pytest.mark.parametrize("chunk", [1, 1000, pigeonhole.CHUNK])
def test_the_size_of_chunks_does_not_matter(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    design = Design(3, (5, 4))
    drawn = generator.simulate(np.random.default_rng(0), 3, (5, 4), generator.STRONG)
    counts = counts_of(drawn, 9)
    draws = pigeonhole.draw(design, 3 * pigeonhole.CHUNK // (3 * 2 * 24), 0)
    monkeypatch.setattr(pigeonhole, "CHUNK", chunk)
    assert pigeonhole.scores(counts, design, draws) == pytest.approx(literal(counts, design, draws), abs=1e-6)


@DESIGNS
def test_everything_drawn_once_is_the_score_of_the_data(repeats: int, blocks: tuple[int, ...]) -> None:
    design = Design(repeats, blocks)
    counts = counts_of(few(repeats, design.groups), design.groups)
    once = Draws(np.ones((1, repeats, len(blocks))), np.ones((1, design.groups)))
    for draws in (once, pigeonhole.only_trainings(once), pigeonhole.only_groups(once)):
        assert pigeonhole.scores(counts, design, draws) == pytest.approx([macro(counts).mean()], abs=1e-6)


def test_scores_refuse_what_does_not_fit() -> None:
    design = Design(2, (3, 4))
    counts = counts_of(few(2, 7), 7)
    draws = pigeonhole.draw(design, 3, 0)
    for wrong in (Design(2, (3, 3)), Design(3, (3, 4))):
        with pytest.raises(ValueError, match="the design is"):
            pigeonhole.scores(counts, wrong, draws)
    with pytest.raises(ValueError, match="neither"):
        pigeonhole.scores(counts, design, Draws(None, None))
    true = counts.true.copy()
    true[1, 0, 0] += 1
    with pytest.raises(ValueError, match="repeats hold different images"):
        pigeonhole.scores(counts._replace(true=true), design, draws)


# ---- draws


@DESIGNS
def test_one_seed_gives_one_set_of_draws(repeats: int, blocks: tuple[int, ...]) -> None:
    design = Design(repeats, blocks)
    one, same, other = (pigeonhole.draw(design, 50, seed) for seed in (3, 3, 4))
    assert one.trainings.shape == (50, repeats, len(blocks)) and one.groups.shape == (50, sum(blocks))
    assert np.array_equal(one.trainings, same.trainings) and np.array_equal(one.groups, same.groups)
    assert not np.array_equal(one.trainings, other.trainings) and not np.array_equal(one.groups, other.groups)


@DESIGNS
def test_every_draw_has_as_many_as_there_are_and_some_image(repeats: int, blocks: tuple[int, ...]) -> None:
    design = Design(repeats, blocks)
    draws = pigeonhole.draw(design, 2000, 0)
    assert (draws.trainings.sum((1, 2)) == design.trainings).all() and (draws.groups.sum(1) == design.groups).all()
    assert ((draws.trainings[:, :, design.block_of] * draws.groups[:, None]).sum((1, 2)) > 0).all()
    assert np.isfinite(pigeonhole.scores(counts_of(few(repeats, design.groups), design.groups), design, draws)).all()


def test_trainings_and_groups_are_drawn_evenly_and_apart() -> None:
    """Counts of a multinomial: mean 1, variance 1 - 1/n, correlation -1/(n - 1), none between the two."""
    draws = pigeonhole.draw(Design(4, (5, 3)), 40_000, 0)
    every = np.concatenate([draws.trainings.reshape(-1, 8), draws.groups], axis=1)
    assert every.mean(0) == pytest.approx(1, abs=0.03)
    expected = np.zeros((16, 16))
    expected[:8, :8] = expected[8:, 8:] = np.eye(8) - 1 / 8
    assert np.cov(every.T) == pytest.approx(expected, abs=0.03)


def test_parts_of_draws() -> None:
    draws = pigeonhole.draw(Design(2, (3, 2)), 10, 0)
    assert pigeonhole.only_trainings(draws).groups is None and pigeonhole.only_groups(draws).trainings is None
    assert pigeonhole.only_trainings(draws).trainings is draws.trainings
    assert pigeonhole.only_groups(draws).groups is draws.groups
    some = pigeonhole.first(draws, 4)
    assert np.array_equal(some.trainings, draws.trainings[:4]) and np.array_equal(some.groups, draws.groups[:4])
    assert pigeonhole.first(pigeonhole.only_groups(draws), 4).trainings is None


# ---- the spread, corrected


def spreads(table: np.ndarray, resamples: int, seed: int) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    design, counts = Design(len(table), (table.shape[1],)), linear(table)
    draws = pigeonhole.draw(design, resamples, seed)
    each = (draws, pigeonhole.only_trainings(draws), pigeonhole.only_groups(draws))
    return float(macro(counts).mean()), *(pigeonhole.scores(counts, design, one) for one in each)


def test_the_pigeonhole_counts_interaction_three_times() -> None:
    """In a table whose score is a mean all variances are known: of row means, column means and residuals."""
    table = np.random.default_rng(0).uniform(0.3, 0.7, (4, 6))
    rows, columns = table.mean(1), table.mean(0)
    rest = table - rows[:, None] - columns + table.mean()
    of_rows, of_columns, of_rest = rows.var() / 4, columns.var() / 6, (rest**2).mean() / 24
    value, both, trainings, groups = spreads(table, 60_000, 0)
    assert value == pytest.approx(table.mean(), abs=1e-5)
    assert trainings.var() == pytest.approx(of_rows, rel=0.03)
    assert groups.var() == pytest.approx(of_columns, rel=0.03)
    assert both.var() == pytest.approx(of_rows + of_columns + of_rest, rel=0.03)
    found = pigeonhole.corrected(value, both, trainings, groups)
    assert found.var() == pytest.approx(of_rows + of_columns - of_rest, rel=0.06)


def test_corrected_values_have_the_wanted_variance_and_keep_their_order() -> None:
    random = np.random.default_rng(0)
    both, trainings, groups = (random.normal(0.5, sd, 500) for sd in (2.0, 1.3, 1.2))
    found = pigeonhole.corrected(0.4, both, trainings, groups)
    assert found.var() == pytest.approx(2 * (trainings.var() + groups.var()) - both.var())
    assert np.array_equal(np.argsort(found), np.argsort(both))
    ratio = (found - 0.4) / (both - 0.4)
    assert ratio == pytest.approx(ratio[0]) and ratio[0] > 0, "deviations from the value, all by one factor"


@pytest.mark.parametrize("spread", [0.0, 0.3, 0.8])
def test_the_variance_is_never_below_a_third(spread: float) -> None:
    random = np.random.default_rng(0)
    both, trainings, groups = (sd * random.standard_normal(500) for sd in (2.0, spread, spread))
    found = pigeonhole.corrected(0.0, both, trainings, groups)
    assert found.var() == pytest.approx(both.var() / 3)


def test_values_without_spread_stay() -> None:
    same = np.full(9, 0.25)
    assert pigeonhole.corrected(0.25, same, same, same).tolist() == same.tolist()


N = 12


def simulated(of_training: float, of_group: float, of_rest: float) -> tuple[float, float]:
    """Mean variance of resampled values of 12 × 12 tables with these standard deviations: corrected, and not."""
    random = np.random.default_rng(1)
    found = []
    for seed in range(150):
        effects = [random.standard_normal(shape) for shape in ((N, 1), (1, N), (N, N))]
        table = 0.5 + of_training * effects[0] + of_group * effects[1] + of_rest * effects[2]
        value, both, trainings, groups = spreads(table, 400, seed)
        found.append((pigeonhole.corrected(value, both, trainings, groups).var(), both.var()))
    return tuple(np.mean(found, axis=0))


@pytest.mark.parametrize("sds", [(0.02, 0.02, 0.02), (0.03, 0.0, 0.06), (0.0, 0.02, 0.05)])
def test_the_corrected_variance_is_the_true_one_on_average(sds: tuple[float, float, float]) -> None:
    """But that a resampled effect of n is smaller by 1 - 1/n, as in every bootstrap."""
    of_training, of_group, of_rest = np.square(sds) / (N, N, N * N)
    main = (1 - 1 / N) * (of_training + of_group)
    corrected, raw = simulated(*sds)
    assert corrected == pytest.approx(main + of_rest, rel=0.1)
    assert raw == pytest.approx(main + (1 - 1 / N) * (3 - 1 / N) * of_rest, rel=0.1)


def test_the_corrected_variance_of_interaction_alone_is_not_too_small() -> None:
    """The floor, which half of such tables meet, makes it larger on average than it should be."""
    corrected, raw = simulated(0.0, 0.0, 0.05)
    true = 0.05**2 / N**2
    assert true < corrected < 1.3 * true
    assert 2.4 * true < raw < 3 * true


# ---- p-values


def test_p_is_twice_the_smaller_part_beyond() -> None:
    values = np.array([-2.0, -1.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0])
    assert pigeonhole.two_sided(values) == pytest.approx(2 * 3 / 10)
    assert pigeonhole.two_sided(values, 1.0) == pytest.approx(2 * 5 / 10), "what equals null is on both sides"
    assert pigeonhole.two_sided(values, 4.5) == pytest.approx(2 * 2 / 10)
    assert pigeonhole.two_sided(np.zeros(9)) == 1.0


@pytest.mark.parametrize("n", [9, 99, 999])
def test_p_is_between_its_resolution_and_one(n: int) -> None:
    values = np.random.default_rng(n).standard_normal(n)
    found = [pigeonhole.two_sided(values, null) for null in (-9.0, -0.7, 0.0, 0.4, 9.0)]
    assert found[0] == found[-1] == pytest.approx(2 / (n + 1))
    assert all(2 / (n + 1) - 1e-12 <= p <= 1 for p in found)
    steps = np.array(found) * (n + 1) / 2
    assert steps == pytest.approx(np.round(steps))


@pytest.mark.parametrize("null", [-0.5, 0.0, 1.2])
def test_p_has_no_preferred_side(null: float) -> None:
    values = np.random.default_rng(0).normal(0.3, 1, 400)
    found = pigeonhole.two_sided(values, null)
    assert found == pigeonhole.two_sided(-values, -null) == pigeonhole.two_sided(values - null)


def test_p_of_normal_values_is_the_normal_p() -> None:
    values = np.random.default_rng(0).normal(1.96, 1, 100_000)
    assert pigeonhole.two_sided(values) == pytest.approx(0.05, abs=0.004)


def test_values_that_are_not_numbers_are_no_evidence() -> None:
    """NaN is beyond nothing, so that it would give the smallest p-value there is."""
    with pytest.raises(ValueError, match="NaN"):
        pigeonhole.two_sided(np.array([np.nan] * 99))
