"""Random numbers that are the same on every machine and under every numpy version.

The distributions of ``numpy.random.Generator`` may change between numpy versions; raw PCG64 output may not (NEP 19). So
only raw 64-bit words come from numpy. All else is computed from them here, by operations that IEEE 754 rounds exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")


class Stream:
    """An endless, reproducible sequence of random numbers named by a few integers.

    Args:
        key: non-negative integers; different keys give independent streams.
    """

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(list(key)))

    def words(self, count: int) -> npt.NDArray[np.uint64]:
        """``count`` raw 64-bit words, uint64, shape (count,)."""
        return np.asarray(self._bits.random_raw(count), dtype=np.uint64)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """One number in [low, high)."""
        return low + (high - low) * (int(self._bits.random_raw() >> 11) * 2.0**-53)

    def bell(self, spread: float = 1.0) -> float:
        """One number from a bell curve around 0 of standard deviation ``spread`` (a sum of 3 uniforms, <= 3 sd)."""
        total = self.uniform(-1.0, 1.0) + self.uniform(-1.0, 1.0)
        return spread * (total + self.uniform(-1.0, 1.0))

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform() < probability

    def below(self, bound: int) -> int:
        """One integer in [0, bound); the bias is under bound / 2**53."""
        return int(self.uniform() * bound)

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """A new list with the items in random order (Fisher-Yates)."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            pick = self.below(last + 1)
            result[last], result[pick] = result[pick], result[last]
        return result
