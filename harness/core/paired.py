"""The test of a paired difference: two results on the same samples, whatever a sample's value counts.

Source: Fisher, *The Design of Experiments* (1935), section 21: where nothing has changed, each difference is as likely
as its negative. So the sum of the differences is compared with the sums under random signs. For values of 0 and 1 that
is McNemar's test, of which :mod:`harness.core.stats` has the exact form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

#: Random signs for a first look, and for a p-value that may be significant among many cells.
_FIRST, _MORE = 2_000, 100_000
#: A p-value above this is not looked at more closely.
_CLEAR = 0.1
#: Up to this many differences all signs are gone through.
_ALL_SIGNS = 12
#: The most random signs that are in memory at a time.
_CHUNK = 1 << 22
#: Above this many differences, none of which dominates, the sum is normal (Lindeberg's condition).
_NORMAL, _DOMINATES = 2_000, 0.01


@dataclass(frozen=True)
class PairedTest:
    """The outcome of a paired test.

    Attributes:
        higher_a, higher_b: the number of samples with the higher value on one side.
        p_value: two-sided, of no difference.
    """

    higher_a: int
    higher_b: int
    p_value: float


def sign_flip(a: NDArray[np.float64], b: NDArray[np.float64], *, seed: int = 0) -> PairedTest:
    """Fisher's randomisation test of paired values; two-sided. The same values give the same p-value.

    With at most 12 samples that differ it is exact. With more, it is drawn: a p-value is at least 1 in 100,001.

    Args:
        a, b: shape (n,), finite, in the same order of samples.
    """
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError("a paired test needs two series over the same samples")
    higher_a, higher_b = int(np.count_nonzero(a > b)), int(np.count_nonzero(b > a))
    largest = max(float(np.abs(a).max(initial=0.0)), float(np.abs(b).max(initial=0.0)))
    scaled = b / largest - a / largest if largest else b - a  # differences of the largest floats would overflow
    differences = scaled[scaled != 0]
    return PairedTest(higher_a, higher_b, _p_value(differences, seed) if differences.size else 1.0)


def _p_value(differences: NDArray[np.float64], seed: int) -> float:
    squares = differences**2
    if differences.size > _NORMAL and squares.max() < _DOMINATES * squares.sum():
        return float(2 * ndtr(-abs(differences.sum()) / np.sqrt(squares.sum())))
    # a sum of other signs may differ from this one by rounding alone
    limit = abs(differences.sum()) - 1e-9 * np.abs(differences).sum()
    if differences.size <= _ALL_SIGNS:
        bits = (np.arange(1 << differences.size)[:, None] >> np.arange(differences.size)) & 1
        return float(np.mean(np.abs((2.0 * bits - 1) @ differences) >= limit))
    first = _drawn(differences, limit, _FIRST, seed)
    return first if first > _CLEAR else _drawn(differences, limit, _MORE, seed + 1)


def _drawn(differences: NDArray[np.float64], limit: float, draws: int, seed: int) -> float:
    """The share of random signs with a sum as far from 0, this one counted (Phipson & Smyth, 2010: never 0)."""
    rng = np.random.default_rng(seed)
    beyond, left = 1, draws
    while left:
        count = max(1, min(left, _CHUNK // differences.size))
        signs = rng.integers(0, 2, (count, differences.size), dtype=np.int8)
        beyond += int(np.count_nonzero(np.abs((2.0 * signs - 1) @ differences) >= limit))
        left -= count
    return beyond / (draws + 1)
