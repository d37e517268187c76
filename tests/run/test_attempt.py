"""What one round of a cell asks of a board."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.made.cells import device, make_cell
from harness.core.errors import RunnerError
from harness.records.cell import Cell
from harness.records.estimate import NoEstimate
from harness.records.operators import NoTimes
from harness.run.attempt import Attempts
from harness.run.context import Context
from tests.support.estimate_factory import make_estimate
from tests.support.jobs import job, one_device


def test_operators_and_estimates_are_of_the_first_round_alone() -> None:
    """A cell keeps those of its first round, and they take much longer than a round."""
    asked: list[Context] = []

    class Recorded(Attempts):
        def _once(self, job: Any, context: Context, *, forked: bool) -> Cell:
            asked.append(context)
            return make_cell("resvgg19-pruned", "int8")

    underway: Any = SimpleNamespace(halt=None, measurement=lambda *_: None)
    session: Any = SimpleNamespace(board=SimpleNamespace(suspect=False))
    context = Context("run", one_device(), None, profile_ops=True, estimates=NoEstimate(reason="no compiler"))
    attempts = Recorded(underway, session, context)
    for first in (True, False):
        attempts.round(job(), 1, first=first)
    assert [(each.profile_ops, each.estimates) for each in asked] == [(True, context.estimates), (False, None)]


class Dying(Attempts):
    """A runner that dies of prefixes, or of anything."""

    cell: Cell
    always = False

    def _alone(self, job: Any, context: Context, forks: Any) -> Cell:
        if context.profile_ops or self.always:
            raise RunnerError("the runner was ended by signal 9 and left no result")
        return self.cell


@pytest.mark.parametrize("emulated", [True, False])
def test_a_runner_that_dies_of_prefixes_costs_the_operators_and_not_the_cell(emulated: bool) -> None:
    said: list[str] = []
    underway: Any = SimpleNamespace(halt=SimpleNamespace(ending=False), measurement=lambda *_: None)
    session: Any = SimpleNamespace(board=SimpleNamespace(suspect=False), forks=None, say=said.append)
    context = Context("run", one_device(), None, profile_ops=True)
    attempts = Dying(underway, session, context)
    attempts.cell = make_cell("resvgg19-pruned", "int8", device(emulated=emulated))
    if emulated:
        attempts.cell = attempts.cell.model_copy(update={"estimate": make_estimate(1_000_000)})
    found = attempts.round(job(), 1, first=True)
    assert found.status == "VALID"
    why = found.operators if emulated else found.operator_times
    assert isinstance(why, NoEstimate | NoTimes)
    assert "signal 9" in why.reason
    assert len(said) == 1
    attempts.always = True
    with pytest.raises(RunnerError):
        attempts._measured(job(), context)
