"""Estimated cycles of one cell: what was estimated, and everything that went into it. Never a measurement."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.records.cell import Count, Record, Text

#: No estimate has more regions.
MAX_REGIONS = 100


class EstimatedRegion(Record):
    """One inference.

    Attributes:
        cycles: estimated.
        instructions: counted.
        blocks: different blocks of code whose cost was asked for.
    """

    cycles: Annotated[int, Field(ge=1, le=1 << 53)]
    instructions: Annotated[int, Field(ge=1, le=1 << 53)]
    blocks: Count


class Estimate(Record):
    """Estimated cycles of one inference on one thread.

    Attributes:
        cycles: the median of ``regions``.
        instructions: counted in that region.
        core: Arm's name of the core.
        clock_hz: the core's nominal clock.
        threads: always one.
        regions: each inference that was looked at.
        model: LLVM's scheduling model.
        llvm, qemu: versions.
        cache_line_cycles, memory_line_cycles: what a line of 64 bytes costs that a later cache or memory serves.
    """

    cycles: Annotated[int, Field(ge=1, le=1 << 53)]
    instructions: Annotated[int, Field(ge=1, le=1 << 53)]
    core: Text
    clock_hz: Annotated[int, Field(ge=1, le=1 << 53)]
    threads: Literal[1] = 1
    regions: Annotated[tuple[EstimatedRegion, ...], Field(min_length=1, max_length=MAX_REGIONS)]
    model: Text
    llvm: Text
    qemu: Text
    cache_line_cycles: Count
    memory_line_cycles: Count


class NoEstimate(Record):
    """Why a cell that was to have an estimate has none."""

    reason: Text
