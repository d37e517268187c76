"""Data sets that are quick to make."""

from __future__ import annotations

import numpy as np

from harness.data.dataset import Dataset


def small_dataset(people: int = 24, each: int = 4) -> Dataset:
    """Noise with labels and subjects, quick to make."""
    n = people * each
    rng = np.random.default_rng(0)
    return Dataset(
        "synthetic",
        True,
        rng.integers(0, 256, (n, 48, 48)).astype(np.uint8),
        np.arange(n, dtype=np.int64) % 7,
        tuple(f"S{i // each:03d}" for i in range(n)),
        tuple(f"S{i // each:03d}_{i % each // 2:03d}" for i in range(n)),
    )
