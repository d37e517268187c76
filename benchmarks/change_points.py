"""How often a history of one build shows a change, and how often a slow drift is missed.

    python -m benchmarks.change_points [--histories 200] [--runs 30] [--drift 0.01] [--from RUN...]

A history of one build (A/A) is drawn from the medians of real runs of it: with ``--from``, of the given runs on the
instruction clock, else of medians that differ by the 1 in 40,000 that boots of a board differ by, some of them with one
timer's interrupt more. The drift is ``--drift`` per ten runs, the same in each run. All go through the code of
``harness report --history``.

Exits with 1 if more than 5 % of the A/A histories show a change, or any drift is missed. With ``ruptures`` installed
its PELT is shown beside, as a check of the search by another implementation.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import table
from harness.core import changepoints
from harness.core.clock import TICK, clock_of
from harness.core.stats import wilson
from harness.results import store
from harness.results.change import middle

#: Instructions of one inference, if no runs are given.
_MEDIAN = 2_000_000.0
#: How far boots of one board are apart, as a share.
_APART = 1 / 40_000


def measured(folders: Sequence[Path]) -> list[NDArray[np.float64]]:
    """The medians of each cell over the runs, as shares of their mean."""
    medians: dict[str, list[float]] = {}
    for folder in folders:
        for cell in store.scan_cells(folder)[0]:
            if cell.status == "VALID" and cell.device.clock == "instructions":
                medians.setdefault(cell.cell, []).append(middle(cell))
    several = [np.array(values) for values in medians.values() if len(values) >= 5]
    if not several:
        sys.exit("no cell on the instruction clock is VALID in five of these runs")
    return several


def drawn(chance: np.random.Generator, runs: int, real: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """One history in which nothing changed."""
    if real:
        return chance.choice(real[chance.integers(len(real))], runs)
    ticks = TICK * (chance.random(runs) < chance.random())
    noise: NDArray[np.float64] = _MEDIAN * (1 + chance.normal(0, _APART, runs)) + ticks
    return noise


def by_pelt(history: NDArray[np.float64], resolution: float) -> bool:
    """Whether ruptures' PELT finds a step of at least the resolution; the penalty is 3 log(n) times the variance of
    neighbours' differences."""
    import ruptures  # type: ignore[import-not-found, unused-ignore]

    logs = np.log(history)
    variance = max(float(np.var(np.diff(logs)) / 2), 1e-16)
    ends = ruptures.Pelt(model="l2", min_size=changepoints.LEAST).fit(logs).predict(3 * np.log(len(logs)) * variance)
    middles = [float(np.median(part)) for part in np.split(logs, ends[:-1])]
    return any(abs(b - a) >= resolution for a, b in itertools.pairwise(middles))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--drift", type=float, default=0.01, help="per ten runs")
    parser.add_argument("--from", dest="folders", type=Path, nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    real, chance = measured(options.folders) if options.folders else [], np.random.default_rng(options.seed)
    clock, other = clock_of(True, "instructions"), importlib.util.find_spec("ruptures") is not None
    slope = (1 + options.drift) ** (np.arange(options.runs) / 10)
    rows, counts = [], {}
    for kind, factor in (("nothing changed", np.ones(options.runs)), (f"{options.drift:.1%} per ten runs", slope)):
        steps = drifts = pelt = 0
        for _ in range(options.histories):
            history = drawn(chance, options.runs, real) * factor
            resolution = clock.resolution(float(history.min()))
            found = changepoints.changes(history.tolist(), resolution)
            steps, drifts = steps + bool(found.steps), drifts + (found.drift is not None)
            pelt += other and by_pelt(history, resolution)
        counts[kind] = steps + drifts
        likely = wilson(steps + drifts, options.histories)
        share = f"{likely.low:.1%} to {likely.high:.1%}"
        rows.append((kind, options.histories, steps, drifts, share, pelt if other else "-"))
    table(("history", "histories", "steps told", "drift told", "95 % interval of the share", "ruptures' PELT"), rows)
    alarms, caught = counts.values()
    good = alarms <= 0.05 * options.histories and caught == options.histories
    print("as promised" if good else "NOT as promised")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
