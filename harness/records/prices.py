"""Prices of layers in estimated cycles on one board's core, by which pruning weighs channels. Never a measurement."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.core.files import sha256_bytes
from harness.records.base import Count, Record, Text

#: The operators that have prices. Others, such as a softmax, cost little, or the same with any number of channels.
Kind = Literal["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MAX_POOL_2D"]
#: The forms of a network that are priced. A network in ``fp16`` is computed as ``fp32``.
PricedVariant = Literal["fp32", "int8"]
PRICED_VARIANTS: tuple[PricedVariant, ...] = ("fp32", "int8")
#: Version of the file. A file of another version is left alone, since all of it can be examined again.
SCHEMA: Literal[1] = 1

_Length = Annotated[int, Field(ge=1, le=1 << 20)]
_Lengths = tuple[_Length, _Length]
_Points = Annotated[tuple[_Length, ...], Field(min_length=1, max_length=64)]
_Cycles = Annotated[float, Field(ge=0, le=1 << 53)]


class Work(Record):
    """What a layer computes, apart from its numbers of channels.

    Attributes:
        kind: TFLite's name of the operator.
        size: height and width of its input.
        kernel, strides: of its window; (1, 1) where it has none.
        padding: ``same`` where the input is padded, so that strides alone make the output smaller.
    """

    kind: Kind
    size: _Lengths
    kernel: _Lengths = (1, 1)
    strides: _Lengths = (1, 1)
    padding: Literal["same", "valid"] = "same"


class Priced(Record):
    """The price of one work for some numbers of channels.

    Kernels compute several output channels at once, so a price is a staircase. The points lie at both ends of its
    steps, and prices in between are interpolated.

    Attributes:
        into, out: numbers of input and output channels, ascending. ``into`` is (1,) for an operator that has as many
            output as input channels.
        cycles: estimated, for each of ``into`` and, within it, for each of ``out``.
    """

    work: Work
    into: _Points
    out: _Points
    cycles: tuple[tuple[_Cycles, ...], ...]

    @model_validator(mode="after")
    def _complete(self) -> Priced:
        for points in (self.into, self.out):
            if list(points) != sorted(set(points)):
                raise ValueError(f"numbers of channels don't ascend: {points}")
        if [len(row) for row in self.cycles] != [len(self.out)] * len(self.into):
            raise ValueError("a price is missing")
        return self

    def at(self, into: float, out: float) -> float:
        """The price for these numbers of channels: interpolated, and above the highest points extrapolated."""
        return max(_at(self.into, [_at(self.out, row, out) for row in self.cycles], into), 0.0)


class Origin(Record):
    """What estimated cycles come from.

    Attributes:
        board: the board's family.
        runtime: with its version.
        core: Arm's name.
        model: LLVM's scheduling model of it.
        llvm, qemu: versions.
        cache_line_cycles, memory_line_cycles: what a line of 64 bytes costs that a later cache or memory serves.
    """

    board: Text
    runtime: Text
    core: Text
    model: Text
    llvm: Text
    qemu: Text
    cache_line_cycles: Count
    memory_line_cycles: Count

    @property
    def words(self) -> str:
        """It in words."""
        return f"{self.core}, {self.runtime}, LLVM {self.llvm}, QEMU {self.qemu}"


class PriceList(Record):
    """Prices of layers on one board's core, without the call of the runtime, and where they come from.

    Attributes:
        variant: of the operators that were examined.
    """

    version: Literal[1] = SCHEMA
    origin: Origin
    variant: PricedVariant
    prices: tuple[Priced, ...] = ()

    def of(self, work: Work) -> Priced | None:
        """The prices of a work; None where it was not examined."""
        return next((priced for priced in self.prices if priced.work == work), None)

    @property
    def label(self) -> str:
        """What prices these are: ``cycles@raspberry-pi-4/fp32``."""
        return f"cycles@{self.origin.board}/{self.variant}"

    @property
    def sha256(self) -> str:
        """A hash of all of it."""
        return sha256_bytes(self.model_dump_json().encode())


def _at(points: Sequence[int], prices: Sequence[float], value: float) -> float:
    """The price for ``value`` channels, interpolated between those at ``points``.

    Above the last point the upper half of the staircase goes on and on, since a kernel does the same for each further
    bunch of channels.
    """
    last = len(points) - 1
    if not last:
        return prices[0]
    half = min(bisect_left(points, points[last] / 2), last - 1)
    period = points[last] - points[half]
    times = max(math.ceil((value - points[last]) / period), 0)
    value -= times * period
    high = max(bisect_left(points, value), 1)
    share = (value - points[high - 1]) / (points[high] - points[high - 1])
    within = prices[high - 1] + (prices[high] - prices[high - 1]) * share
    return within + times * (prices[last] - prices[half])
