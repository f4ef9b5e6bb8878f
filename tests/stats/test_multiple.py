import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.multitest import multipletests

from benchmark.stats.multiple import benjamini_hochberg, holm

# Benjamini & Hochberg 1995, section 4.1: thrombolysis in acute myocardial infarction
THROMBOLYSIS = np.array(
    [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1]
)
METHODS = pytest.mark.parametrize("method", [holm, benjamini_hochberg])
probabilities = arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1))


def test_benjamini_hochberg_claims_what_the_paper_claims() -> None:
    """Four by the false discovery rate, three by Bonferroni and its refinements."""
    assert (benjamini_hochberg(THROMBOLYSIS) <= 0.05).sum() == 4
    assert (holm(THROMBOLYSIS) <= 0.05).sum() == 3


def test_benjamini_hochberg_adjusts_as_scipys_documentation() -> None:
    expected = [0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.06385714, 0.06385714, 0.0645, 0.0765, 0.486]
    expected += [0.58118182, 0.714875, 0.75323077, 0.81321429, 1]
    assert benjamini_hochberg(THROMBOLYSIS) == pytest.approx(expected, abs=1e-8)


def test_holm_adjusts_as_pingouins_documentation() -> None:
    assert holm([0.50, 0.003, 0.32, 0.054, 0.0003]) == pytest.approx([0.64, 0.012, 0.64, 0.162, 0.0015])


@given(probabilities)
def test_benjamini_hochberg_is_statsmodels(p: np.ndarray) -> None:
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_holm_is_statsmodels(size: int) -> None:
    p = np.random.default_rng(size).beta(0.3, 2, size).round(2)
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


@given(st.lists(st.integers(0, 1024), min_size=1, max_size=30), st.integers(1, 200))
def test_holm_claims_what_the_step_down_rule_claims(drawn: list[int], level: int) -> None:
    """In 1024ths, so that no comparison is decided by rounding."""
    claimed = set()
    for step, index in enumerate(sorted(range(len(drawn)), key=drawn.__getitem__)):
        if drawn[index] * (len(drawn) - step) > level:
            break
        claimed.add(index)
    assert set(np.flatnonzero(holm(np.array(drawn) / 1024) <= level / 1024)) == claimed


@METHODS
@given(p=probabilities, seed=st.integers(0, 100))
def test_adjusting_keeps_order_and_never_helps(method, p: np.ndarray, seed: int) -> None:
    adjusted = method(p)
    assert (adjusted >= p).all() and (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
    shuffle = np.random.default_rng(seed).permutation(len(p))
    assert (method(p[shuffle]) == adjusted[shuffle]).all()


@given(probabilities, st.integers(0, 20))
def test_untested_members_of_a_family_count_as_one(p: np.ndarray, untested: int) -> None:
    found = holm(p, family=len(p) + untested)
    assert found == pytest.approx(holm(np.append(p, np.ones(untested)))[: len(p)])
    assert (found >= holm(p)).all()


def test_a_family_is_not_smaller_than_its_members() -> None:
    with pytest.raises(ValueError, match="family of 2 has 3"):
        holm([0.1, 0.2, 0.3], family=2)


@METHODS
def test_nothing_gives_nothing(method) -> None:
    assert method([]).shape == (0,)
    assert holm([], family=3).shape == (0,)


@METHODS
@pytest.mark.parametrize("p", [[0.1, np.nan], [-0.01, 0.5], [0.5, 1.01], [[0.1, 0.2]], 0.1])
def test_what_is_no_row_of_p_values_is_refused(method, p) -> None:
    with pytest.raises(ValueError, match="allowed"):
        method(p)


def test_the_input_is_left_as_it_was() -> None:
    p = THROMBOLYSIS[::-1].copy()
    holm(p)
    benjamini_hochberg(p)
    assert (p == THROMBOLYSIS[::-1]).all()
