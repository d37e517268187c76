"""Trend and dispersion against what they are defined to be; and the runner's own copy of the test against ours."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from harness.ondevice.runner.timing import steady as runners_steady
from harness.run.verdict import stability as steady


def noise(count: int, seed: int, spread: float = 0.02) -> list[int]:
    rng = np.random.default_rng(seed)
    values = 1e6 * rng.lognormal(0, spread, count)
    values[rng.random(count) < 0.01] *= 5  # interrupts
    return [int(value) for value in values]


def test_without_a_trend_the_p_value_is_right() -> None:
    """Under no trend, p < 0.05 in 5 % of series (fewer, as signs are discrete)."""
    found = [steady.trend_p_value(noise(400, seed)) for seed in range(1000)]
    assert 0.02 < sum(p < 0.05 for p in found) / 1000 < 0.07


def test_a_trend_is_seen_through_outliers() -> None:
    values = [int(value * (1 + 0.1 * i / 400)) for i, value in enumerate(noise(400, 1))]
    assert steady.trend_p_value(values) < 1e-6
    assert 0.05 < steady.drift(values) < 0.08


def test_few_values_tell_nothing() -> None:
    assert steady.trend_p_value(range(19)) == 1.0
    assert steady.drift([1, 2]) == 0.0
    assert steady.dispersion([1, 2, 3]) == 0.0


def test_constant_series() -> None:
    assert (steady.trend_p_value([5] * 100), steady.drift([5] * 100), steady.dispersion([5] * 100)) == (1.0, 0.0, 0.0)


def test_dispersion_is_interquartile_range_over_median() -> None:
    values = noise(501, 3)
    low, middle, high = np.percentile(values, [25, 50, 75])
    assert steady.dispersion(values) == pytest.approx((high - low) / middle)


@pytest.mark.parametrize("seed", range(20))
def test_the_runner_stops_when_the_series_stops_falling(seed: int) -> None:
    """A start that decays from 3x: not steady while it falls; steady soon after."""
    values = [int(v * (1 + 2 * math.exp(-i / 40))) for i, v in enumerate(noise(2000, seed))]
    assert not runners_steady(values[:60], 0.02)
    ends = next(n for n in range(20, 2000, 20) if runners_steady(values[:n], 0.02))
    tail = np.median(values[ends // 2 : ends]) / np.median(values[1000:])
    assert tail < 1.15
    assert ends < 800


def test_the_runner_agrees_with_us() -> None:
    rng = random.Random(7)
    for _ in range(200):
        count, slope = rng.randrange(10, 300), rng.choice((0, 0.05, 0.3, -0.3))
        values = [int(v * (1 + slope * i / count)) for i, v in enumerate(noise(count, rng.randrange(10**6)))]
        recent = values[len(values) // 2 :]
        expected = len(recent) >= 20 and steady.trend_p_value(recent) >= 0.2
        assert runners_steady(values, 0.0) == expected
    assert runners_steady([100] * 39 + [101] * 40, 0.02)
