"""The metrics by name. To add one, write a function and add a line here; ``module:function`` needs no line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.core.named import by_name
from harness.tasks.metrics import errors, ranks

Outputs = list[npt.NDArray[np.float64]]
Labels = npt.NDArray[np.int64] | npt.NDArray[np.float64]
PerSample = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MetricKind:
    """A metric.

    Attributes:
        labels: ``classes`` (indices) or ``numbers``.
        higher_is_better: whether a larger value is a better one.
        per_sample: one number for each sample, from all outputs (n, ...) as real numbers and the labels.
        total: the metric's value, from these numbers.
    """

    name: str
    labels: Literal["classes", "numbers"]
    higher_is_better: bool
    per_sample: Callable[[Outputs, Labels], PerSample]
    total: Callable[[PerSample], float] = lambda values: float(values.mean())


METRICS: dict[str, MetricKind] = by_name(
    (kind.name, kind)
    for kind in (
        MetricKind("top1", "classes", True, ranks.top1),
        MetricKind("top5", "classes", True, ranks.top5),
        MetricKind("mae", "numbers", False, errors.absolute),
        MetricKind("rmse", "numbers", False, errors.squared, total=errors.root_of_mean),
    )
)
