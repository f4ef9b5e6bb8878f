import numpy as np
import pytest
from scipy import stats

from benchmark.stats import generator, pseudo
from benchmark.stats.generator import MILD, STRONG, Effects, Experiment
from benchmark.stats.metrics import confusion_by_group

BLOCKS = (3, 1, 4)
BLOCK = np.repeat(np.arange(3), BLOCKS)


def simulate(seed: int, gain: float = 0.0, repeats: int = 2, effects: Effects = STRONG) -> Experiment:
    return generator.simulate(np.random.default_rng(seed), repeats, BLOCKS, effects, gain)


def gains(n: int, gain: float, effects: Effects = STRONG) -> np.ndarray:
    """Gains of macro-F1 of many experiments, all different."""
    arms = [generator.tallies(simulate(seed, gain, 3, effects), 8) for seed in range(n)]
    return np.array([(pseudo.macro(arm) - pseudo.macro(baseline)).mean() for arm, baseline in arms])


# ---- simulated experiments


@pytest.mark.parametrize(("repeats", "blocks"), [(1, (2, 2)), (3, (5,)), (4, (1, 3, 2))])
def test_an_experiment_has_one_metaphase_a_group(repeats: int, blocks: tuple[int, ...]) -> None:
    groups = sum(blocks)
    found = generator.simulate(np.random.default_rng(0), repeats, blocks, MILD)
    assert found.truth.shape == found.group.shape == (groups * 46,)
    assert found.arm.shape == found.baseline.shape == (repeats, groups * 46)
    for predicted in (found.arm, found.baseline):
        assert predicted.min() >= 0 and predicted.max() < 24
    assert np.array_equal(found.group, np.repeat(np.arange(groups), 46))
    for one in found.truth.reshape(groups, 46):
        count = np.bincount(one, minlength=24)
        assert (count[:22] == 2).all() and tuple(count[22:]) in ((2, 0), (1, 1))


def test_both_sexes_occur() -> None:
    found = generator.simulate(np.random.default_rng(0), 1, (100, 100), MILD).truth.reshape(200, 46)
    assert 70 < (found[:, -1] == 23).sum() < 130


def test_one_seed_gives_one_experiment() -> None:
    one, same, other = simulate(1), simulate(1), simulate(2)
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one.arm, other.arm)
    assert not np.array_equal(one.arm, one.baseline) and not np.array_equal(one.arm[0], one.arm[1])


@pytest.mark.parametrize("effects", [MILD, STRONG])
def test_without_a_gain_the_arms_are_exchangeable(effects: Effects) -> None:
    """The gain is as often above zero as below, and its two halves are of one distribution."""
    found = gains(600, 0.0, effects)
    assert abs(found.mean()) < 4 * stats.sem(found)
    assert stats.binomtest(int((found > 0).sum()), len(found)).pvalue > 1e-4
    assert stats.ks_2samp(found, -found).pvalue > 1e-4


def test_a_gain_on_the_logit_scale_is_a_gain_in_macro_f1() -> None:
    found = [gains(150, gain) for gain in (-1.0, 0.5, 1.0, 2.0)]
    low, half, one, two = (each.mean() for each in found)
    assert low < 0 < half < one < two
    assert all(abs(each.mean()) > 5 * stats.sem(each) for each in found)
    assert low == pytest.approx(-one, abs=5 * stats.sem(found[0])), "the sign turns with the arms"


def test_a_gain_is_shared_between_the_arms() -> None:
    """Chance of being right, without any effect: the level ± half the gain; a wrong guess may still hit."""
    none = Effects(0, 0, 0, 0, level=1.0, classes=0, group=0, image=0, training=0)
    found = generator.simulate(np.random.default_rng(0), 40, (20, 20), none, gain=1.2)
    for predicted, logit in ((found.arm, 1.6), (found.baseline, 0.4)):
        right = 1 / (1 + np.exp(-logit))
        assert (predicted == found.truth).mean() == pytest.approx(right + (1 - right) * 0.4 / 24, abs=0.01)


@pytest.mark.parametrize("name", ["classes", "group", "image", "training"])
def test_shared_effects_make_both_arms_right_or_wrong_together(name: str) -> None:
    shared = {"classes": 0.0, "group": 0.0, "image": 0.0, "training": 0.0}

    def phi(values: dict[str, float]) -> float:
        effects = Effects(0, 0, 0, 0, level=0.5, **values)
        drawn = generator.simulate(np.random.default_rng(0), 10, (20, 15), effects)
        right = [(predicted == drawn.truth).ravel() for predicted in (drawn.arm, drawn.baseline)]
        return float(np.corrcoef(right)[0, 1])

    assert abs(phi(shared)) < 0.03
    assert phi(shared | {name: 1.5}) > 0.1


def correlations(drawn: Experiment, blocks: tuple[int, ...]) -> dict[str, float]:
    """Of the arms' difference in two predictions that share no more than what is named."""
    difference = (drawn.arm == drawn.truth).astype(float) - (drawn.baseline == drawn.truth)
    row, image = np.arange(len(drawn.arm))[:, None] * 10_000, np.arange(len(drawn.truth))
    block = np.repeat(np.arange(len(blocks)), blocks)[drawn.group]
    by_class = {"block": block * 24 + drawn.truth, "group": drawn.group * 24 + drawn.truth}

    def pairs(shared: np.ndarray) -> np.ndarray:
        """Sum of products, and number, of pairs in one cluster."""
        sums, counts = (np.bincount((shared + 0 * row).ravel(), each.ravel()) for each in (difference, difference**0))
        return np.array([(sums**2).sum(), (counts**2).sum()])

    same_image, itself = pairs(image), pairs(row + image)
    class_of_training = pairs(row + by_class["block"]) - pairs(row + by_class["group"])
    found = {
        "training": pairs(row + block) - pairs(row + drawn.group) - class_of_training,
        "training and class": class_of_training,
        "group": pairs(drawn.group) - pairs(row + drawn.group) - same_image + itself,
        "image": same_image - itself,
        "repeat and class, in another fold": pairs(row + drawn.truth) - pairs(row + by_class["block"]),
    }
    return {name: float(products / number / (difference**2).mean()) for name, (products, number) in found.items()}


