"""Compares a build with itself and with a slower one, on a machine that is quiet, busy, restless, or slower for a
while.

    python -m benchmarks.weathers [--weather quiet,busy,restless,quota,clock] [--comparisons 200] [--slower 0.10]
        [--gate 3%] [--pairs all]
    python -m benchmarks.weathers --emulated --gate 1% --slower 0.03

A comparison is one of two whole runs of three cells, as ``harness run --quick`` makes them, by the code of ``harness
compare --gate``. Each comparison uses three runs, two plain ones and a slowed one, in random order. A/A compares the
two plain ones, A/B the second of them with the slowed one, in which the runner spins for the given share after each
inference, inside the timed part. So no run is in two comparisons of one kind. With ``--pairs all``, which is quicker,
every plain run is compared with every other plain one and with every slowed one: comparisons then share runs, so no
interval is printed. With ``--emulated`` the runs are those of an emulated board, whose clock counts
instructions, so that no weather may matter.

The weathers:

quiet     nothing is added to what this machine does anyway
busy      one other process computes without a pause
restless  two others compute half of the time; each wakes for one to four seconds and sleeps for as long
quota     before each run it is drawn whether it gets two thirds of a processor or all of it (a cgroup's CPU quota,
          1 ms of every 1.5). One of the networks takes several milliseconds, so that a quota reaches each inference;
          what takes a tenth of a millisecond mostly runs between two pauses. Where no cgroup can be written this
          weather is left out.
clock     before each run it is drawn whether its processor is a third slower, as a lower clock makes it. No program can
          lower this machine's clock, so in such a run all stored times, those of the canary as well, are made a third
          longer than measured.

In a weather that is drawn anew for each run, the medians in it are printed over those outside of it, and the canary's.
Below 1.2 for all networks the weather did not happen, which is a failure.

A false alarm is a run in which a cell that didn't change is called slower and trips the gate. INVALID cells, and cells
that the comparison calls undecided, are counted separately: they are the correct answer where the machine is too
unsteady. The gate also trips where a cell was VALID and is INVALID now, so its trips for any reason have a column of
their own. A slowed cell was judged where the comparison says slower, same or faster.

Exits with 1 if A/A has false alarms in more than 5 % of the runs, or less than 95 % of the judged slowed cells are
caught, or none was judged, in any weather.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from benchmarks.common import BOARD, DISTURBANCES, LOCAL, Quiet, table
from benchmarks.skies import Sky, weather
from harness.config import devices
from harness.core.stats import wilson
from harness.records.cell import Cell
from harness.results import store
from harness.results.change import LOOPS, canaries, middle
from harness.results.compare import Comparison, compare, parse_gate
from harness.run.plan import Options
from harness.run.scheduler import Faked, Run

NETWORKS = ("mobilenet-v3-small", "resvgg19-pruned", "squeezenet")
#: resvgg19 takes several milliseconds, longer than a quota's period.
NETWORKS_OF = {"quota": ("mobilenet-v3-small", "resvgg19-pruned", "resvgg19")}
#: A weather that is drawn anew for each run and makes no network take this much longer did not happen.
FELT = 1.2
JUDGED = ("slower", "same", "faster")


@dataclass
class Tally:
    """The outcomes of a number of comparisons.

    Attributes:
        alarms: those in which a cell was called slower by more than the gate.
        tripped: those in which the gate tripped for any reason.
        caught: cells called slower by more than the gate.
    """

    comparisons: int = 0
    alarms: int = 0
    tripped: int = 0
    cells: Counter[str] = field(default_factory=Counter)
    caught: int = 0
    why: Counter[str] = field(default_factory=Counter)

    def add(self, found: Comparison) -> None:
        slower = [pair for pair in found.pairs if pair.verdict == "slower" and pair.gates]
        self.comparisons += 1
        self.alarms += bool(slower)
        self.tripped += found.tripped
        self.caught += len(slower)
        self.cells.update(pair.verdict for pair in found.pairs)
        self.why.update(pair.doubt.split(";")[0] for pair in found.pairs if pair.doubt)

    @property
    def judged(self) -> int:
        return sum(self.cells[verdict] for verdict in JUDGED)


def measured(options: argparse.Namespace, results: Path, slower: float) -> Path:
    """One run of all networks. A slowed cell is INVALID for that alone, and is made VALID so that it is compared."""
    limits = dict.fromkeys(DISTURBANCES) if options.disturbed else {}
    device = {**(BOARD if options.emulated else LOCAL), "thresholds": limits}
    fleet = devices.parse(yaml.safe_dump({"devices": [device]}))
    asked = Options(models=options.networks, variants=("int8",), quick=True, rounds=options.rounds)
    run = Run(fleet, asked, models=options.models, results=results, faked=Faked(inject_slowdown=slower))
    folder = run.execute(Quiet()).folder
    if slower:
        for cell in store.readable_cells(folder):
            store.write_cell(folder, _pardoned(cell))
    return folder


def _pardoned(cell: Cell) -> Cell:
    left = tuple(reason for reason in cell.reasons if reason.code != "slowdown-injected")
    return cell.model_copy(update={"reasons": left, "status": "INVALID" if left else "VALID"})


Triple = dict[str, Path]


def in_weather(options: argparse.Namespace, sky: Sky, results: Path) -> tuple[list[Triple], dict[Path, bool]]:
    """Measure triples of runs; each is the folder of a run by its kind. And which plain runs were in the weather."""
    chance = random.Random(options.seed)
    triples: list[Triple] = []
    plain: dict[Path, bool] = {}
    for number in range(options.comparisons):
        triple = {}
        for kind in chance.sample(("plain", "plain again", "slowed"), 3):
            inside = sky.before_run(chance)
            folder = measured(options, results, options.slower if kind == "slowed" else 0.0)
            if inside:
                sky.after_run(folder)
            triple[kind] = folder
            if kind != "slowed":
                plain[folder] = inside
        triples.append(triple)
        print(f"\r{number + 1} of {options.comparisons}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return triples, plain


def felt(name: str, plain: dict[Path, bool]) -> tuple[float | None, str]:
    """How a weather that is drawn anew for each run changed what plain runs took.

    Returns:
        The largest ratio of medians in it to those outside, over networks, and all ratios in words; None where no run
        or every run was in it.
    """
    took: dict[tuple[str, bool], list[float]] = {}
    for folder, inside in plain.items():
        for cell in store.readable_cells(folder):
            if cell.latency_ns:
                took.setdefault((cell.model.name, inside), []).append(middle(cell))
                for loop in LOOPS:
                    took.setdefault((f"canary, {loop}", inside), []).extend(canaries(cell, loop))
    ratios = {
        what: statistics.median(times) / statistics.median(took[what, False])
        for (what, inside), times in took.items()
        if inside and times and took.get((what, False))
    }
    networks = [ratio for what, ratio in ratios.items() if not what.startswith("canary")]
    words = ", ".join(f"{what} {ratio:.2f}" for what, ratio in ratios.items())
    return max(networks, default=None), f"{name}: medians in it over those outside: {words}"


def judged(triples: Sequence[Triple], how: str, gate: str) -> dict[str, Tally]:
    """Compare the runs of triples, by kind of comparison; ``how`` as in :func:`pairs`."""
    tallies = {"A/A": Tally(), "A/B": Tally()}
    for kind, couples in pairs(triples, how).items():
        for a, b in couples:
            tallies[kind].add(compare(a, b, parse_gate(gate)))
    return tallies


def pairs(triples: Sequence[Triple], how: str) -> dict[str, list[tuple[Path, Path]]]:
    """The pairs of runs that are compared, by kind; ``how``: ``disjoint`` or ``all``."""
    if how == "disjoint":
        return {
            "A/A": [(triple["plain"], triple["plain again"]) for triple in triples],
            "A/B": [(triple["plain again"], triple["slowed"]) for triple in triples],
        }
    plain = [triple[kind] for triple in triples for kind in ("plain", "plain again")]
    slowed = [triple["slowed"] for triple in triples]
    return {"A/A": list(itertools.combinations(plain, 2)), "A/B": list(itertools.product(plain, slowed))}


def row(name: str, kind: str, tally: Tally, how: str = "disjoint") -> tuple[object, ...]:
    """One line of the table; ``how`` as in :func:`pairs`: those that share runs have no interval."""
    cells = tally.cells.total()
    counted, of = (tally.alarms, tally.comparisons) if kind == "A/A" else (tally.caught, tally.judged)
    likely = wilson(counted, of) if of and how == "disjoint" else None
    return (
        name,
        kind,
        tally.comparisons,
        f"{counted} of {of} {'runs' if kind == 'A/A' else 'judged cells'}",
        f"{counted / of:.1%}" if of else "-",
        f"{likely.low:.1%} to {likely.high:.1%}" if likely else "-",
        f"{tally.tripped} of {tally.comparisons}",
        f"{tally.judged / cells:.0%}" if cells else "-",
        tally.cells["can't tell"],
        tally.cells["refused"],
        "; ".join(f"{why}: {count}" for why, count in tally.why.most_common(3)) or "-",
    )


def kept(kind: str, tally: Tally) -> bool:
    """Whether the promised limits are met."""
    if kind == "A/A":
        return tally.alarms <= 0.05 * tally.comparisons
    return tally.judged > 0 and tally.caught >= 0.95 * tally.judged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weather", default="quiet,busy,restless,quota,clock")
    parser.add_argument("--comparisons", type=int, default=200, help="triples of runs in each weather")
    parser.add_argument("--pairs", choices=("disjoint", "all"), default="disjoint")
    parser.add_argument("--slower", type=float, default=0.10)
    parser.add_argument("--gate", default="3%")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--emulated", action="store_true", help="an emulated board instead of this machine")
    parser.add_argument("--disturbed", action="store_true", help="compare what other programs spoilt, too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--networks", type=lambda text: tuple(text.split(",")))
    options = parser.parse_args()
    return weathers(options, options.networks)


def weathers(options: argparse.Namespace, networks: tuple[str, ...] | None) -> int:
    """Measure and print; ``networks`` instead of those of each weather."""
    started, rows, good = time.monotonic(), [], True
    for name in options.weather.split(","):
        with weather(name) as sky, tempfile.TemporaryDirectory() as results:
            if sky is None:
                print(f"{name}: left out, no cgroup can be written here", file=sys.stderr)
                continue
            options.networks = networks or NETWORKS_OF.get(name, NETWORKS)
            triples, plain = in_weather(options, sky, Path(results))
            for kind, tally in judged(triples, options.pairs, options.gate).items():
                rows.append(row(name, kind, tally, options.pairs))
                good &= kept(kind, tally)
            ratio, words = felt(name, plain)
            if type(sky) is not Sky:
                print(words if ratio and ratio >= FELT else f"{words}: this weather did not happen")
                good &= ratio is not None and ratio >= FELT
    table(
        ("weather", "comparison", "comparisons", "called slower", "share", "its 95 % interval", "gate tripped",
         "cells judged", "can't tell", "refused (INVALID)", "why"), rows,
    )  # fmt: skip
    print(f"\nA/B: {options.slower:.0%} slower; gate {options.gate}; ", end="")
    print(f"pairs: {options.pairs}; {(time.monotonic() - started) / 60:.0f} minutes")
    print("as promised" if good else "NOT as promised")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
