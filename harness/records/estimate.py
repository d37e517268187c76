"""Estimated cycles of one cell: what was estimated, and everything that went into it. Never a measurement."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.records.base import Count, Record, Text

#: The name of an estimate wherever it is shown.
QUANTITY = "Estimated cycles, 1 thread"

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


class SharedEstimate(Record):
    """Estimated cycles with the work divided evenly among several threads, each on a core of its own.

    It is derived from what one thread executes: units and caches do a share each, memory is shared by all.

    Attributes:
        threads: their number.
        cycles: from the beginning to the end.
    """

    threads: Annotated[int, Field(ge=2, le=256)]
    cycles: Annotated[int, Field(ge=1, le=1 << 53)]


class Estimate(Record):
    """Estimated cycles of one inference on one thread.

    Attributes:
        cycles: of the region with the fewest instructions: what else runs on the board only adds to them.
        instructions: counted in that region.
        core: Arm's name of the core.
        clock_hz: the core's nominal clock.
        threads: always one.
        regions: each inference that was looked at.
        model: LLVM's scheduling model.
        llvm, qemu: versions.
        cache_line_cycles, memory_line_cycles: what a line of 64 bytes costs that a later cache or memory serves.
        shared: the same with several threads; None for cores that execute in order, where no published table has shown
            that it holds, and in older cells.
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
    shared: SharedEstimate | None = None


class NoEstimate(Record):
    """Why a cell that was to have an estimate has none."""

    reason: Text


class OperatorCost(Record):
    """What one operator adds to the cost of those before it.

    Less than nothing where the runtime fuses it with one before it, or where it spares the copy of an output.

    Attributes:
        kind: such as ``CONV_2D``.
        name: of the tensor that it makes.
        instructions, cycles: counted and estimated, both differences.
    """

    kind: Text
    name: Text
    instructions: Annotated[int, Field(ge=-(1 << 53), le=1 << 53)]
    cycles: Annotated[int, Field(ge=-(1 << 53), le=1 << 53)]


class OperatorCosts(Record):
    """Where a network's estimated cycles go: the costs of its operators, as differences of prefixes of its graph.

    Attributes:
        operators: in the order of execution.
        call_instructions, call_cycles: of calling the runtime without a network.
        instructions, cycles: of the whole network, from its own estimate.
    """

    operators: Annotated[tuple[OperatorCost, ...], Field(min_length=1, max_length=2000)]
    call_instructions: Count
    call_cycles: Count
    instructions: Annotated[int, Field(ge=1, le=1 << 53)]
    cycles: Annotated[int, Field(ge=1, le=1 << 53)]

    @property
    def remainder_cycles(self) -> int:
        """What the operators leave of the whole."""
        return self.cycles - sum(operator.cycles for operator in self.operators)
