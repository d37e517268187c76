"""Statistics of one series of samples, and of two. It uses only NumPy and SciPy and knows no cells, files or plots.

A statistic that needs more samples than there are raises :class:`TooFewSamplesError`; it is never guessed.
Sources are named where a method is used; docs/statistics.md explains the choices.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, ndtr, ndtri

from harness.core.errors import ReportError

Samples: TypeAlias = Sequence[float] | Sequence[int] | NDArray[np.int64] | NDArray[np.float64]

#: The fewest samples for each percentile. With fewer, MLPerf's early stopping can't report it at 99 % confidence
#: (P[Binomial(q, 1 - p) <= 1] < 0.01 does not hold). MLPerf Inference Rules, appendix "Early Stopping".
FLOORS: dict[float, int] = {90.0: 64, 95.0: 130, 97.0: 219, 99.0: 662}
CONFIDENCE = 0.99


class TooFewSamplesError(ReportError):
    """The statistic needs more samples."""

    code = "too-few-samples"


@dataclass(frozen=True)
class Interval:
    """A value with its two-sided confidence interval; ``level`` is e.g. 0.95."""

    value: float
    low: float
    high: float
    level: float = 0.95


def median(samples: Samples) -> float:
    """The median, in the samples' unit.

    Raises:
        TooFewSamplesError: there are no samples.
    """
    if len(samples) == 0:
        raise TooFewSamplesError("a median needs at least 1 sample, there are 0")
    return median_of_sorted(np.sort(np.asarray(samples)))


def median_of_sorted(ordered: NDArray[np.int64] | NDArray[np.float64]) -> float:
    """The median of sorted samples; for a hundred samples several times as fast as ``np.median``."""
    middle = len(ordered) // 2
    low = ordered[middle] if len(ordered) % 2 else ordered[middle - 1]
    return (float(low) + float(ordered[middle])) / 2


def floor(percent: float) -> int:
    """The number of samples that a percentile needs at 99 % confidence (p90 64, p95 130, p97 219, p99 662)."""
    if percent in FLOORS:
        return FLOORS[percent]
    if percent <= 50:
        return 1
    if not percent < 100:
        raise ValueError("a percentile lies below 100")
    return _search_floor(1 - percent / 100)


@functools.cache
def _search_floor(tail: float) -> int:
    low, high = 1, 2
    while _binomial(1, high, tail) >= 1 - CONFIDENCE:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _binomial(1, middle, tail) < 1 - CONFIDENCE else (middle, high)
    return high


def percentile(samples: Samples, percent: float) -> float:
    """The empirical percentile in the samples' unit (nearest rank, so it is one of the samples).

    Raises:
        TooFewSamplesError: fewer samples than :func:`floor` asks for.
    """
    needed = floor(percent)
    if len(samples) < needed:
        raise TooFewSamplesError(f"p{percent:g} needs at least {needed} samples, there are {len(samples)}")
    return float(np.percentile(np.asarray(samples), percent, method="inverted_cdf"))


def early_stopping(samples: Samples, percent: float = 90.0) -> float:
    """MLPerf's early-stopping estimate of a percentile: an upper bound with 99 % confidence.

    With t the largest number so that P[Binomial(q, 1 - p) <= t] < 0.01, the t - 1 highest of the q samples are dropped
    and the highest left is reported (MLPerf Inference Rules, SingleStream).

    Raises:
        TooFewSamplesError: fewer samples than :func:`floor` asks for.
    """
    count, needed = len(samples), floor(percent)
    if count < needed:
        raise TooFewSamplesError(f"p{percent:g} needs at least {needed} samples, there are {count}")
    tail = 1 - percent / 100
    return float(np.sort(np.asarray(samples))[count - early_stopping_drop(count, tail) - 1])


@functools.lru_cache(maxsize=4096)
def early_stopping_drop(count: int, tail: float) -> int:
    """The number of highest samples that early stopping drops: t - 1. ``tail`` is 1 - p, e.g. 0.1 for p90."""
    return max(_last_below(1 - CONFIDENCE, count, tail) - 1, 0)


def _binomial(k: int, n: int, p: float) -> float:
    """P[Binomial(n, p) <= k], by scipy.special: the import of scipy.stats takes longer than a small report."""
    return float(bdtr(float(k), n, p))


def _last_below(level: float, n: int, p: float) -> int:
    """The largest k with P[Binomial(n, p) <= k] < level; -1 if there is none."""
    low, high = -1, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _binomial(middle, n, p) < level else (low, middle)
    return low


def median_interval(samples: Samples, level: float = 0.95) -> Interval:
    """The median with its exact, distribution-free interval from order statistics (Conover 1999, section 3.2).

    Both ends are samples. It needs no resampling, so tables use it for every cell. It assumes independent samples;
    :func:`bootstrap_median` and :func:`bootstrap_ratio` are for comparisons.

    Raises:
        TooFewSamplesError: not even the range of all samples holds the median with that confidence (fewer than 6
            samples at 95 %).
    """
    rank = _lower_rank(len(samples), level)
    if rank < 0:
        raise TooFewSamplesError(f"a {level:.0%} interval of the median needs more than {len(samples)} samples")
    ordered = np.sort(np.asarray(samples))
    return Interval(median_of_sorted(ordered), float(ordered[rank]), float(ordered[len(ordered) - 1 - rank]), level)


@functools.lru_cache(maxsize=4096)
def _lower_rank(count: int, level: float) -> int:
    """The 0-based rank of the interval's lower end; negative if there are too few samples."""
    return _last_below((1 - level) / 2, count, 0.5) if count else -1


