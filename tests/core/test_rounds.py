"""Rounds and samples within rounds: intervals that cover, changes that are told, and what one round can't tell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from harness.core import rounds

TRUTH = 1_000_000.0
#: Standard deviation between rounds, drift from the first round to the last, and the law of the rounds' effects.
WEATHERS = {
    "quiet": (0.0, 0.0, "normal"),
    "1 %": (0.01, 0.0, "normal"),
    "3 %": (0.03, 0.0, "normal"),
    "10 %": (0.1, 0.0, "normal"),
    "drift": (0.03, 0.03, "normal"),
    "heavy tails": (0.03, 0.0, "t"),
}


def draw(chance: np.random.Generator, weather: str, trials: int, count: int = 5) -> NDArray[np.float64]:
    """Medians of rounds of 60 samples with long tails, shape (trials, count). A drift starts at any point of itself."""
    deviation, drift, law = WEATHERS[weather]
    effects = chance.standard_t(4, (trials, count)) if law == "t" else chance.standard_normal((trials, count))
    # a run takes its rounds from a random stretch of a slow sawtooth, half a period long
    phase = (chance.random((trials, 1)) + np.linspace(0, 0.5, count)) % 1 - 0.5
    centre = deviation * effects + drift * phase
    samples = chance.standard_normal((trials, count, 60)) * 0.02
    late = chance.random(samples.shape) < 0.02  # now and then an interrupt
    samples = np.where(late, samples + chance.exponential(0.5, samples.shape), samples)
    shift = 0.02 * scipy_stats.norm.ppf(0.5 / 0.98)  # the long-run median of such samples lies a little above 0
    return np.asarray(TRUTH * np.exp(np.median(samples, axis=2) - shift + centre))


@pytest.mark.parametrize("weather", WEATHERS)
def test_the_interval_of_five_rounds_holds_the_truth_as_often_as_it_says(weather: str) -> None:
    trials = 4000
    medians = draw(np.random.default_rng(15), weather, trials)
    found = [rounds.estimate(row) for row in medians]
    covered = sum(each.low <= TRUTH <= each.high for each in found) / trials
    assert 0.93 <= covered <= 0.975, covered


@pytest.mark.parametrize("weather", WEATHERS)
def test_a_build_is_no_other_than_itself_in_any_weather(weather: str) -> None:
    chance = np.random.default_rng(16)
    a, b = (draw(chance, weather, 4000) for _ in range(2))
    alarms = sum(rounds.ratio(x, y).p_value < 0.05 for x, y in zip(a, b, strict=True)) / 4000
    assert alarms <= 0.06, alarms


def test_two_sides_in_different_weather_are_no_alarm_either() -> None:
    chance = np.random.default_rng(17)
    a, b = draw(chance, "quiet", 4000), draw(chance, "10 %", 4000)
    assert sum(rounds.ratio(x, y).p_value < 0.05 for x, y in zip(a, b, strict=True)) / 4000 <= 0.06


def test_a_slower_build_is_found() -> None:
    chance = np.random.default_rng(18)
    a, b = draw(chance, "3 %", 1000), draw(chance, "3 %", 1000) * 1.1
    found = [rounds.ratio(x, y) for x, y in zip(a, b, strict=True)]
    assert sum(each.p_value < 0.05 for each in found) > 950
    assert np.mean([each.interval.low <= 1.1 <= each.interval.high for each in found]) > 0.93


def test_ratio_is_welchs_t_on_logarithms() -> None:
    a, b = [10.0, 11.0, 10.5, 10.2], [12.0, 11.0, 11.8]
    known = scipy_stats.ttest_ind(np.log(b), np.log(a), equal_var=False)
    found = rounds.ratio(a, b)
    assert found.p_value == pytest.approx(known.pvalue)
    low, high = known.confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_samples_belong_to_their_rounds_in_order() -> None:
    assert rounds.medians([1, 2, 3, 10, 20, 30, 40], [3, 4]).tolist() == [2.0, 25.0]
    assert [part.tolist() for part in rounds.split([5, 6, 7], [1, 2])] == [[5], [6, 7]]
    with pytest.raises(ValueError, match="are not 3 samples"):
        rounds.split([1, 2, 3], [2])


def test_more_samples_in_a_round_say_nothing_of_the_spread_between_rounds() -> None:
    few, many = ([9, 10, 11] * 3 + [19, 20, 21] * 3), ([9, 10, 11] * 300 + [19, 20, 21] * 300)
    assert rounds.estimate(rounds.medians(few, [9, 9])) == rounds.estimate(rounds.medians(many, [900, 900]))


def test_the_interval_is_wider_with_fewer_rounds() -> None:
    found = [rounds.half_width(rounds.estimate(([10.0, 11.0] * 5)[:count])) for count in (2, 4, 8)]
    assert found == sorted(found, reverse=True)


def test_one_round_tells_neither_an_interval_nor_a_change() -> None:
    for call in (
        lambda: rounds.estimate([5.0]),
        lambda: rounds.ratio([5.0], [6.0, 6.1]),
        lambda: rounds.ratio([5, 5], [6]),
    ):
        with pytest.raises(rounds.TooFewRoundsError, match="there is one"):
            call()


def test_rounds_without_any_spread_are_a_clock_without_noise() -> None:
    assert rounds.ratio([5.0, 5.0], [5.0, 5.0]).p_value == 1
    changed = rounds.ratio([5.0, 5.0], [6.0, 6.0])
    assert changed.p_value == 0
    assert changed.interval.low == changed.interval.high == pytest.approx(1.2)


def test_the_number_of_rounds_that_would_tell_does() -> None:
    assert rounds.rounds_to_tell(0.03, None) is None
    count = rounds.rounds_to_tell(0.03, 0.02)
    assert count is not None
    chance = np.random.default_rng(19)
    a, b = (np.exp(chance.standard_normal((2000, count)) * 0.02 + shift) for shift in (0.0, math.log(1.03)))
    told = np.mean([rounds.ratio(x, y).p_value < 0.05 for x, y in zip(a, b, strict=True)])
    assert 0.87 < told < 0.96
    assert rounds.rounds_to_tell(0.03, 0.0) == 2
    assert rounds.rounds_to_tell(0.001, 5.0) is None


def test_spread_is_known_from_the_side_that_has_rounds() -> None:
    assert rounds.spread([5.0], [6.0]) is None
    assert rounds.spread([5.0], [6.0, 6.6]) == pytest.approx(np.std(np.log([6.0, 6.6]), ddof=1))


def test_precision_asks_for_more_rounds_until_it_is_there() -> None:
    assert rounds.more_rounds([5.0], 0.02) == 1
    assert rounds.more_rounds([5.0, 5.0, 5.0], 0.02) == 0
    more = rounds.more_rounds([1.0, 1.05, 0.95, 1.02, 0.98], 0.02)
    assert more is not None
    assert 5 < more < 40
    assert rounds.more_rounds([1.0, 100.0], 0.001) is None


def test_a_series_that_ends_where_it_is_narrow_still_covers() -> None:
    """With the rule from five rounds on it would be less often, since a spread that is small by luck ends it."""
    chance = np.random.default_rng(15)
    covered, counts = 0, []
    for _ in range(400):
        medians = list(np.exp(chance.standard_normal(rounds.STOP_FROM) * 0.02))
        while not rounds.narrow(medians, 0.015):
            medians.append(math.exp(chance.standard_normal() * 0.02))
        found = rounds.estimate(medians)
        covered += found.low <= 1 <= found.high
        counts.append(len(medians))
        assert rounds.half_width(found) <= 0.015 * 1.0001
    assert 0.92 <= covered / 400 <= 0.98
    assert min(counts) == rounds.STOP_FROM < max(counts)


def test_few_rounds_never_end_a_series() -> None:
    assert not rounds.narrow([5.0] * 9, 0.5)
    assert rounds.narrow([5.0] * 10, 0.5)
    assert rounds.more_rounds([5.0] * 7, 0.5, fewest=10) == 3
    assert rounds.more_rounds([5.0], 0.5, fewest=10) == 9


def test_a_change_that_the_canary_shows_too_is_the_machines() -> None:
    chance = np.random.default_rng(20)

    def side(speed: float, build: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        noise = chance.standard_normal((2, 5)) * 0.01
        return build * speed * np.exp(noise[0]), speed * np.exp(noise[1])

    same_build = rounds.machine(side(1.0, 3.0), side(1.5, 3.0))
    assert same_build is not None
    assert same_build.change == pytest.approx(1.5, rel=0.05)
    assert same_build.p_value > 0.01
    slower_build = rounds.machine(side(1.0, 3.0), side(1.5, 3.6))
    assert slower_build is not None
    assert slower_build.p_value < 0.01
    assert slower_build.ratio.value == pytest.approx(1.2, rel=0.05)
    assert rounds.machine(([1.0, 1.0], [1.0]), ([1.0, 1.0], [1.0, 1.0])) is None


def test_a_difference_within_rounds_knows_nothing_of_what_both_sides_share() -> None:
    """Rounds that differ by a tenth, and two sides in them that differ by a thousandth."""
    chance = np.random.default_rng(18)
    level = TRUTH * (1 + 0.1 * chance.standard_normal((4000, 8)))
    noise = 50 * chance.standard_normal((2, 4000, 8))
    found = [rounds.difference(a, b) for a, b in zip(level + noise[0], level + 1000 + noise[1], strict=True)]
    assert 0.94 <= sum(each.low <= 1000 <= each.high for each in found) / 4000 <= 0.96
    assert all(each.low > 0 for each in found)
    assert all(each.low < each.value < each.high for each in found)


def test_a_difference_of_nothing_holds_zero() -> None:
    chance = np.random.default_rng(19)
    a, b = chance.standard_normal((2, 4000, 8))
    found = [rounds.difference(x, y) for x, y in zip(a, b, strict=True)]
    assert 0.94 <= sum(each.low <= 0 <= each.high for each in found) / 4000 <= 0.96


def test_a_difference_needs_the_same_rounds_and_two_of_them() -> None:
    with pytest.raises(rounds.TooFewRoundsError):
        rounds.difference([1.0], [2.0])
    with pytest.raises(ValueError, match="same rounds"):
        rounds.difference([1.0, 2.0], [2.0])
