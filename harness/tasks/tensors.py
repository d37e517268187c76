"""Turns a task's values into a network's input tensor: its shape, its element type, its quantisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.errors import UsageError
from harness.records.tensor import TensorSpec
from harness.tasks.preprocess import Values


def as_tensor(values: Values, spec: TensorSpec) -> npt.NDArray[Any]:
    """The values as a network takes them, one sample after the other: (n, *shape without its batch).

    Sizes of 1 may stand elsewhere. Real numbers become integers by the tensor's scale and zero point.

    Raises:
        UsageError: the shape differs, or the values don't fit an integer type without a scale.
    """
    shape = spec.shape[1:] if spec.shape[:1] == (1,) and len(spec.shape) > 1 else spec.shape
    if values.shape[1:] != shape:
        if [n for n in values.shape[1:] if n != 1] != [n for n in shape if n != 1]:
            raise UsageError(
                f"the task gives {_sizes(values.shape[1:])} for each sample, and input '{spec.name}' takes "
                f"{_sizes(shape)}",
                fix="'size', 'colour' and 'layout' below 'preprocess' decide",
            )
        values = values.reshape((len(values), *shape))
    return quantised(values, spec)


def quantised(values: Values, spec: TensorSpec) -> npt.NDArray[Any]:
    """Real values in the element type of a tensor: rounded half to even and clipped where it is quantised.

    Raises:
        UsageError: an integer type without a scale, and values that are no whole numbers in its range.
    """
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f":
        return values.astype(dtype)
    if dtype.kind == "b":
        return np.asarray(values != 0)
    limits = np.iinfo(dtype)
    if spec.scale:
        codes = np.round(values / np.float32(spec.scale)) + (spec.zero_point or 0)
        return np.asarray(np.clip(codes, limits.min, limits.max), dtype=dtype)
    if values.size and ((values != np.round(values)).any() or values.min() < limits.min or values.max() > limits.max):
        raise UsageError(
            f"input '{spec.name}' takes whole numbers ({spec.dtype}), and the task gives {values.min():g} to "
            f"{values.max():g}",
            fix="leave 'scale', 'mean' and 'std' out",
        )
    return np.asarray(values, dtype=dtype)


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"
