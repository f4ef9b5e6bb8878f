import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

from benchmark.stats.design import Design

SHAPES = [(6, (9,)), (2, (4, 4, 4)), (3, (2, 5, 1, 7)), (2, (1, 3)), (1, (3, 4, 6)), (1, (1, 1, 2))]
SEVERAL = [shape for shape in SHAPES if shape[0] > 1]
TRUTH = np.array([0.7, 1.3, 2.1])


def labels(design: Design) -> tuple[np.ndarray, np.ndarray]:
    """Training and group of every cell, row after row, counted one by one."""
    training, group = [], []
    for row in range(design.repeats):
        column = 0
        for block, size in enumerate(design.blocks):
            for _ in range(size):
                training.append(row * len(design.blocks) + block)
                group.append(column)
                column += 1
    return np.array(training), np.array(group)


def full(design: Design) -> tuple[list[np.ndarray], np.ndarray]:
    """Matrices of the table's size: which cells share a training, a group, a cell; and the centring."""
    training, group = labels(design)
    n = len(training)
    same = [np.equal.outer(one, one).astype(float) for one in (training, group, np.arange(n))]
    return same, np.eye(n) - 1 / n


def brute_expectations(design: Design) -> np.ndarray:
    same, centring = full(design)
    return np.array([[np.trace(centring @ one @ centring @ other) for other in same] for one in same])


def brute_of_mean(design: Design) -> np.ndarray:
    same, _ = full(design)
    return np.array([one.sum() / one.size for one in same])


def table(design: Design, seed: int, *leading: int, normal: bool = True) -> np.ndarray:
    """Values with the variances `TRUTH`; without `normal`, of strongly skewed effects."""
    random = np.random.default_rng(seed)

    def effects(*shape: int) -> np.ndarray:
        return random.standard_normal(shape) if normal else random.exponential(1.0, shape) - 1

    rows, blocks, groups = design.repeats, len(design.blocks), design.groups
    of_training = effects(*leading, rows, blocks)[..., design.block_of]
    parts = (of_training, effects(*leading, 1, groups), effects(*leading, rows, groups))
    return 5 + sum(np.sqrt(v) * part for v, part in zip(TRUTH, parts, strict=True))


def anova(values: np.ndarray) -> tuple[float, float, float]:
    """Mean squares of a crossed table: trainings, groups, interaction."""
    rows, columns = values.shape
    by_row, by_column = values.mean(1, keepdims=True), values.mean(0, keepdims=True)
    rest = values - by_row - by_column + values.mean()
    return (
        columns * float(((by_row - values.mean()) ** 2).sum()) / (rows - 1),
        rows * float(((by_column - values.mean()) ** 2).sum()) / (columns - 1),
        float((rest**2).sum()) / ((rows - 1) * (columns - 1)),
    )


# ---- against matrices of the table's size


@pytest.mark.parametrize(("repeats", "blocks"), SHAPES)
def test_sums_of_squares_are_the_full_quadratic_forms(repeats: int, blocks: tuple[int, ...]) -> None:
    design = Design(repeats, blocks)
    same, centring = full(design)
    values = table(design, 0, 2, 3)
    flat = values.reshape(2, 3, -1) @ centring
    expected = np.stack([np.einsum("...i,ij,...j", flat, one, flat) for one in same], axis=-1)
    assert design.sums_of_squares(values) == pytest.approx(expected)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 99))
def test_every_figure_of_a_design_is_that_of_full_matrices(repeats: int, blocks: list[int], seed: int) -> None:
    assume(repeats * len(blocks) > 1 and sum(blocks) > 1)
    design = Design(repeats, blocks)
    expected, of_mean = brute_expectations(design), brute_of_mean(design)
    assert design.expectations() == pytest.approx(expected, abs=1e-9)
    assert design.of_mean() == pytest.approx(of_mean)

    weights, inverse = design.solve()
    assert weights @ expected == pytest.approx(of_mean)
    kept = [0] * (max(blocks) > 1) + [1] * (repeats > 1) + [2]
    assert (inverse @ expected)[np.ix_(kept, kept)] == pytest.approx(np.eye(len(kept)), abs=1e-8)

    same, centring = full(design)
    variances = np.random.default_rng(seed).uniform(0.1, 2, 3)
    form = centring @ sum(w * one for w, one in zip(weights, same, strict=True)) @ centring
    product = form @ sum(v * one for v, one in zip(variances, same, strict=True))
    assert design.degrees(variances) == pytest.approx(np.trace(product) ** 2 / np.trace(product @ product))


# ---- against the analysis of variance of a crossed table


