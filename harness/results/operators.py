"""What each operator of a network costs, on one clock: counted instructions, estimated cycles, or measured time.

A cost is a difference: what the operator adds to those before it, by files that end after each. So the costs add up to
the file that ends after the last one, and what the runtime adds or spares on the way is in some operator's cost: one
that is fused with its neighbour adds little or nothing, and the neighbour bears it. That the sum fits the whole says
that nothing is missing, and not that each single cost is right.

Time is measured, so each cost has an interval: Student's t on the differences within rounds, by
:func:`harness.core.rounds.difference`. Where it holds zero, nobody can tell what the operator costs, nor that it costs
anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.core import rounds
from harness.records.estimate import QUANTITY, OperatorCost, OperatorCosts
from harness.records.operators import OperatorTimes, TimedOperator

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Quantity:
    """What is counted, estimated or measured. Values of two quantities never share an axis.

    Attributes:
        key: in file names and columns.
        title: the quantity, as a heading.
        unit: on axes, where a value is divided by 1000.
        stands_for: what a nanosecond of a trace stands for.
    """

    key: str
    title: str
    unit: str
    stands_for: str


CYCLES = Quantity("cycles", QUANTITY, "thousand", "1 ns stands for 1 cycle")
INSTRUCTIONS = Quantity("instructions", "Counted instructions", "thousand", "1 ns stands for 1 instruction")
TIME = Quantity("ns", "Time", "µs", "measured, wall clock")

#: ``cost``: it takes that much. ``nothing``: it takes nothing of its own, or spares what those before it took alone.
Verdict = Literal["cost", "nothing", "can't tell"]


@dataclass(frozen=True)
class Cost:
    """A difference with its 95 % interval; both ends are the value on a clock without noise."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """What may be said of it."""
        if self.low > 0:
            return "cost"
        return "nothing" if self.high <= 0 else "can't tell"


@dataclass(frozen=True)
class Part:
    """One operator: its place in the order of execution, kind, the tensor that it makes, and its cost."""

    index: int
    kind: str
    name: str
    cost: Cost


@dataclass(frozen=True)
class Breakdown:
    """Where a network's cost goes.

    Attributes:
        parts: all operators, in the order of execution.
        remainder: what the operators leave of the whole.
        whole: the unchanged network's.
        steps: what each operator added in each round, shape (operators, rounds); one column on a clock without noise.
    """

    quantity: Quantity
    parts: tuple[Part, ...]
    remainder: Cost
    whole: float
    steps: FloatArray

    @property
    def told(self) -> tuple[Part, ...]:
        """The operators whose cost is known."""
        return tuple(part for part in self.parts if part.cost.verdict == "cost")

    @property
    def untold(self) -> tuple[Part, ...]:
        """The operators that cost nothing of their own, or of which nobody can tell."""
        return tuple(part for part in self.parts if part.cost.verdict != "cost")

    @property
    def total(self) -> float:
        """The sum of all operators, told or not: neighbours' errors cancel in it."""
        return sum(part.cost.value for part in self.parts)

    def together(self, parts: Sequence[Part]) -> Cost:
        """What several operators cost in all. That may be told where no single one can be."""
        step = self.steps[[part.index for part in parts]].sum(axis=0)
        return _cost(step) if self.quantity is TIME else _certain(float(step[0]))


def breakdowns(costs: OperatorCosts | None, times: OperatorTimes | None) -> list[Breakdown]:
    """What a cell knows of its operators, quantity by quantity."""
    found = [by_cycles(costs), by_instructions(costs)] if costs else []
    return [*found, by_time(times)] if times else found


def by_cycles(costs: OperatorCosts) -> Breakdown:
    """In estimated cycles on one thread."""
    return _exact(CYCLES, costs, [operator.cycles for operator in costs.operators], costs.cycles)


def by_instructions(costs: OperatorCosts) -> Breakdown:
    """In counted instructions."""
    return _exact(INSTRUCTIONS, costs, [operator.instructions for operator in costs.operators], costs.instructions)


def _exact(quantity: Quantity, costs: OperatorCosts, values: Sequence[int], whole: int) -> Breakdown:
    return Breakdown(
        quantity=quantity,
        parts=_parts(costs.operators, [_certain(value) for value in values]),
        remainder=_certain(whole - sum(values)),
        whole=whole,
        steps=np.array(values, dtype=np.float64)[:, None],
    )


def by_time(times: OperatorTimes) -> Breakdown:
    """In nanoseconds of the wall clock, with intervals. A single round has none, so that nothing can be told."""
    call, *prefixes, whole = _medians(times)
    steps = np.diff([call, *prefixes], axis=0)
    return Breakdown(
        quantity=TIME,
        parts=_parts(times.operators, [_cost(step) for step in steps]),
        remainder=_cost(whole - steps.sum(axis=0)),
        whole=float(np.mean(whole)),
        steps=steps,
    )


def _parts(operators: Sequence[OperatorCost | TimedOperator], costs: Sequence[Cost]) -> tuple[Part, ...]:
    return tuple(
        Part(index, operator.kind, operator.name, cost)
        for index, (operator, cost) in enumerate(zip(operators, costs, strict=True))
    )


def _medians(times: OperatorTimes) -> Iterator[FloatArray]:
    """The medians of the rounds: of a file without operators, of each prefix, of the whole."""
    for samples in (times.call_ns, *(operator.prefix_ns for operator in times.operators), times.whole_ns):
        yield rounds.medians(samples, [len(samples) // times.rounds] * times.rounds)


def _certain(value: float) -> Cost:
    return Cost(value, value, value)


def _cost(step: FloatArray) -> Cost:
    """The cost by its differences within rounds."""
    if len(step) < 2:
        return Cost(float(step[0]), -math.inf, math.inf)
    found = rounds.difference(np.zeros_like(step), step)
    return Cost(found.value, found.low, found.high)
