"""The paired test by random signs: exact where it can be, honest where it is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test

from harness.core import stats
from harness.core.paired import sign_flip


def test_no_difference_has_p_1() -> None:
    same = np.arange(50, dtype=np.float64)
    found = sign_flip(same, same)
    assert (found.higher_a, found.higher_b, found.p_value) == (0, 0, 1.0)


@pytest.mark.parametrize("changed", [1, 3, 6, 12])
def test_right_and_wrong_answers_give_mcnemars_p_value(changed: int) -> None:
    a, b = np.ones(99), np.ones(99)
    b[:changed] = 0
    exact = stats.mcnemar(a.astype(bool), b.astype(bool))
    found = sign_flip(a, b)
    assert (found.higher_a, found.higher_b) == (changed, 0)
    assert found.p_value == pytest.approx(exact.p_value)
    assert found.p_value == pytest.approx(binomtest(0, changed).pvalue)


def test_it_is_scipys_permutation_test() -> None:
    rng = np.random.default_rng(7)
    a = rng.exponential(size=11)
    b = a + rng.normal(0.3, 0.5, size=11)
    theirs = permutation_test(
        (a, b), lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples", vectorized=True,
    )  # fmt: skip
    assert sign_flip(a, b).p_value == pytest.approx(theirs.pvalue, rel=1e-6)


def test_a_drawn_p_value_is_near_the_exact_one() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(size=16)
    b = a + rng.normal(0.45, 0.8, size=16)
    differences = b - a
    signs = 2.0 * ((np.arange(1 << 16)[:, None] >> np.arange(16)) & 1) - 1
    exact = float(np.mean(np.abs(signs @ differences) >= abs(differences.sum()) * (1 - 1e-12)))
    assert exact < 0.1
    assert sign_flip(a, b).p_value == pytest.approx(exact, rel=0.1)


def test_a_clear_difference_survives_a_correction_over_hundreds_of_cells() -> None:
    a = np.zeros(400)
    b = np.full(400, 0.5)
    assert sign_flip(a, b).p_value * 1000 < 0.05


@pytest.mark.parametrize("size", [8, 40, 3_000])
def test_it_is_called_significant_as_rarely_as_it_says(size: int) -> None:
    rng = np.random.default_rng(size)
    found = [sign_flip(rng.normal(size=size), rng.normal(size=size)).p_value < 0.05 for _ in range(300)]
    assert sum(found) <= 27  # 15 expected; 27 is exceeded once in a thousand


def test_many_samples_are_no_wait_and_one_outlier_does_not_decide() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=200_000), rng.normal(0.02, 1, size=200_000)
    assert sign_flip(a, b).p_value < 1e-3
    a, b = np.zeros(6_000), np.zeros(6_000)
    b[0] = 1e300
    assert sign_flip(a, b).p_value > 0.05


@given(st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2), max_size=20))
@settings(max_examples=50, deadline=None)
def test_any_finite_values_have_a_p_value(pairs: list[tuple[float, float]]) -> None:
    a, b = (np.array([pair[side] for pair in pairs], dtype=np.float64) for side in (0, 1))
    forward, back = sign_flip(a, b), sign_flip(b, a)
    assert 0 < forward.p_value <= 1
    assert (forward.higher_a, forward.higher_b) == (back.higher_b, back.higher_a)


def test_other_numbers_of_samples_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="same samples"):
        sign_flip(np.zeros(3), np.zeros(4))
