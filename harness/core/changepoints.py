"""Changes in a series of one value a run: steps between two runs, and drifts too slow for any step to show.

Whether anything changed is tested by the energy statistic of Matteson and James ("A nonparametric approach for multiple
change point analysis of multivariate data", JASA 109, 2014), whose law comes from permuting the series: no distribution
is assumed. Steps are then found by halving (their E-Divisive, with the end of the series as the end of the right
part). A series that drifts would fall into many small steps, so a line is fitted, too (Theil's and Sen's), and
whichever form Schwarz's criterion prefers is told.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes

ALPHA = 0.05
#: The fewest values on either side of a step. A single odd value is an outlier, not a change that lasts.
LEAST = 3
#: Permutations; the smallest p-value is one in one more than that.
_PERMUTATIONS = 4_999
#: Permutations that split better, after which no more are drawn: the series is like chance (Besag & Clifford, 1991).
_ENOUGH = 50
#: Permutations whose distances are in memory at a time.
_CHUNK = 256
#: Up to this many values all distances are formed at once; of longer series their sums are merged from sorted halves.
_LONG = 32
#: Two statistics closer than this share are equal: they are sums in another order.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Step:
    """A change between two neighbouring runs.

    Attributes:
        at: index of the first value after it.
        ratio: of the middle after to the middle before, up to the neighbouring steps; above 1 is an increase.
    """

    at: int
    ratio: float


@dataclass(frozen=True)
class Drift:
    """A steady change.

    Attributes:
        ratio: of the line's end to its beginning.
        low, high: of that ratio, 95 % interval (Sen's).
    """

    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Changes:
    """What changed in a series: steps or a drift, never both. ``p_value`` is of nothing having changed at all."""

    p_value: float
    steps: tuple[Step, ...] = ()
    drift: Drift | None = None


def changes(values: Sequence[float], resolution: float, *, seed: int = 0) -> Changes:
    """What changed in a series.

    Args:
        values: one positive value a run, oldest first.
        resolution: the smallest change that counts, as a share: 0.001 is 0.1 %.
        seed: of the permutations; the same series gives the same answer.

    Returns:
        No steps and no drift where the series is shorter than twice :data:`LEAST`, where nothing is significant alone,
        and where every change is below the resolution.
    """
    logs = np.log(np.asarray(values, dtype=np.float64))
    if len(logs) < 2 * LEAST or np.ptp(logs) < resolution:
        return Changes(1.0)
    chance = np.random.default_rng(seed)
    _, p_value = _split(logs, chance)
    if p_value >= ALPHA:
        return Changes(p_value)
    places = _places(logs, chance)
    drift = _drift(logs)
    if _criterion(logs - _line(logs), 2) < _criterion(logs - _levels(logs, places), 1 + 2 * len(places)):
        told = abs(np.log(drift.ratio)) >= resolution and not drift.low <= 1 <= drift.high
        return Changes(p_value, drift=drift if told else None)
    return Changes(p_value, steps=_steps(logs, places, resolution))


def _places(logs: NDArray[np.float64], chance: np.random.Generator) -> list[int]:
    """The indices at which a new level begins, in order: each part is split while a split is significant."""
    places, parts = [], [(0, len(logs))]
    while parts:
        start, end = parts.pop()
        if end - start < 2 * LEAST:
            continue
        at, p_value = _split(logs[start:end], chance)
        if p_value < ALPHA:
            places.append(start + at)
            parts += [(start, start + at), (start + at, end)]
    return sorted(places)


def _split(logs: NDArray[np.float64], chance: np.random.Generator) -> tuple[int, float]:
    """The index that splits a series best, and the p-value of there being no such split."""
    found = _energies(logs[None])[0]
    at = int(found.argmax())
    larger = drawn = 0
    while drawn < _PERMUTATIONS and larger < _ENOUGH:
        shuffled = chance.permuted(np.repeat(logs[None], min(_PERMUTATIONS - drawn, _CHUNK), axis=0), axis=1)
        larger += int((_energies(shuffled).max(axis=1) >= found[at] * (1 - _ROUNDING)).sum())
        drawn += len(shuffled)
    return at + LEAST, (larger + 1) / (drawn + 1)


def _energies(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """The energy statistic of each split of each series, shape (series, n - 2 LEAST + 1); the first splits at LEAST."""
    n = series.shape[1]
    left_sizes = np.arange(LEAST, n - LEAST + 1)
    right_sizes = n - left_sizes
    sums = _sums if n <= _LONG else _merged_sums
    of_left, with_all = sums(series)
    inside_left, left_with_all, total = of_left[:, left_sizes - 1], with_all[:, left_sizes - 1], with_all[:, -1:]
    across = left_with_all - inside_left
    inside_right = total - 2 * left_with_all + inside_left
    energy = (
        2 * across / (left_sizes * right_sizes)
        - inside_left / (left_sizes * (left_sizes - 1))
        - inside_right / (right_sizes * (right_sizes - 1))
    )
    weighted: NDArray[np.float64] = energy * left_sizes * right_sizes / n
    return weighted


def _sums(series: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of distances between values of each series, both of shape (series, n): at k, of all pairs among the first
    k + 1 values, and of the first k + 1 values to all values.
    """
    distances = np.abs(series[:, :, None] - series[:, None, :])
    sums = distances.cumsum(axis=1).cumsum(axis=2)  # of all pairs up to (i, j)
    return np.diagonal(sums, axis1=1, axis2=2), sums[:, :, -1]


def _merged_sums(series: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same as :func:`_sums` in n log² n steps and without n² numbers in memory; the series hold the same values.

    Each value's distances to those before it are summed as in a merge sort: a block is sorted, and what its second
    half is away from its first follows from how many values of the first are smaller, and from their sum.
    """
    count, n = series.shape
    near = series - np.median(series[0])  # the values' differences are small beside the values themselves
    ordered = np.sort(near[0])
    ranks = np.searchsorted(ordered, near)
    below = np.concatenate([[0.0], ordered.cumsum()])
    to_all = (2 * np.arange(n) - n) * ordered + below[-1] - 2 * below[:-1]
    size = 1 << (n - 1).bit_length()
    padded = np.zeros((count, size))
    padded[:, :n] = near
    to_earlier = np.zeros((count, size))
    half = 1
    while half < size:
        _add_from_first_half(to_earlier, padded, half, n)
        half *= 2
    return 2 * to_earlier[:, :n].cumsum(axis=1), to_all[ranks].cumsum(axis=1)


def _add_from_first_half(to_earlier: NDArray[np.float64], padded: NDArray[np.float64], half: int, n: int) -> None:
    """Add, to each value in the second half of a block of 2 ``half`` values, its distances to those in the first.

    Args:
        to_earlier, padded: shape (series, a power of 2); values from ``n`` on are padding, which is away from nothing.
    """
    shape = (len(padded), -1, 2 * half)
    blocks, sums = padded.reshape(shape), to_earlier.reshape(shape)
    order = blocks.argsort(axis=2)
    values = np.take_along_axis(blocks, order, axis=2)
    real = np.arange(padded.shape[1]).reshape(1, -1, 2 * half) < n
    first = (order < half) & np.take_along_axis(np.broadcast_to(real, blocks.shape), order, axis=2)
    smaller = first.cumsum(axis=2)
    their_sum = (values * first).cumsum(axis=2)
    apart = values * (2 * smaller - smaller[:, :, -1:]) + their_sum[:, :, -1:] - 2 * their_sum
    apart[order < half] = 0.0
    moved = np.empty_like(apart)
    np.put_along_axis(moved, order, apart, axis=2)
    sums += moved


def _levels(logs: NDArray[np.float64], places: Sequence[int]) -> NDArray[np.float64]:
    """The mean of each part, at each of its values."""
    parts = np.split(logs, list(places))
    return np.concatenate([np.full(len(part), part.mean()) for part in parts])


def _line(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The least-squares line."""
    x = np.arange(len(logs), dtype=np.float64)
    slope, start = np.polyfit(x, logs, 1)
    fitted: NDArray[np.float64] = start + slope * x
    return fitted


def _criterion(rest: NDArray[np.float64], parameters: int) -> float:
    """Schwarz's criterion of what a model leaves unexplained: the smaller, the better."""
    n = len(rest)
    return float(n * np.log(max(float((rest**2).mean()), 1e-18)) + parameters * np.log(n))


def _drift(logs: NDArray[np.float64]) -> Drift:
    slope, _, low, high = theilslopes(logs, alpha=0.95)
    runs = len(logs) - 1
    return Drift(*(float(np.exp(each * runs)) for each in (slope, low, high)))


def _steps(logs: NDArray[np.float64], places: Sequence[int], resolution: float) -> tuple[Step, ...]:
    """The steps of at least the resolution, each between the middles of its neighbouring parts."""
    middles = [float(np.median(part)) for part in np.split(logs, list(places))]
    ratios = [float(np.exp(after - before)) for before, after in itertools.pairwise(middles)]
    return tuple(Step(at, ratio) for at, ratio in zip(places, ratios, strict=True) if abs(np.log(ratio)) >= resolution)
