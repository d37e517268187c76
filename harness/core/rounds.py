"""Statistics of two levels: rounds, and samples within a round. NumPy and SciPy only; knows no cells, files or plots.

A round is one process with its own warm-up and samples. What changes between processes and minutes (layout of memory,
clock, heat, neighbours) is the same for all samples of a round, so more samples in a round say nothing about it. As
Kalibera and Jones show ("Rigorous benchmarking in reasonable time", ISMM 2013), an interval must come from the spread
of the highest level that was repeated. Here that is the round: each gives one median, and Student's t on the logarithms
of these medians gives the interval. The medians' spread holds the noise within rounds, too.

The estimate is the geometric mean of the rounds' medians. A median of medians would forgive one bad round in five, but
its standard error is 1.2 times as large with five rounds, and no interval of it exists below six rounds. Rounds that
were disturbed are repeated by whoever measures. A hierarchical bootstrap was tried instead of t: with five rounds it
resamples at most five different values, and its 95 % interval holds the truth in about 85 %.

With one round nothing is known of the spread between rounds: such a question is refused (:class:`TooFewRoundsError`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from harness.core.stats import Interval, Ratio, Samples, TooFewSamplesError, median_of_sorted

#: Share of real changes that :func:`rounds_to_tell` plans to find.
POWER = 0.9
#: More rounds than these are never advised: a machine that needs them is to be made quieter.
MOST_ROUNDS = 1000
#: A series that goes on until its interval is narrow has at least so many rounds. With five, it would often end because
#: the spread looks small by luck, and then the interval is too narrow; see :func:`narrow`.
STOP_FROM = 10

Medians = Sequence[float] | NDArray[np.float64]


class TooFewRoundsError(TooFewSamplesError):
    """The spread between rounds is not known: there is only one round."""

    code = "too-few-rounds"


def split(samples: Samples, counts: Sequence[int]) -> list[NDArray[np.int64]]:
    """The samples of each round.

    Args:
        samples: all samples of a cell, in the order measured, shape (n,).
        counts: how many samples each round has, in order; they add up to n.

    Raises:
        ValueError: they don't add up.
    """
    flat = np.asarray(samples, dtype=np.int64)
    if sum(counts) != len(flat) or min(counts, default=1) < 1:
        raise ValueError(f"rounds of {list(counts)} samples are not {len(flat)} samples")
    return np.split(flat, np.cumsum(counts)[:-1]) if counts else []


def medians(samples: Samples, counts: Sequence[int]) -> NDArray[np.float64]:
    """The median of each round, in the samples' unit, shape (rounds,); see :func:`split`."""
    return np.array([median_of_sorted(np.sort(part)) for part in split(samples, counts)], dtype=np.float64)


def estimate(medians_: Medians, level: float = 0.95) -> Interval:
    """The geometric mean of the rounds' medians with its t interval on the logarithms.

    Args:
        medians_: the median of each round, above 0, at least two rounds.

    Raises:
        TooFewRoundsError: there is one round.
    """
    logs = _logs(medians_)
    _at_least_two(len(logs))
    centre, half = (
        float(np.mean(logs)),
        _quantile(level, len(logs) - 1) * float(np.std(logs, ddof=1)) / len(logs) ** 0.5,
    )
    return Interval(math.exp(centre), math.exp(centre - half), math.exp(centre + half), level)


def half_width(interval: Interval) -> float:
    """How far an interval reaches above its value, as a share: 0.02 is 2 %. (On a log scale both sides are alike.)"""
    return interval.high / interval.value - 1


def spread(*series: Medians) -> float | None:
    """The standard deviation of the logarithms of rounds' medians (0.02 is about 2 %), pooled over several series.

    None where no series has two rounds.
    """
    logs = [_logs(values) for values in series]
    degrees = sum(len(values) - 1 for values in logs if len(values) > 1)
    if not degrees:
        return None
    squares = sum(float(np.sum((values - values.mean()) ** 2)) for values in logs if len(values) > 1)
    return math.sqrt(squares / degrees)


def ratio(a: Medians, b: Medians, level: float = 0.95) -> Ratio:
    """How much b is of a, from the medians of their rounds: the ratio of geometric means with its interval, and the
    p-value of it being 1.

    Welch's t on the logarithms (Welch 1947; degrees of freedom by Satterthwaite 1946): the two sides may have been
    measured in different weather, so their spreads may differ.

    Args:
        a, b: the median of each round, above 0, the same unit.

    Raises:
        TooFewRoundsError: one side has a single round.
    """
    first, second = _logs(a), _logs(b)
    _at_least_two(min(len(first), len(second)))
    effect = float(np.mean(second) - np.mean(first))
    parts = [float(np.var(logs, ddof=1)) / len(logs) for logs in (first, second)]
    error = sum(parts) ** 0.5
    if error < 1e-12:  # no spread at all: a clock without noise
        return Ratio(
            Interval(math.exp(effect), math.exp(effect), math.exp(effect), level), float(abs(effect) < 1e-12), False
        )
    degrees = sum(parts) ** 2 / sum(
        part**2 / (len(logs) - 1) for part, logs in zip(parts, (first, second), strict=True)
    )
    half = _quantile(level, degrees) * error
    p_value = 2 * float(stdtr(degrees, -abs(effect) / error))
    return Ratio(_interval(effect, half, level), p_value, paired=False)


