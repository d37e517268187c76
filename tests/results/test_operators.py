"""What each operator costs on each clock, and what can't be told."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from harness.records.estimate import QUANTITY
from harness.records.operators import OperatorTimes, TimedOperator
from harness.results.operators import CYCLES, INSTRUCTIONS, TIME, breakdowns, by_cycles, by_instructions, by_time
from tests.support.estimate_factory import make_operators, make_times


def test_counts_and_estimates_are_exact_and_apart() -> None:
    costs = make_operators()
    cycles, instructions = breakdowns(costs, None)
    assert (cycles.quantity, instructions.quantity) == (CYCLES, INSTRUCTIONS)
    assert CYCLES.title == QUANTITY == "Estimated cycles, 1 thread"
    assert [part.cost.value for part in cycles.parts] == [1000, 2000, 3000]
    assert [part.cost.value for part in instructions.parts] == [1500, 3000, 4500]
    assert cycles.remainder.value == 600
    assert instructions.remainder.value == costs.instructions - 9000
    assert cycles.total + cycles.remainder.value == cycles.whole == costs.cycles


def test_an_operator_that_is_fused_with_its_neighbour_costs_nothing_of_its_own() -> None:
    costs = make_operators()
    fused = costs.operators[1].model_copy(update={"cycles": -40, "instructions": 0})
    costs = costs.model_copy(update={"operators": (costs.operators[0], fused, costs.operators[2])})
    for found in (by_cycles(costs), by_instructions(costs)):
        assert [part.cost.verdict for part in found.parts] == ["cost", "nothing", "cost"]
    assert by_cycles(costs).together(by_cycles(costs).untold).value == -40


def test_times_have_intervals_and_what_spans_zero_is_not_told() -> None:
    found = by_time(make_times(5000, 10, 4000, -900))
    assert found.quantity is TIME
    assert [part.cost.verdict for part in found.parts] == ["cost", "can't tell", "cost", "nothing"]
    assert [part.index for part in found.told] == [0, 2]
    for part in found.parts:
        assert part.cost.low < part.cost.value < part.cost.high
    assert found.parts[0].cost.value == pytest.approx(5000, abs=50)


def test_sum_and_remainder_make_the_whole_up() -> None:
    found = by_time(make_times(5000, 10, 4000, -900, left=300, call=100))
    assert found.total + found.remainder.value == pytest.approx(found.whole)
    assert found.remainder.low < 400 < found.remainder.high


def test_many_that_can_not_be_told_may_be_told_together() -> None:
    found = by_time(make_times(*[30] * 40, apart=40))
    assert [part.index for part in found.told] == [0]  # nothing is before it that could be as slow as itself
    together = found.together(found.untold)
    assert together.verdict == "cost"
    assert together.low < 1170 < together.high


def test_one_round_tells_nothing() -> None:
    found = by_time(make_times(5000, 4000, rounds=1))
    assert {part.cost.verdict for part in found.parts} == {"can't tell"}
    assert found.remainder.verdict == "can't tell"


def test_an_operator_without_a_cost_is_rarely_told() -> None:
    """Made-up rounds of files of one cost: one in forty seems to cost something, one in forty to spare something."""
    chance = np.random.default_rng(18)
    told = 0
    for _ in range(40):
        prefixes = (100_000 * np.exp(chance.normal(0, 0.01, (50, 8)))).astype(int)
        operators = tuple(TimedOperator(kind="ADD", name="t", prefix_ns=tuple(row.tolist())) for row in prefixes)
        times = OperatorTimes(rounds=8, threads=1, call_ns=(1,) * 8, operators=operators, whole_ns=(100_000,) * 8)
        told += sum(part.cost.verdict == "cost" for part in by_time(times).parts[1:])
    assert 0.015 < told / (40 * 49) < 0.035


def test_rounds_of_other_sizes_are_refused() -> None:
    good = make_times(10, 20)
    with pytest.raises(ValidationError, match="same number in each of 5 rounds"):
        OperatorTimes.model_validate(good.model_dump() | {"whole_ns": (1, 2, 3)})
