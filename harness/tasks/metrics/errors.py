"""How far numbers are from the right ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.errors import DataError

Numbers = npt.NDArray[np.float64]


def absolute(outputs: list[Numbers], labels: npt.NDArray[Any]) -> Numbers:
    """The absolute error of each sample."""
    return np.abs(_differences(outputs, labels))


def squared(outputs: list[Numbers], labels: npt.NDArray[Any]) -> Numbers:
    """The squared error of each sample."""
    return np.asarray(_differences(outputs, labels) ** 2)


def root_of_mean(values: Numbers) -> float:
    """The root of the mean of squared errors."""
    return float(np.sqrt(values.mean()))


def _differences(outputs: list[Numbers], labels: npt.NDArray[Any]) -> Numbers:
    if len(outputs) != 1 or outputs[0].size != len(labels):
        told = f"{len(outputs)} outputs" if len(outputs) != 1 else f"{outputs[0].shape[1:]} numbers for each sample"
        raise DataError(f"the network gives {told}, and one number is judged", fix="metric: module:function")
    return np.asarray(outputs[0].reshape(len(labels)) - labels, dtype=np.float64)
