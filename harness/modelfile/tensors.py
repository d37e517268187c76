"""Inputs and outputs as records, and a refusal of those that nobody can feed or compare."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.core.errors import ModelFileError
from harness.core.safetext import clean
from harness.modelfile.shapes import Declared, dynamic
from harness.modelfile.source import Source
from harness.records.golden import MAX_TENSORS
from harness.records.tensor import DTYPES, TensorSpec

MAX_NAME = 1024
_UNFIT = {
    "string": "text, which is no number",
    "resource": "a handle to a variable",
    "variant": "a handle to an object",
    "sequence": "a list of tensors",
    "map": "a table by keys",
    "optional": "a tensor that may be missing",
    "sparse_tensor": "a sparse tensor",
}


@dataclass(frozen=True)
class Tensor:
    """An input or output as a file declares it; ``declared`` None where its number of dimensions is unknown."""

    name: str
    dtype: str
    declared: Declared | None
    scale: float | None = None
    zero_point: int | None = None


def check_number(source: Source, role: str, number: int) -> None:
    """Refuse more inputs or outputs than any network has, and a network without an output.

    Raises:
        ModelFileError: the message has the number.
    """
    if number > MAX_TENSORS:
        raise source.error(f"has {number} {role}s; {MAX_TENSORS} are the most")
    if not number and role == "output":
        raise source.error("has no output", fix="export it again")


def check_kind(source: Source, role: str, tensors: list[Tensor]) -> None:
    """Refuse inputs or outputs that are no tensors of numbers.

    Args:
        role: ``input`` or ``output``, for the message.

    Raises:
        ModelFileError: the message names the tensor.
    """
    for tensor in tensors:
        what = f"{role} '{clean(tensor.name, 100)}'"
        if len(tensor.name) > MAX_NAME:
            raise source.error(
                f"{what} has a name of {len(tensor.name)} characters", fix="export it with shorter names"
            )
        if tensor.dtype not in DTYPES:
            raise _unfit(source, what, tensor.dtype)
        if any(isinstance(size, str) and len(size) > 256 for size in tensor.declared or ()):
            raise source.error(f"{what} has a dimension with a name of over 256 characters")


def _unfit(source: Source, what: str, dtype: str) -> ModelFileError:
    if dtype in _UNFIT:
        return source.error(f"{what} is {_UNFIT[dtype]}", fix="export the part of it that takes and gives numbers")
    known = ", ".join(DTYPES)
    return source.error(f"{what} has elements of type {dtype}", fix=f"export it with one of {known}")


def spec(tensor: Tensor, shape: tuple[int, ...]) -> TensorSpec:
    """The record of a tensor with the shape to run; an open size of it is 0."""
    scaled = tensor.scale is not None and math.isfinite(tensor.scale) and tensor.scale > 0
    declared = tensor.declared
    return TensorSpec(
        name=tensor.name,
        dtype=tensor.dtype,
        shape=shape,
        declared=declared if declared is not None and any(map(dynamic, declared)) else None,
        scale=tensor.scale if scaled else None,
        zero_point=tensor.zero_point if scaled else None,
    )
