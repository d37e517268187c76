"""Statistics: against their definitions, against SciPy, and where they must refuse."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core import stats

FLOORS = {90.0: 64, 95.0: 130, 97.0: 219, 99.0: 662}


def exact_cdf(t: int, q: int, tail: Fraction) -> Fraction:
    return sum((comb(q, k) * tail**k * (1 - tail) ** (q - k) for k in range(t + 1)), Fraction(0))


@pytest.mark.parametrize(("percent", "floor"), FLOORS.items())
def test_floors_are_the_first_where_early_stopping_has_something_to_say(percent: float, floor: int) -> None:
    tail = 1 - Fraction(percent) / 100
    assert exact_cdf(1, floor, tail) < Fraction(1, 100) <= exact_cdf(1, floor - 1, tail)
    assert stats.floor(percent) == stats._search_floor(1 - percent / 100) == floor


@pytest.mark.parametrize("percent", FLOORS)
def test_below_its_floor_a_percentile_is_refused(percent: float) -> None:
    samples = list(range(stats.floor(percent)))
    stats.percentile(samples, percent)
    stats.early_stopping(samples, percent)
    for function in (stats.percentile, stats.early_stopping):
        with pytest.raises(stats.TooFewSamplesError, match=f"at least {len(samples)} samples"):
            function(samples[1:], percent)


@pytest.mark.parametrize("count", [64, 65, 99, 150, 198, 500, 1024])
def test_early_stopping_is_mlperfs_definition(count: int) -> None:
    t, below = -1, 0  # P[Binomial(count, 1/10) <= t] * 10**count, in whole numbers
    while 100 * (below + comb(count, t + 1) * 9 ** (count - t - 1)) < 10**count:
        t += 1
        below += comb(count, t) * 9 ** (count - t)
    samples = np.random.default_rng(0).permutation(count)
    kept = sorted(samples)[: count - (t - 1)]
    assert stats.early_stopping(samples) == kept[-1]


def test_early_stopping_is_above_the_true_percentile_99_times_in_100() -> None:
    rng = np.random.default_rng(1)
    true = -np.log(0.1)  # p90 of the exponential distribution
    above = sum(stats.early_stopping(rng.exponential(size=99)) >= true for _ in range(2000))
    assert above >= 0.985 * 2000


def test_percentile_is_a_value_that_was_measured() -> None:
    samples = np.arange(1000) ** 2
    for percent in (50, 90, 95, 97, 99):
        assert stats.percentile(samples, percent) in samples
    with pytest.raises(ValueError, match="below 100"):
        stats.percentile(samples, 100)


@pytest.mark.parametrize("function", [stats.median, stats.median_interval, stats.bootstrap_median])
def test_nothing_is_made_of_no_samples(function: object) -> None:
    with pytest.raises(stats.TooFewSamplesError):
        function([])  # type: ignore[operator]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 10**9), min_size=6, max_size=200))
def test_intervals_hold_their_median(samples: list[int]) -> None:
    for found in (stats.median_interval(samples), stats.bootstrap_median(samples, resamples=200)):
        assert found.low <= found.value <= found.high
        assert min(samples) <= found.low
        assert found.high <= max(samples)


def test_the_medians_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    hits = sum(i.low <= 0 <= i.high for i in (stats.median_interval(rng.normal(size=99)) for _ in range(2000)))
    assert 0.945 <= hits / 2000 <= 0.985


def test_bootstrap_is_the_same_each_time() -> None:
    samples = np.random.default_rng(3).normal(100, 5, 99)
    assert stats.bootstrap_median(samples) == stats.bootstrap_median(samples)
    assert stats.bootstrap_ratio(samples, samples * 1.1) == stats.bootstrap_ratio(samples, samples * 1.1)


@pytest.mark.parametrize(("only_a", "only_b", "p"), [(0, 0, 1.0), (0, 5, 0.0625), (0, 6, 0.03125), (3, 3, 1.0)])
def test_mcnemar_is_the_binomial_test_on_discordant_pairs(only_a: int, only_b: int, p: float) -> None:
    a = np.array([True] * only_a + [False] * only_b + [True] * 10)
    b = np.array([False] * only_a + [True] * only_b + [True] * 10)
    found = stats.mcnemar(a, b)
    assert (found.only_a, found.only_b) == (only_a, only_b)
    assert found.p_value == pytest.approx(p)
    with pytest.raises(ValueError, match="same images"):
        stats.mcnemar(a, b[1:])


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_its_definition(p_values: list[float]) -> None:
    adjusted = stats.holm(p_values)
    order = np.argsort(p_values, kind="stable")
    steps = [min(1.0, (len(p_values) - i) * p_values[j]) for i, j in enumerate(order)]
    assert [adjusted[j] for j in order] == pytest.approx(list(itertools.accumulate(steps, max)))


def test_wilson_stays_within_0_and_1() -> None:
    assert stats.wilson(99, 99).high == pytest.approx(1)
    assert stats.wilson(98, 99).low == pytest.approx(0.945, abs=0.001)


def test_a_ratio_finds_a_slowdown_and_pairs_images() -> None:
    rng = np.random.default_rng(4)
    image = rng.uniform(0.5, 2, 99)  # images that cost very differently hide a change unless they are paired
    a = np.tile(image, 5) * rng.normal(1, 0.01, 495)
    b = np.tile(image, 5) * rng.normal(1, 0.01, 495) * 1.05
    found = stats.bootstrap_ratio(a, b, images=99)
    assert found.paired
    assert found.interval.low <= found.interval.value <= found.interval.high
    assert found.interval.value == pytest.approx(1.05, abs=0.02)
    assert not stats.bootstrap_ratio(a, b).paired
    assert not stats.bootstrap_ratio(a, b, images=98).paired


def test_a_ratio_of_counted_instructions_needs_no_spread() -> None:
    a = [3_000_000] * 99
    same = stats.bootstrap_ratio(a, a, images=99)
    assert (same.interval.low, same.interval.high, same.p_value) == (1, 1, 1)
    slower = stats.bootstrap_ratio(a, [3_090_000] * 99, images=99)
    assert slower.p_value == 0
    assert slower.interval.low == pytest.approx(1.03)


def test_a_comparison_needs_samples() -> None:
    with pytest.raises(stats.TooFewSamplesError, match="20 samples"):
        stats.bootstrap_ratio([1.0] * 19, [1.0] * 99)


def test_drift_within_a_run_counts_as_noise() -> None:
    rng = np.random.default_rng(5)
    drift = np.repeat(rng.normal(1, 0.05, 10), 50)  # ten slow phases: 500 samples, but only ten independent ones
    other = np.repeat(rng.normal(1, 0.05, 10), 50)
    found = stats.bootstrap_ratio(drift * rng.normal(1, 0.001, 500), other * rng.normal(1, 0.001, 500))
    assert found.interval.high - found.interval.low > 0.02