@pytest.mark.parametrize(("trainings", "groups"), [(2, 2), (5, 8), (10, 4)])
def test_one_block_is_the_classical_two_way_table(trainings: int, groups: int) -> None:
    """Variance of the mean, components and degrees of freedom from mean squares (Satterthwaite 1946)."""
    design = Design(trainings, (groups,))
    values = table(design, 1)
    t, g, tg = anova(values)
    weights, inverse = design.solve()
    sums = design.sums_of_squares(values)
    assert weights @ sums == pytest.approx((t + g - tg) / (trainings * groups))
    found = inverse @ sums
    assert found == pytest.approx([(t - tg) / groups, (g - tg) / trainings, tg])
    parts = t**2 / (trainings - 1) + g**2 / (groups - 1) + tg**2 / ((trainings - 1) * (groups - 1))
    assert design.degrees(found) == pytest.approx((t + g - tg) ** 2 / parts)


def test_components_of_a_balanced_table_are_those_of_restricted_likelihood() -> None:
    """statsmodels, which knows nothing of sums of squares; in balanced tables the two agree."""
    design = Design(5, (8,))
    values = table(design, 4)
    found = design.solve()[1] @ design.sums_of_squares(values)
    assert (found > 0).all(), "likelihood never goes below zero, so that only then the two agree"
    effects = [np.eye(max(one) + 1)[one] for one in labels(design)]
    columns = [[str(i) for i in range(one.shape[1])] for one in effects]
    spec = VCSpec(["training", "group"], [[one] for one in columns], [[one] for one in effects])
    ones = np.ones(values.size)
    fit = MixedLM(values.ravel(), ones, ones, exog_vc=spec).fit(reml=True)
    assert found == pytest.approx([*fit.vcomp, fit.scale], rel=0.01)


# ---- against simulation


@pytest.mark.parametrize(("repeats", "blocks"), SEVERAL)
def test_estimates_are_right_on_average_for_skewed_effects_too(repeats: int, blocks: tuple[int, ...]) -> None:
    design = Design(repeats, blocks)
    values = table(design, 2, 20_000, normal=False)
    weights, inverse = design.solve()
    sums = design.sums_of_squares(values)
    true = values.mean((-2, -1)).var()
    for found, expected in (
        (sums @ inverse.T, TRUTH),
        (sums @ weights, true),
        (sums @ weights, design.of_mean() @ TRUTH),
    ):
        error = found.std(0) / np.sqrt(len(found))
        assert (np.abs(found.mean(0) - expected) < 5 * error + 0.03 * expected).all()


@pytest.mark.parametrize(("repeats", "blocks"), SEVERAL)
def test_degrees_of_freedom_say_how_much_the_variance_varies(repeats: int, blocks: tuple[int, ...]) -> None:
    """A chi-square over its degrees of freedom has the squared coefficient of variation 2 / df."""
    design = Design(repeats, blocks)
    found = design.sums_of_squares(table(design, 3, 20_000)) @ design.solve()[0]
    assert design.degrees(TRUTH) == pytest.approx(2 * found.mean() ** 2 / found.var(), rel=0.08)


# ---- limits


@pytest.mark.parametrize("blocks", [(3, 4, 6), (1, 1, 2)])
def test_with_one_repeat_groups_count_as_rest(blocks: tuple[int, ...]) -> None:
    design = Design(1, blocks)
    found = design.solve()[1] @ design.sums_of_squares(table(design, 5, 40_000)).mean(0)
    assert found[1] == 0
    assert found == pytest.approx([TRUTH[0], 0, TRUTH[1] + TRUTH[2]], abs=0.1)


@pytest.mark.parametrize(("repeats", "blocks"), [(1, (1,) * 6), (3, (1, 1)), (7, (1,) * 7)])
def test_folds_of_one_group_each_still_tell_the_variance_of_the_mean(repeats: int, blocks: tuple[int, ...]) -> None:
    """Leave one case out: a training cannot be told from its only cell, but the mean does not need that."""
    design = Design(repeats, blocks)
    weights, _ = design.solve()
    assert weights @ brute_expectations(design) == pytest.approx(brute_of_mean(design))


def test_a_design_says_where_its_blocks_are() -> None:
    design = Design(3, (2, 5, 1))
    assert (design.groups, design.trainings, design.starts.tolist()) == (8, 9, [0, 2, 7])
    assert design.block_of.tolist() == [0, 0, 1, 1, 1, 1, 1, 2]
    other = design.at(7)
    assert (other.repeats, other.blocks, other.trainings) == (7, (2, 5, 1), 21)


@pytest.mark.parametrize(
    ("repeats", "blocks", "message"),
    [
        (1, (9,), "one training"),
        (6, (1,), "one group"),
        (2, (3, 0, 4), "no such design"),
        (2, (3, -1), "no such design"),
        (2, (), "no such design"),
        (0, (3, 4), "no such design"),
    ],
)
def test_designs_that_cannot_be_are_refused(repeats: int, blocks: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Design(repeats, blocks)


@pytest.mark.parametrize("shape", [(3, 2), (2, 4), (3,), (2, 3, 1)])
def test_a_table_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"the design is \(2, 3\)"):
        Design(2, (3,)).sums_of_squares(np.zeros(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_table_with_a_hole_is_refused(value: float) -> None:
    values = np.zeros((2, 3))
    values[1, 2] = value
    with pytest.raises(ValueError, match="NaN or infinity"):
        Design(2, (3,)).sums_of_squares(values)
