"""The description of one input or output tensor of a network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from harness.records.base import Lean

Dtype = Literal["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool"]
#: The element types that a network's inputs and outputs may have.
DTYPES: tuple[Dtype, ...] = ("float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool")
#: No tensor has more dimensions.
MAX_RANK = 32

_Size = Annotated[int, Field(ge=0, le=1 << 40)]


class TensorSpec(Lean):
    """One input or output tensor.

    Attributes:
        shape: the fixed sizes that are run; ``()`` is a scalar. 0 in an output's is a size that only a run tells.
        dtype: of its elements.
        scale, zero_point: real value = scale * (integer - zero point); null where the tensor is not quantised.
        name: as the file has it; empty in manifests of schema 1.
        declared: the sizes as the file has them: a number, -1 where the size is open, or the open size's name. None
            where they are those of ``shape``.
    """

    _later = frozenset({"name", "declared"})

    shape: Annotated[tuple[_Size, ...], Field(max_length=MAX_RANK)]
    dtype: Dtype
    scale: float | None = None
    zero_point: int | None = None
    name: Annotated[str, StringConstraints(max_length=1024)] = ""
    declared: Annotated[tuple[int | str, ...], Field(max_length=MAX_RANK)] | None = None

    @field_validator("declared")
    @classmethod
    def _plain(cls, declared: tuple[int | str, ...] | None) -> tuple[int | str, ...] | None:
        if declared is not None and any(isinstance(size, str) and len(size) > 256 for size in declared):
            raise ValueError("a size's name is longer than 256 characters")
        return declared

    @property
    def elements(self) -> int:
        """The number of elements."""
        count = 1
        for size in self.shape:
            count *= size
        return count

    @property
    def quantised(self) -> bool:
        """Whether integers stand for real numbers by one scale."""
        return bool(self.scale)