def difference(before: Medians, after: Medians, level: float = 0.95) -> Interval:
    """How much more ``after`` takes than ``before``, from the medians of rounds that measured both, in their unit.

    Student's t on the differences within rounds: what a round does to both sides alike is in neither end. The interval
    may hold zero, and then nothing is known of the difference, not even its sign.

    Args:
        before, after: the median of each round, in the same order of rounds; at least two rounds.

    Raises:
        TooFewRoundsError: there is one round.
        ValueError: the sides have different numbers of rounds.
    """
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(
            f"a difference within rounds needs the same rounds on both sides: {first.shape}, {second.shape}"
        )
    _at_least_two(len(first))
    steps = second - first
    half = _quantile(level, len(steps) - 1) * float(np.std(steps, ddof=1)) / len(steps) ** 0.5
    centre = float(np.mean(steps))
    return Interval(centre, centre - half, centre + half, level)


def rounds_to_tell(effect: float, deviation: float | None, level: float = 0.95) -> int | None:
    """How many rounds each side needs, so that a change of this size is found in :data:`POWER` of all comparisons.

    Args:
        effect: the change as a share; 0.03 is 3 % slower.
        deviation: the spread between rounds, as :func:`spread` gives it; None where it isn't known.

    Returns:
        At least 2; None where the spread is unknown, or where even :data:`MOST_ROUNDS` would not do.
    """
    if deviation is None or effect <= 0:
        return None
    for count in range(2, MOST_ROUNDS + 1):
        degrees = 2 * (count - 1)
        reach = _quantile(level, degrees) + float(stdtrit(degrees, POWER))
        if reach * deviation * (2 / count) ** 0.5 <= math.log1p(effect):
            return count
    return None


def more_rounds(medians_: Medians, wanted: float, level: float = 0.95, *, fewest: int = 2) -> int | None:
    """How many more rounds are likely to make the interval so narrow; 0 where it is.

    The spread so far is taken for the true one, so ask again after each batch of rounds.

    Args:
        wanted: the half width asked for, as a share; 0.02 is 2 %, above 0.
        fewest: so many rounds in all there must be; at least two, the fewest that tell.

    Returns:
        None where even :data:`MOST_ROUNDS` would not do. With one round, whose spread is not known: up to ``fewest``.
    """
    count = len(medians_)
    deviation = spread(medians_)
    if deviation is None:
        return max(fewest - count, 0)
    for total in range(max(count, fewest), max(count, MOST_ROUNDS) + 1):
        if _quantile(level, total - 1) * deviation / total**0.5 <= math.log1p(wanted):
            return total - count
    return None


def narrow(medians_: Medians, wanted: float, level: float = 0.95) -> bool:
    """Whether a series that goes on until its interval is so narrow may end: it is, after :data:`STOP_FROM` rounds.

    The number of rounds then depends on their spread, so the interval holds the truth a little less often than
    ``level``: simulated, in 93 to 95 % instead of 95 %; from five rounds on it would be 92 to 95 %.
    """
    return more_rounds(medians_, wanted, level, fewest=STOP_FROM) == 0


@dataclass(frozen=True)
class Machine:
    """How the machine itself changed between two series of rounds, by the canary that moved most like the cell.

    Attributes:
        change: the canary's ratio b/a; 1.1 is a machine that took 10 % longer for the same loop.
        p_change: of the canary not having changed.
        p_value: that the cell changed as much as this canary did, and no more: the p-value of the ratio of the
            medians, each divided by its round's canary.
        ratio: the cell's ratio b/a beside the canary's, with its interval.
    """

    change: float
    p_change: float
    p_value: float
    ratio: Interval


def machine(a: tuple[Medians, Medians], b: tuple[Medians, Medians]) -> Machine | None:
    """How far a change of the medians is what the canary shows, too.

    Args:
        a, b: the medians of a side's rounds, and the canary's time in each of these rounds (one loop).

    Returns:
        None where a side has a single round or a round without a canary.
    """
    if min(len(a[0]), len(b[0])) < 2 or len(a[0]) != len(a[1]) or len(b[0]) != len(b[1]):
        return None
    beside = [np.exp(_logs(values) - _logs(canary)) for values, canary in (a, b)]
    found, canary = ratio(beside[0], beside[1]), ratio(a[1], b[1])
    return Machine(canary.interval.value, canary.p_value, found.p_value, found.interval)


def _interval(centre: float, half: float, level: float) -> Interval:
    """From logarithms back to the unit."""
    return Interval(math.exp(centre), math.exp(centre - half), math.exp(centre + half), level)


def _logs(values: Medians) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not (found > 0).all():
        raise ValueError("rounds' medians are one row of numbers above 0")
    return np.log(found)


def _at_least_two(count: int) -> None:
    if count < 2:
        raise TooFewRoundsError("the spread between rounds is known from two rounds on, there is one")


@functools.lru_cache(maxsize=4096)
def _quantile(level: float, degrees: float) -> float:
    """Student's t that ``level`` of all values lie within, on both sides."""
    return float(stdtrit(degrees, (1 + level) / 2))
