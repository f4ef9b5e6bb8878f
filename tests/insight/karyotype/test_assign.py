from itertools import combinations, product

import numpy as np
import pytest
from scipy.special import log_softmax

from benchmark.insight.karyotype.assign import SEXES, X, Y, constrained, karyotype


def cell(sex: str = "XX") -> np.ndarray:
    return SEXES[sex].copy()


def logits(said: np.ndarray, seed: int = 0, sure: float = 6.0) -> np.ndarray:
    """Of a network that says this, with some noise in the other classes."""
    return np.eye(24)[said] * sure + np.random.default_rng(seed).normal(0, 0.3, (len(said), 24))


@pytest.mark.parametrize("sex", ["XX", "XY"])
def test_a_cell_that_is_read_rightly_stays_as_it_is(sex: str) -> None:
    said, found = karyotype(logits(cell(sex)))
    assert said.tolist() == cell(sex).tolist() and found == sex


@pytest.mark.parametrize(("truth", "taken", "at"), [(7, X, 14), (20, 21, 41), (8, 10, 17)])
def test_one_error_that_makes_a_third_copy_is_mended(truth: int, taken: int, at: int) -> None:
    given = logits(cell("XX"))
    assert cell("XX")[at] == truth
    given[at, truth], given[at, taken] = 5.0, 5.5  # nearly as sure of the truth, but for itself it is wrong
    assert given[at].argmax() == taken
    assert karyotype(given)[0].tolist() == cell("XX").tolist()


def test_a_swap_of_two_is_beyond_it() -> None:
    said = cell("XX")
    said[[40, 42]] = said[[42, 40]]  # a 21 for a 22 and the reverse: two of each all the same
    assert karyotype(logits(said))[0].tolist() == said.tolist()


def test_one_x_and_one_y_and_never_two_of_y() -> None:
    given = logits(cell("XY"))
    given[44, Y] = given[44, X] + 1.0  # both are taken for Y; the second is surer
    assert (given.argmax(1) == Y).sum() == 2
    said, sex = karyotype(given)
    assert sex == "XY" and said[44:].tolist() == [X, Y]


@pytest.mark.parametrize("missing", [[0], [44], [45], [3, 17, 44, 45], list(range(0, 46, 2))])
def test_missing_chromosomes_leave_their_places_empty(missing: list[int]) -> None:
    truth = np.delete(cell("XY"), missing)
    assert karyotype(logits(truth))[0].tolist() == truth.tolist()


def test_of_more_than_46_the_surplus_keeps_its_own_class() -> None:
    truth = np.append(cell("XX"), [20, 4])  # a third 21 and a third 5
    said = karyotype(logits(truth))[0]
    assert said.tolist() == truth.tolist()
    given = logits(truth)
    given[14, 7], given[14, X] = 5.0, 5.5
    assert np.bincount(karyotype(given)[0], minlength=24)[X] <= 3, "and the others are still held to two of each"


def test_two_of_each_at_most_whatever_the_logits() -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        said, sex = karyotype(random.normal(0, 3, (int(random.integers(1, 47)), 24)))
        counts = np.bincount(said, minlength=24)
        assert counts[:22].max() <= 2 and counts[X] + counts[Y] <= 2
        assert counts[Y] <= (sex == "XY") and counts[X] <= 2


def test_it_is_the_likeliest_of_all_by_trying_all() -> None:
    """Five images and a choice among four classes, every assignment tried."""
    classes = [0, 1, X, Y]
    for seed in range(5):
        given = np.full((5, 24), -30.0)
        given[:, classes] = np.random.default_rng(seed).normal(0, 2, (5, 4))
        chances = log_softmax(given, axis=1)
        best, told = -np.inf, ()
        for said in product(classes, repeat=5):
            allowed = (
                all(said.count(one) <= 2 for one in classes[:2])
                and said.count(X) + said.count(Y) <= 2
                and said.count(Y) < 2
            )
            total = sum(chances[i, one] for i, one in enumerate(said))
            if allowed and total > best:
                best, told = total, said
        assert tuple(karyotype(given)[0].tolist()) == told


def test_of_equal_chances_it_decides_the_same_way_every_time() -> None:
    given = np.zeros((46, 24), dtype=np.float16)
    first, second = karyotype(given), karyotype(given)
    assert first[0].tolist() == second[0].tolist() and first[1] == "XX"
    assert np.bincount(first[0], minlength=24).tolist() == [2] * 23 + [0]


def test_cells_and_repeats_are_read_each_by_itself_and_unknown_cells_not_at_all() -> None:
    truth = np.concatenate([cell("XX"), cell("XY"), [5, 5, 5]])
    numbers = np.repeat([0, 1, -1], [46, 46, 3])
    order = np.random.default_rng(0).permutation(len(truth))
    given = np.stack([logits(truth, seed=1), logits(truth, seed=2)])
    given[1, 14, 7], given[1, 14, X] = 5.0, 5.5
    said = constrained(given[:, order], numbers[order])
    assert (said == truth[order]).all(), "three of one class stay where no cell is known"
    for one, other in combinations(range(2), 2):
        assert said[one].tolist() == said[other].tolist()
