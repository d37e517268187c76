"""Made-up estimates, and costs without LLVM."""

from __future__ import annotations

from collections.abc import Sequence

from harness.estimate.costs import Code, Cost
from harness.records.estimate import Estimate, EstimatedRegion, OperatorCost, OperatorCosts, SharedEstimate


class Known:
    """Costs without LLVM."""

    def __init__(self, cost: Cost | None) -> None:
        self.cost = cost
        self.asked: list[Code] = []

    def of(self, codes: Sequence[Code]) -> list[Cost | None]:
        self.asked += codes
        return [self.cost for _ in codes]


FOUR_OR_TWO = Cost(latency=4.0, throughput=2.0)


def make_estimate(cycles: int, instructions: int = 1_500_000) -> Estimate:
    """A Cortex-A72's estimate."""
    return Estimate(
        cycles=cycles,
        instructions=instructions,
        core="Cortex-A72",
        clock_hz=1_500_000_000,
        regions=(EstimatedRegion(cycles=cycles, instructions=instructions, blocks=500),),
        model="cortex-a72",
        llvm="19.1.7",
        qemu="7.2.22",
        cache_line_cycles=8,
        memory_line_cycles=24,
        shared=SharedEstimate(threads=4, cycles=cycles // 3),
    )


def make_operators(number: int = 3) -> OperatorCosts:
    """Costs of so many operators, 1,000 cycles for the first, 2,000 for the second..., and 600 that are left over."""
    kinds = ("CONV_2D", "ADD", "SOFTMAX")
    operators = tuple(
        OperatorCost(kind=kinds[i % 3], name=f"net/part{i}/out", instructions=1500 * (i + 1), cycles=1000 * (i + 1))
        for i in range(number)
    )
    cycles = sum(operator.cycles for operator in operators) + 600
    return OperatorCosts(
        operators=operators, call_instructions=700, call_cycles=500, instructions=cycles * 3 // 2, cycles=cycles
    )