@pytest.mark.parametrize(
    ("name", "related"),
    [
        ("arm_training", {"training", "training and class"}),
        ("arm_training_class", {"training and class"}),
        ("arm_group", {"group", "image"}),
        ("arm_image", {"image"}),
    ],
)
def test_each_effect_relates_what_shares_it_and_nothing_else(name: str, related: set[str]) -> None:
    chosen = {"arm_group": 0.0, "arm_training": 0.0, "arm_training_class": 0.0, "arm_image": 0.0, name: 1.5}
    effects = Effects(**chosen, level=0.5, classes=0, group=0, image=0, training=0)
    blocks = (25, 20, 30)
    found = correlations(generator.simulate(np.random.default_rng(0), 20, blocks, effects), blocks)
    assert {one for one, value in found.items() if value > 0.1} == related
    assert all(abs(value) < 0.03 for one, value in found.items() if one not in related)


# ---- counts


def test_counts_are_those_of_confusion_matrices() -> None:
    drawn = simulate(0, 0.5)
    for found, predicted in zip(generator.tallies(drawn, 8), (drawn.arm, drawn.baseline), strict=True):
        expected = pseudo.tally(np.stack([confusion_by_group(drawn.truth, p, drawn.group, 8, 24) for p in predicted]))
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == np.float64 and np.array_equal(one, other)


def test_counts_of_groups_in_any_order_and_of_none() -> None:
    drawn = simulate(1)
    order = np.random.default_rng(0).permutation(len(drawn.truth))[:100]
    found = generator.count(drawn.truth[order], drawn.group[order], drawn.arm[:, order], 10)
    matrices = [confusion_by_group(drawn.truth[order], p[order], drawn.group[order], 10, 24) for p in drawn.arm]
    assert all(np.array_equal(a, b) for a, b in zip(found, pseudo.tally(np.stack(matrices)), strict=True))
    assert (found.true[:, 8:] == 0).all() and found.true.sum() == 200


# ---- a null made from real predictions


def marked(repeats: int = 3) -> Experiment:
    """Every prediction names its image, its repeat and its arm; groups hold 2 to 9 images, in any order."""
    group = np.random.default_rng(0).permutation(np.repeat(np.arange(8), np.arange(2, 10)))
    image = np.arange(len(group))
    claims = image + 1000 * np.arange(repeats)[:, None]
    return Experiment(image, group, claims, claims + 100_000)


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_whole_and_in_their_block(seed: int) -> None:
    real = marked()
    found = generator.swapped(real, BLOCKS, np.random.default_rng(seed))
    assert np.unique(found.group).tolist() == list(range(8))
    sources = []
    for column in range(8):
        images = found.truth[found.group == column]
        source = real.group[images[0]]
        assert sorted(images) == np.flatnonzero(real.group == source).tolist()
        assert BLOCK[source] == BLOCK[column]
        sources.append(source)
    assert sources[3] == 3, "the only group of its block"


def test_groups_are_drawn_with_replacement_and_evenly() -> None:
    real = marked()
    counts = np.zeros(8)
    repeated = 0
    for seed in range(600):
        found = generator.swapped(real, BLOCKS, np.random.default_rng(seed))
        first = [real.group[found.truth[found.group == column][0]] for column in range(8)]
        counts += np.bincount(first, minlength=8)
        repeated += len(set(first)) < 8
    assert counts / 600 == pytest.approx(np.ones(8), abs=0.15)
    assert repeated > 300


@pytest.mark.parametrize("seed", range(5))
def test_a_training_changes_its_arm_as_a_whole_or_not_at_all(seed: int) -> None:
    found = generator.swapped(marked(), BLOCKS, np.random.default_rng(seed))
    turned = found.arm >= 100_000
    assert np.array_equal(found.baseline < 100_000, turned), "both arms change places"
    for row in range(3):
        for predicted in (found.arm, found.baseline):
            assert np.array_equal(predicted[row] % 100_000, found.truth + 1000 * row), "of the same image and repeat"
        for block in range(3):
            assert len(np.unique(turned[row, BLOCK[found.group] == block])) == 1


def test_every_training_changes_its_arm_half_of_the_time_and_alone() -> None:
    random = np.random.default_rng(0)
    drawn = [generator.swapped(marked(), BLOCKS, random) for _ in range(1000)]
    first = [[np.flatnonzero(BLOCK[one.group] == block)[0] for block in range(3)] for one in drawn]
    turned = np.stack([(one.arm[:, at] >= 100_000).ravel() for one, at in zip(drawn, first, strict=True)])
    assert turned.mean(0) == pytest.approx(0.5, abs=0.07)
    assert np.corrcoef(turned.T.astype(float)) == pytest.approx(np.eye(9), abs=0.15)


def test_a_real_gain_is_gone_after_swapping() -> None:
    real = simulate(0, 3.0, repeats=4)
    arm, baseline = generator.tallies(real, 8)
    gain = float((pseudo.macro(arm) - pseudo.macro(baseline)).mean())
    random = np.random.default_rng(0)
    null = [generator.tallies(generator.swapped(real, BLOCKS, random), 8) for _ in range(400)]
    found = np.array([(pseudo.macro(one) - pseudo.macro(other)).mean() for one, other in null])
    assert abs(found.mean()) < 4 * stats.sem(found) < gain / 2
