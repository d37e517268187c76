"""Cycles from blocks: the time of the core's units or the time of its memory, whichever is larger.

For each block, the units take its cost by LLVM's analyser times its executions. Memory takes a number of cycles for
each line served by a later cache or by memory. A core that executes out of order does both at once, so the larger of
the two counts; a core that executes in order waits, so their sum counts.

Not modelled: mispredicted branches, address translation, prefetching, the instruction cache, the placement of pages in
memory, lines that DC ZVA clears, and the influence of threads on each other.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.boards.cores import Core
from harness.core.errors import EstimateError
from harness.estimate.costs import Code, Cost, Costs
from harness.estimate.regions import Block, instructions

#: Cycles for a line of 64 bytes that the second level, the third level or memory serves. They are the same for every
#: core, so that no single table of latencies determines them. A prototype fitted them to 33 published latencies of six
#: chips.
CACHE_LINE_CYCLES = 8
MEMORY_LINE_CYCLES = 24
#: Threads of the form for several threads: all of these boards have four cores.
SHARED_THREADS = 4
#: The analyser receives the blocks that make up this share of all instructions; the rest is assumed to be similar.
COVERED = 0.999
#: Cycles an instruction, for a block that the analyser does not accept.
_UNKNOWN_CYCLES = 0.8
#: Such blocks may hold this share of the instructions; a larger one would be a guess. Real networks have at most
#: 0.014 % with LLVM 14, and none with LLVM 19.
_UNKNOWN_SHARE = 0.01


@dataclass(frozen=True)
class RegionEstimate:
    """One region's figures.

    Attributes:
        cycles: the estimate.
        instructions: their count.
        blocks: how many different blocks the analyser received.
        shared_cycles: the estimate with SHARED_THREADS threads.
    """

    cycles: float
    instructions: int
    blocks: int
    shared_cycles: float = 0.0


def estimate(blocks: tuple[Block, ...], core: Core, costs: Costs, *, threads: int = 1) -> RegionEstimate:
    """The estimated cycles of one region.

    Args:
        threads: the number of cores among which the work is divided evenly, each with the whole cache to itself. Units
            and caches then do a share each, while memory is shared by all. This is a rough model, tested on networks
            that ran with four threads.

    Raises:
        EstimateError: the region is empty, LLVM can't be run, or it accepts too little of the region.
    """
    total = instructions(blocks)
    if not total:
        raise EstimateError("the region has no instructions")
    heaviest = sorted(blocks, key=lambda block: -block.executions * len(block.code))
    asked: list[Block] = []
    covered = 0
    while covered < COVERED * total:
        asked.append(heaviest[len(asked)])
        covered += asked[-1].executions * len(asked[-1].code)
    found = costs.of([block.code for block in asked])
    unknown = instructions(tuple(block for block, cost in zip(asked, found, strict=True) if cost is None))
    if unknown > _UNKNOWN_SHARE * total:
        raise EstimateError(
            f"LLVM's analyser accepts no blocks that hold {unknown / total:.1%} of the instructions, and an estimate "
            f"allows {_UNKNOWN_SHARE:.0%}",
            fix="sudo apt-get install llvm-19",
        )
    one, shared = (
        sum(_cycles(block, cost, core, number) for block, cost in zip(asked, found, strict=True)) * total / covered
        for number in (threads, SHARED_THREADS)
    )
    return RegionEstimate(cycles=one, instructions=total, blocks=len(asked), shared_cycles=shared)


def _cycles(block: Block, cost: Cost | None, core: Core, threads: int) -> float:
    if cost is None:
        each = _UNKNOWN_CYCLES * len(block.code)
    else:
        # The iterations of a loop wait for each other; a block between other blocks overlaps with them.
        each = cost.latency if loops_on_itself(block.code) else cost.throughput
    units = block.executions * each / threads
    memory = CACHE_LINE_CYCLES * block.cache_lines / threads + MEMORY_LINE_CYCLES * block.memory_lines
    return units + memory if core.in_order else max(units, memory)


def loops_on_itself(code: Code) -> bool:
    """Whether a block ends in a branch to its own first instruction (Arm ARM, C4.1.65)."""
    word = code[-1]
    if word >> 24 == 0x54 or word >> 25 & 0x3F == 0x1A:  # b.cond; cbz, cbnz
        offset, bits = word >> 5 & 0x7FFFF, 19
    elif word >> 25 & 0x3F == 0x1B:  # tbz, tbnz
        offset, bits = word >> 5 & 0x3FFF, 14
    elif word >> 26 == 5:  # b
        offset, bits = word & 0x3FFFFFF, 26
    else:
        return False
    if offset >> (bits - 1):
        offset -= 1 << bits
    return len(code) - 1 + offset == 0
