"""Outputs of several samples as one block of bytes: checked against their description, and taken apart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.errors import RunnerError
from harness.core.safetext import clean
from harness.records.answer import OutputsAnswer
from harness.records.tensor import DTYPES

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Outputs:
    """The outputs of the first ``about.samples`` samples: of each sample all tensors, in ``data``."""

    about: OutputsAnswer
    data: bytes

    def each(self) -> Iterator[tuple[Array, ...]]:
        """The tensors of each sample."""
        at = 0
        dtypes = [np.dtype(tensor.dtype) for tensor in self.about.tensors]
        for shapes in sample_shapes(self.about):
            arrays = []
            for dtype, shape in zip(dtypes, shapes, strict=True):
                count = math.prod(shape)
                arrays.append(np.frombuffer(self.data, dtype, count, at).reshape(shape))
                at += count * dtype.itemsize
            yield tuple(arrays)


def sample_shapes(about: OutputsAnswer) -> Iterator[tuple[tuple[int, ...], ...]]:
    """The shapes of the tensors of each sample."""
    of_tensors = [repeat(t.shapes[0], about.samples) if len(t.shapes) == 1 else iter(t.shapes) for t in about.tensors]
    return zip(*of_tensors, strict=True)


def check(about: OutputsAnswer) -> None:
    """Make sure that a description agrees with itself, before anything of its size is read.

    Raises:
        RunnerError: it does not.
    """
    if about.samples == 0:
        return
    for tensor in about.tensors:
        if tensor.dtype not in DTYPES:
            raise RunnerError(
                f"output '{clean(tensor.name, 100)}' is {clean(tensor.dtype, 20)}, which can't be compared"
            )
        if len(tensor.shapes) not in (1, about.samples):
            raise RunnerError(f"output '{clean(tensor.name, 100)}' has {len(tensor.shapes)} shapes for {about.samples}")
    sizes = [np.dtype(tensor.dtype).itemsize for tensor in about.tensors]
    total = sum(
        math.prod(shape) * size
        for shapes in sample_shapes(about)
        for shape, size in zip(shapes, sizes, strict=True)
    )  # fmt: skip
    if total != about.bytes:
        raise RunnerError(f"outputs of {about.bytes} bytes, although their shapes say {total}")
