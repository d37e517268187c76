"""Tests whether a series of latencies is stable: trend and dispersion, by ranks and signs alone.

Timings have long tails (interrupts, other programs), so nothing here uses a mean or a variance: a few slow runs among
thousands must neither hide a drift nor cause one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def trend_p_value(values: Sequence[int]) -> float:
    """The p-value of there being no trend: Cox and Stuart's sign test ("Some quick sign tests for trend in location
    and dispersion", Biometrika 42, 1955), two-sided, by its normal approximation with continuity correction.

    Each value of the first half is paired with its partner in the second; without a trend as many pairs rise as fall.
    The result is 1.0 below 20 values, since so few are inconclusive.
    """
    half = len(values) // 2
    if half < 10:
        return 1.0
    steps = [later - earlier for earlier, later in zip(values[:half], values[-half:], strict=True)]
    rises, falls = sum(step > 0 for step in steps), sum(step < 0 for step in steps)
    z = max(abs(rises - falls) - 1, 0) / math.sqrt(max(rises + falls, 1))
    return math.erfc(z / math.sqrt(2))


def drift(values: Sequence[int]) -> float:
    """The change of the median from the first third of the series to the last, as a share (0.1 is 10 % slower)."""
    third = len(values) // 3
    if third == 0:
        return 0.0
    first, last = statistics.median(values[:third]), statistics.median(values[-third:])
    return last / first - 1 if first else 0.0


def dispersion(values: Sequence[int]) -> float:
    """Interquartile range over median. Unlike the coefficient of variation it ignores rare slow runs."""
    if len(values) < 4:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / middle if middle else 0.0
