"""Costs of operators as differences of prefixes."""

from __future__ import annotations

import pytest

from harness.core.errors import EstimateError
from harness.estimate.model import RegionEstimate
from harness.estimate.prefixes import Operator, Prefix
from harness.estimate.profile import operator_costs, quietest_of_each
from harness.records.estimate import Estimate, EstimatedRegion

OPERATORS = tuple(
    Operator(index, kind, f"t{index}", Prefix((), ())) for index, kind in enumerate(["CONV_2D", "ADD", "SOFTMAX"])
)


def region(instructions: int, cycles: float) -> RegionEstimate:
    return RegionEstimate(cycles, instructions, 1)


def whole(instructions: int, cycles: int) -> Estimate:
    return Estimate(
        cycles=cycles,
        instructions=instructions,
        core="Cortex-A72",
        clock_hz=1,
        regions=(EstimatedRegion(cycles=cycles, instructions=instructions, blocks=1),),
        model="cortex-a72",
        llvm="19",
        qemu="7.2",
        cache_line_cycles=8,
        memory_line_cycles=24,
    )


def test_an_operator_costs_what_it_adds_to_those_before_it() -> None:
    prefixes = [region(100, 50), region(1100, 650), region(1050, 640.4), region(1500, 900)]
    costs = operator_costs(OPERATORS, prefixes, whole(1505, 910))
    assert [(o.kind, o.instructions, o.cycles) for o in costs.operators] == [
        ("CONV_2D", 1000, 600),
        ("ADD", -50, -10),  # fused with the convolution, which the file that ended there had to write out
        ("SOFTMAX", 450, 260),
    ]
    assert (costs.call_instructions, costs.call_cycles) == (100, 50)


def test_the_remainder_is_what_the_operators_leave_of_the_whole() -> None:
    costs = operator_costs(OPERATORS, [region(1, 50), region(2, 650), region(3, 700), region(4, 900)], whole(5, 910))
    assert costs.remainder_cycles == 910 - 850


def test_each_prefix_is_the_quietest_of_its_regions() -> None:
    regions = [region(2, 10), region(1, 30), region(3, 20), region(5, 1), region(4, 2), region(6, 9)]
    assert [each.instructions for each in quietest_of_each(regions, 3)] == [1, 4]


def test_regions_that_do_not_fit_the_operators_are_refused() -> None:
    with pytest.raises(EstimateError, match="2 regions for 3 operators"):
        operator_costs(OPERATORS, [region(1, 1), region(2, 2)], whole(2, 2))
