"""Steps and drifts in a series of runs: how often one is found that is there, and one that isn't."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.changepoints import LEAST, _merged_sums, _sums, changes

RUNS = 30


def noise(seed: int, spread: float, n: int = RUNS) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).normal(0, spread, n)) * 5e6


@pytest.mark.parametrize(("spread", "resolution"), [(1e-4, 0.001), (0.01, 0.02), (0.05, 0.02)])
def test_histories_in_which_nothing_changed_have_few_false_alarms(spread: float, resolution: float) -> None:
    found = [changes(noise(seed, spread).tolist(), resolution) for seed in range(60)]
    assert sum(bool(each.steps or each.drift) for each in found) <= 7  # 5 % are 3; 8 or more have a chance of 1 %
    assert sum(each.p_value < 0.05 for each in found) <= 8


@pytest.mark.parametrize("at", [LEAST, 10, 15, RUNS - LEAST])
def test_a_step_is_found_where_it_is(at: int) -> None:
    values = noise(1, 0.003)
    values[at:] *= 1.05
    found = changes(values.tolist(), 0.02)
    assert [step.at for step in found.steps] == [at]
    assert found.steps[0].ratio == pytest.approx(1.05, abs=0.01)
    assert found.drift is None


def test_two_steps_are_two() -> None:
    values = noise(2, 0.003)
    values[8:20] *= 1.06
    found = changes(values.tolist(), 0.02)
    assert [step.at for step in found.steps] == [8, 20]
    assert [step.ratio > 1 for step in found.steps] == [True, False]


@pytest.mark.parametrize(("spread", "resolution", "slope"), [(1e-4, 0.001, 0.001), (0.01, 0.02, 0.005)])
def test_a_drift_is_a_drift_and_not_many_steps(spread: float, resolution: float, slope: float) -> None:
    for seed in range(20):
        values = noise(seed, spread) * (1 + slope) ** np.arange(RUNS)
        found = changes(values.tolist(), resolution)
        assert found.drift is not None, seed
        assert found.drift.low < (1 + slope) ** (RUNS - 1) * 1.02
        assert found.drift.low <= found.drift.ratio <= found.drift.high
        assert not found.steps


def test_one_odd_run_is_no_change() -> None:
    values = noise(3, 0.002)
    values[12] *= 1.5
    found = changes(values.tolist(), 0.02)
    assert not found.steps
    assert found.drift is None


def test_what_the_clock_cannot_resolve_is_no_change() -> None:
    values = np.full(RUNS, 5_000_000.0)
    values[15:] += 1_000  # a quarter of a timer's interrupt
    assert not changes(values.tolist(), 0.001).steps


def test_equal_and_short_series_have_no_changes() -> None:
    assert changes([7.0] * RUNS, 0.001).p_value == 1.0
    assert changes([1.0, 2.0, 3.0, 4.0, 5.0], 0.001).p_value == 1.0
    assert changes([], 0.001).p_value == 1.0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(1e-3, 1e12), min_size=0, max_size=20), st.floats(1e-4, 0.5))
def test_any_series_has_an_answer(values: list[float], resolution: float) -> None:
    found = changes(values, resolution)
    assert 0 < found.p_value <= 1
    assert all(LEAST <= step.at <= len(values) - LEAST for step in found.steps)
    assert not (found.steps and found.drift)
    assert changes(values, resolution) == found


@given(st.lists(st.sampled_from([0.0, 1e-6, 2e-6, 0.5, 3.0]) | st.floats(0, 1), min_size=2 * LEAST, max_size=70))
@settings(max_examples=60, deadline=None)
def test_sums_of_distances_are_the_same_by_merging(values: list[float]) -> None:
    """Long series are summed another way than short ones."""
    series = np.random.default_rng(0).permuted(np.repeat(np.array([values]) + 14.5, 3, axis=0), axis=1)
    for direct, merged in zip(_sums(series), _merged_sums(series), strict=True):
        assert merged == pytest.approx(direct, rel=1e-9, abs=1e-9)


def test_a_history_of_hundreds_of_runs_takes_seconds_and_little_memory() -> None:
    values = noise(5, 0.003, 300)
    values[150:] *= 1.02
    tracemalloc.start()
    began = time.process_time()
    found = changes(values.tolist(), 0.01)
    seconds, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [step.at for step in found.steps] == [150]
    assert seconds < 30
    assert peak < 100 << 20
