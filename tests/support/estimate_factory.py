"""Made-up estimates, costs of operators, and costs without LLVM."""

from __future__ import annotations

from collections.abc import Sequence

from harness.estimate.costs import Code, Cost
from harness.records.estimate import Estimate, EstimatedRegion, OperatorCost, OperatorCosts, SharedEstimate
from harness.records.operators import OperatorTimes, TimedOperator


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


def make_times(*steps: int, apart: int = 40, rounds: int = 5, call: int = 100, left: int = 300) -> OperatorTimes:
    """Times of a network whose operators add so many ns; ``apart``: how much a round's prefixes differ from another's.

    A prefix is ``apart`` slower in every other round, by its place, so each difference has that spread.
    """
    samples = 3

    def series(place: int, total: int) -> tuple[int, ...]:
        return tuple(
            total + (apart if (number + place) % 2 else 0) + sample - 1
            for number in range(rounds)
            for sample in range(samples)
        )

    totals = [call + sum(steps[: place + 1]) for place in range(len(steps))]
    kinds = ("CONV_2D", "ADD", "SOFTMAX")
    return OperatorTimes(
        rounds=rounds,
        threads=1,
        call_ns=(call,) * rounds * samples,
        operators=tuple(
            TimedOperator(kind=kinds[i % 3], name=f"net/part{i}/out", prefix_ns=series(i, total))
            for i, total in enumerate(totals)
        ),
        whole_ns=series(len(steps), totals[-1] + left),
    )
