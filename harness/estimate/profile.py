"""The share of each operator in a network's cycles: its cost is the difference of two prefixes of the graph."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from harness.core.errors import EstimateError
from harness.estimate.estimator import quietest
from harness.estimate.model import RegionEstimate
from harness.estimate.prefixes import Operator
from harness.records.estimate import Estimate, OperatorCost, OperatorCosts


def quietest_of_each(regions: Sequence[RegionEstimate], count: int) -> list[RegionEstimate]:
    """The quietest region of each group of ``count`` consecutive ones."""
    return [quietest(regions[start : start + count]) for start in range(0, len(regions), count)]


def operator_costs(operators: Sequence[Operator], prefixes: Sequence[RegionEstimate], whole: Estimate) -> OperatorCosts:
    """The costs of all operators.

    Args:
        prefixes: the estimates of a call without a network, and of the prefixes that end with each operator.
        whole: the estimate of the unchanged file.

    Raises:
        EstimateError: the numbers of prefixes and operators differ.
    """
    if len(prefixes) != len(operators) + 1 or not operators:
        raise EstimateError(f"{len(prefixes)} regions for {len(operators)} operators")
    costs = [
        OperatorCost(
            kind=operator.kind,
            name=operator.name,
            instructions=after.instructions - before.instructions,
            cycles=round(after.cycles) - round(before.cycles),
        )
        for operator, (before, after) in zip(operators, pairwise(prefixes), strict=True)
    ]
    return OperatorCosts(
        operators=tuple(costs),
        call_instructions=prefixes[0].instructions,
        call_cycles=round(prefixes[0].cycles),
        instructions=whole.instructions,
        cycles=whole.cycles,
    )
