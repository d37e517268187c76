"""Judges outputs by a task's metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.errors import DataError
from harness.records.samples import Metric
from harness.tasks.metrics.registry import Labels, MetricKind


def score(kind: MetricKind, outputs: Sequence[npt.NDArray[Any]], labels: Labels) -> Metric:
    """The metric of these outputs.

    Args:
        outputs: one array (n, ...) for each output, as real numbers.
        labels: (n,) class indices or numbers.

    Raises:
        DataError: the outputs don't fit the metric, or aren't finite.
        MetricError: a user's function failed.
    """
    whole = [np.asarray(output, dtype=np.float64) for output in outputs]
    if any(len(output) != len(labels) for output in whole):
        raise DataError(f"outputs for {[len(output) for output in whole]} samples, and {len(labels)} labels")
    if not all(np.isfinite(output).all() for output in whole):
        raise DataError("the outputs hold NaN or infinity")
    values = kind.per_sample(whole, labels)
    return Metric(
        name=kind.name,
        value=kind.total(values),
        higher_is_better=kind.higher_is_better,
        per_sample=tuple(values.tolist()) if len(values) == len(labels) else (),
    )
