"""What changed for good in cells over time, also too slowly for any step between two runs to show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np

from harness.core import changepoints, stats
from harness.core.changepoints import Changes, Drift
from harness.core.clock import Clock
from harness.results.change import MACHINE, Speed


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


def in_words(changes: Changes, runs: Sequence[str], speeds: Sequence[Speed | None] | None = None) -> str | None:
    """The lasting changes of a cell, with the runs of its medians by name; None where there are none.

    Args:
        speeds: those of the machine in the same runs, so that how far it changed itself is said beside each change;
            None where that does not matter, as on an emulated board.
    """
    beside = partial(_beside, speeds or [])
    if (drift := changes.drift) is not None:
        words = f"drifts by {_percent(drift.ratio)} {_interval(drift)} over {len(runs)} runs"
        third = max(len(runs) // 3, 1)
        return words + beside(0, third, len(runs) - third, len(runs))
    places = [0, *(step.at for step in changes.steps), len(runs)]
    named = (
        f"from {runs[step.at]}: {_percent(step.ratio)}" + beside(start, step.at, step.at, end)
        for step, start, end in zip(changes.steps, places, places[2:], strict=False)
    )
    return "; ".join(named) or None


def _beside(speeds: Sequence[Speed | None], *places: int) -> str:
    """How far the machine changed between two stretches, by the loop of its canary that moved furthest; empty where it
    did not move, or where no speeds are given.

    Args:
        places: the first stretch's start and end, then the second's.
    """
    if not speeds:
        return ""
    before, after = speeds[places[0] : places[1]], speeds[places[2] : places[3]]
    known = [speed for speed in (*before, *after) if speed is not None]
    if len(known) < len(before) + len(after) or len({speed.form for speed in known}) != 1:
        return " (whether the machine itself changed isn't known)"
    logs = np.log([speed.took for speed in known])
    moved = np.median(logs[len(before) :], axis=0) - np.median(logs[: len(before)], axis=0)
    ratio = float(np.exp(moved[np.argmax(np.abs(moved))]))
    return f" (the machine's canary: {_percent(ratio)})" if abs(ratio - 1) > MACHINE else ""


def _percent(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+.1f} %"


def _interval(drift: Drift) -> str:
    return f"[{(drift.low - 1) * 100:+.1f}, {(drift.high - 1) * 100:+.1f}]"
