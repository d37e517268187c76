"""Statistics of answers that come in clusters: frames of one person are alike, so a person is one draw, not each frame.

An interval that takes frames as independent is too narrow: it counts the same person several times. Here everything
comes from the spread between clusters. NumPy and SciPy only; docs/statistics.md explains the choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri, stdtrit

from harness.core.stats import Interval, TooFewSamplesError

#: One cluster an answer: a person's name, for example.
Clusters = Sequence[str]


@dataclass(frozen=True)
class Difference:
    """Two classifiers on the same images: accuracy of a less that of b.

    Attributes:
        interval: the difference with its interval by cluster; 0.02 is two percentage points.
        p_value: of the hypothesis that neither is better on the clusters, two-sided and exact.
    """

    interval: Interval
    p_value: float


def proportion(right: NDArray[np.bool_], clusters: Clusters, level: float = 0.95) -> Interval:
    """The share of right answers with its interval by cluster.

    The interval is that of Korn and Graubard ("Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data", Survey Methodology 24, 1998): Clopper and Pearson's, with the effective
    number of answers in place of their number. That is how many independent answers would have the variance found
    between clusters, adjusted for its degrees of freedom. The variance is that of a ratio, linearised (Cochran,
    Sampling Techniques, 3rd ed. 1977), so clusters may differ in size. The effective number never exceeds the number of
    answers. Where all answers are right, or all wrong, it is the number of clusters.

    In simulations Wilson's interval with the same number, a logit interval and Wald's are 2 to 10 % narrower, and hold
    the truth less often near 1: at 0.99 in 92.6, 92.9 and 89.9 % of the cases, where this one does in 94.2 %.

    Args:
        right: shape (n,), whether each answer was right.
        clusters: the cluster of each answer, in the same order.

    Raises:
        TooFewSamplesError: fewer than two clusters.
        ValueError: not one cluster an answer.
    """
    sums, sizes = _by_cluster(right.astype(np.int64), clusters)
    total, hits = int(sizes.sum()), int(sums.sum())
    share = hits / total
    if hits in (0, total):
        return _clopper_pearson(share, len(sizes), level)
    variance = _variance(sums - share * sizes, total)
    independent = share * (1 - share) / variance if variance > 0 else float(total)
    shrink = (float(ndtri((1 + level) / 2)) / _quantile(level, len(sizes))) ** 2
    return _clopper_pearson(share, min(float(total), independent * shrink), level)


def difference(
    right_a: NDArray[np.bool_], right_b: NDArray[np.bool_], clusters: Clusters, level: float = 0.95
) -> Difference:
    """Whether one of two classifiers is better on the same images.

    The interval is Student's t on the linearised difference of shares by cluster. The p-value is that of a sign-flip
    permutation test (Fisher's randomisation test for pairs, The Design of Experiments, 1935, section 21): if neither is
    better, a cluster's difference could as well have the opposite sign. Differences are whole numbers of images, so the
    distribution over all sign flips is computed exactly, by convolution.

    Args:
        right_a, right_b: shape (n,), whether each classifier was right on each image, in the same order.
        clusters: the cluster of each image.

    Raises:
        TooFewSamplesError: fewer than two clusters.
        ValueError: the series differ in length.
    """
    if right_a.shape != right_b.shape:
        raise ValueError("a paired test needs both answers to each image")
    sums, sizes = _by_cluster(right_a.astype(np.int64) - right_b.astype(np.int64), clusters)
    total = int(sizes.sum())
    value = int(sums.sum()) / total
    half = _quantile(level, len(sizes)) * _variance(sums - value * sizes, total) ** 0.5
    return Difference(Interval(value, max(-1.0, value - half), min(1.0, value + half), level), sign_flip_p_value(sums))


def sign_flip_p_value(sums: NDArray[np.int64]) -> float:
    """The share of all sign flips of whole numbers whose sum is at least as far from 0 as the sum found.

    Args:
        sums: one difference a cluster, shape (k,).
    """
    moved = np.abs(sums[sums != 0])
    reach = int(moved.sum())
    law = np.zeros(2 * reach + 1)  # of the sum, from -reach to reach
    law[reach] = 1.0
    for step in moved.tolist():
        shifted = np.zeros_like(law)
        shifted[step:] += law[:-step] / 2
        shifted[:-step] += law[step:] / 2
        law = shifted
    far = np.abs(np.arange(-reach, reach + 1)) >= abs(int(sums.sum()))
    return min(1.0, float(law[far].sum()))


def _by_cluster(values: NDArray[np.int64], clusters: Clusters) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The sum of values and the number of answers of each cluster."""
    if values.ndim != 1 or len(values) != len(clusters):
        raise ValueError(f"{len(clusters)} clusters for {len(values)} answers")
    _, place, sizes = np.unique(np.asarray(clusters), return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise TooFewSamplesError(f"an interval by cluster needs at least 2 clusters, there are {len(sizes)}")
    sums = np.zeros(len(sizes), dtype=np.int64)
    np.add.at(sums, place, values)
    return sums, sizes.astype(np.int64)


def _variance(residuals: NDArray[np.float64], total: int) -> float:
    """The variance of a ratio, from each cluster's residual: what it has more than its share of the total."""
    count = len(residuals)
    return float(count / (count - 1) * (residuals**2).sum() / total**2)


def _quantile(level: float, clusters: int) -> float:
    return float(stdtrit(clusters - 1, (1 + level) / 2))


def _clopper_pearson(share: float, count: float, level: float) -> Interval:
    """The exact binomial interval, of a share of a number of answers that need not be whole."""
    hits, tail = share * count, (1 - level) / 2
    low = float(betaincinv(hits, count - hits + 1, tail)) if share > 0 else 0.0
    high = float(betaincinv(hits + 1, count - hits, 1 - tail)) if share < 1 else 1.0
    return Interval(share, low, high, level)
