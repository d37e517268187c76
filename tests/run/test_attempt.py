"""What one round of a cell asks of a board."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from benchmarks.made.cells import make_cell
from harness.records.cell import Cell
from harness.records.estimate import NoEstimate
from harness.run.attempt import Attempts
from harness.run.context import Context
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