def bootstrap_median(samples: Samples, *, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Interval:
    """The median with its percentile-bootstrap interval (``scipy.stats.bootstrap``); the same for the same seed.

    Raises:
        TooFewSamplesError: fewer than 6 samples.
    """
    data = np.asarray(samples, dtype=np.float64)
    if len(data) < 6:
        raise TooFewSamplesError(f"a bootstrap interval needs at least 6 samples, there are {len(data)}")
    if np.ptp(data) == 0:  # SciPy warns about degenerate data; there is nothing to resample
        return Interval(float(data[0]), float(data[0]), float(data[0]), level)
    from scipy.stats import bootstrap

    interval = bootstrap(
        (data,), np.median, n_resamples=resamples, confidence_level=level, method="percentile", batch=500,
        vectorized=True, rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return Interval(median(data), float(interval.low), float(interval.high), level)


@dataclass(frozen=True)
class McNemar:
    """Two classifiers on the same images: ``only_a`` right by a alone, ``only_b`` by b alone; two-sided exact p."""

    only_a: int
    only_b: int
    p_value: float


def mcnemar(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> McNemar:
    """McNemar's exact test on paired right/wrong answers (binomial on the discordant pairs; McNemar 1947).

    Args:
        right_a, right_b: shape (n,), whether each classifier was right on each image, in the same order.
    """
    if right_a.shape != right_b.shape or right_a.ndim != 1:
        raise ValueError("McNemar's test needs two series over the same images")
    only_a = int(np.count_nonzero(right_a & ~right_b))
    only_b = int(np.count_nonzero(~right_a & right_b))
    p = min(1.0, 2 * _binomial(min(only_a, only_b), only_a + only_b, 0.5)) if only_a + only_b else 1.0
    return McNemar(only_a, only_b, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given (Holm 1979); compare each with alpha."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def wilson(right: int, total: int, level: float = 0.95) -> Interval:
    """A proportion (accuracy, recall) with its Wilson score interval (Wilson 1927); ``total`` above 0."""
    z, share = float(ndtri((1 + level) / 2)), right / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * (share * (1 - share) / total + z * z / (4 * total * total)) ** 0.5
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half), level)


@dataclass(frozen=True)
class Ratio:
    """The ratio of medians b/a with its interval, and the p-value of the hypothesis that it is 1.

    ``paired`` tells whether the samples were paired (image by image).
    """

    interval: Interval
    p_value: float
    paired: bool


def bootstrap_ratio(
    a: Samples, b: Samples, *, images: int | None = None, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> Ratio:
    """The ratio of medians b/a, with the wider of two bootstrap intervals.

    The first resamples blocks of neighbouring samples of each series (circular block bootstrap, Politis & Romano 1992),
    so slow drift within a run counts as noise. The second resamples images, the same ones in both series
    (``scipy.stats.bootstrap``, paired); it needs whole passes over the same ``images`` in both. The p-value is that of
    log(b/a) = 0 under a normal law with the larger of the two standard errors (Efron & Tibshirani 1993, ch. 12, 13).

    Args:
        a, b: positive samples in the order measured, in the same unit.
        images: the number of samples in one pass over the same images in the same order; None if samples don't pair.

    Raises:
        TooFewSamplesError: fewer than 20 samples in one of them.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if min(len(first), len(second)) < 20:
        raise TooFewSamplesError(f"a comparison needs 20 samples each, there are {len(first)} and {len(second)}")
    resamples = min(resamples, max(200, 50_000_000 // max(len(first), len(second))))  # a million samples need fewer
    rng = np.random.default_rng(seed)
    blocks = np.log(_block_medians(second, resamples, rng)) - np.log(_block_medians(first, resamples, rng))
    draws = [blocks]
    paired = bool(images) and len(first) % int(images or 1) == 0 and len(second) % int(images or 1) == 0
    if paired and images and images >= 20:
        by_image = [np.median(series.reshape(-1, images), axis=0) for series in (first, second)]
        draws.append(_paired_log_ratios(by_image[0], by_image[1], resamples, rng))
    ends = [np.percentile(d, [(1 - level) / 2 * 100, (1 + level) / 2 * 100]) for d in draws]
    ratio = float(np.median(second) / np.median(first))
    # the interval comes from the draws; even if all draws agree it must contain the ratio itself
    low = min(ratio, *(float(np.exp(e[0])) for e in ends))
    high = max(ratio, *(float(np.exp(e[1])) for e in ends))
    p_value = _p_value(float(np.log(ratio)), error=max(float(np.std(d, ddof=1)) for d in draws))
    return Ratio(Interval(ratio, low, high, level), p_value, paired)


def _p_value(effect: float, error: float) -> float:
    if error < 1e-12:
        return 1.0 if abs(effect) < 1e-12 else 0.0
    return float(2 * ndtr(-abs(effect) / error))


def _block_medians(series: NDArray[np.float64], resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Medians of resamples made of blocks of sqrt(n) neighbours; shape (resamples,)."""
    count = len(series)
    length = max(1, round(count**0.5))
    n_blocks = -(-count // length)
    medians = np.empty(resamples)
    step = max(1, min(resamples, 2_000_000 // count))  # bounds memory, whatever the number of samples
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        starts = rng.integers(0, count, (size, n_blocks, 1))
        index = ((starts + np.arange(length)) % count).reshape(size, -1)[:, :count]
        medians[start : start + size] = np.median(series[index], axis=1)
    return medians


def _paired_log_ratios(
    a: NDArray[np.float64], b: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """log(median b / median a) of resamples that take the same images from both; shape (resamples,)."""
    from scipy.stats import bootstrap

    def statistic(x: NDArray[np.float64], y: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray(np.log(np.median(y, axis=axis)) - np.log(np.median(x, axis=axis)))

    result = bootstrap(
        (a, b), statistic, n_resamples=resamples, paired=True, vectorized=True, method="percentile", batch=250, rng=rng
    )
    return np.asarray(result.bootstrap_distribution, dtype=np.float64)
