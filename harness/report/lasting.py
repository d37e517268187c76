"""What changed for good in cells over time, also too slowly for any step between two runs to show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.core import changepoints, stats
from harness.core.changepoints import Changes, Drift
from harness.core.clock import Clock


def lasting(series: Iterable[tuple[Sequence[float], Clock]]) -> list[Changes]:
    """The lasting changes of each cell, from its medians over comparable runs, in the clock's unit.

    p-values of nothing having changed are corrected over all cells (Holm); a cell without a significant one has
    neither steps nor a drift.
    """
    found = [_changes(medians, clock) for medians, clock in series]
    adjusted = stats.holm([each.p_value for each in found])
    return [
        each if p_adjusted < changepoints.ALPHA else Changes(each.p_value)
        for each, p_adjusted in zip(found, adjusted, strict=True)
    ]


def _changes(medians: Sequence[float], clock: Clock) -> Changes:
    if len(medians) < 2 * changepoints.LEAST or min(medians) <= 0:
        return Changes(1.0)
    return changepoints.changes(medians, clock.resolution(min(medians) * 1e6))


def in_words(changes: Changes, runs: Sequence[str]) -> str | None:
    """The lasting changes of a cell, with the runs of its medians by name; None where there are none."""
    if (drift := changes.drift) is not None:
        return f"drifts by {_percent(drift.ratio)} {_interval(drift)} over {len(runs)} runs"
    return "; ".join(f"from {runs[step.at]}: {_percent(step.ratio)}" for step in changes.steps) or None


def _percent(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+.1f} %"


def _interval(drift: Drift) -> str:
    return f"[{(drift.low - 1) * 100:+.1f}, {(drift.high - 1) * 100:+.1f}]"
