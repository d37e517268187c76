"""Compares a build with itself and with a slower one, on a machine that is quiet, busy, restless, or slower for a
while.

    python -m benchmarks.weathers [--weather quiet,busy,restless,quota] [--comparisons 200] [--slower 0.10] [--gate 3%]
    python -m benchmarks.weathers --emulated --gate 1% --slower 0.03

A comparison is one of two whole runs of three cells, as ``harness run --quick`` makes them, by the code of ``harness
compare --gate``. Each comparison uses three runs, two plain ones and a slowed one, in random order. A/A compares the
two plain ones, A/B the second of them with the slowed one, in which the runner spins for the given share after each
inference, inside the timed part. So no run is in two comparisons of one kind. With ``--pairs all``, which is quicker,
every plain run is compared with every other plain one and with every slowed one: comparisons then share runs, so the
printed intervals are too narrow. With ``--emulated`` the runs are those of an emulated board, whose clock counts
instructions, so that no weather may matter.

The weathers:

quiet     nothing is added to what this machine does anyway
busy      one other process computes without a pause
restless  two others compute half of the time; each wakes for one to four seconds and sleeps for as long
quota     before each run it is drawn whether it gets two thirds of a processor or all of it (a cgroup's CPU quota).
          Where no cgroup can be written this weather is left out. Stopping and continuing the runner instead would be
          no test: it sees that, and the cell is INVALID.

A false alarm is a run in which a cell that didn't change trips the gate as slower. INVALID cells, and cells that the
comparison calls undecided, are counted separately: they are the correct answer where the machine is too unsteady. A
slowed cell was judged where the comparison says slower, same or faster.

Exits with 1 if A/A has false alarms in more than 5 % of the runs, or less than 95 % of the judged slowed cells are
caught, in any weather.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from benchmarks.common import BOARD, DISTURBANCES, LOCAL, Quiet, table
from harness.config import devices
from harness.core.stats import wilson
from harness.records.cell import Cell
from harness.results import store
from harness.results.compare import Comparison, compare, parse_gate
from harness.run.plan import Options
from harness.run.scheduler import Faked, Run

NETWORKS = ("mobilenet-v3-small", "resvgg19-pruned", "squeezenet")
BUSY = "while True: pass"
RESTLESS = """
import random, sys, time
chance = random.Random(sys.argv[1])
while True:
    end = time.monotonic() + chance.uniform(1, 4)
    while time.monotonic() < end:
        pass
    time.sleep(chance.uniform(1, 4))
"""
#: Microseconds of processor time in each period, in the weather with a quota.
QUOTA, PERIOD = 2000, 3000
JUDGED = ("slower", "same", "faster")


class Sky:
    """A condition imposed on the machine; this base class imposes none."""

    def before_run(self, chance: random.Random) -> None:
        """Called before each run."""


class Quota(Sky):
    """A cgroup that contains this process, and so the runner, or not, by chance before each run."""

    def __init__(self, group: Path, outside: Path) -> None:
        self._group, self._outside = group, outside

    def before_run(self, chance: random.Random) -> None:
        self.enter(chance.random() < 0.5)

    def enter(self, inside: bool) -> None:
        place = self._group if inside else self._outside
        (place / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


@contextmanager
def weather(name: str) -> Iterator[Sky | None]:
    """Provide the weather until the ``with`` block ends; None where this machine can't have it."""
    programs = {"busy": [[BUSY]], "restless": [[RESTLESS, "one"], [RESTLESS, "other"]]}.get(name, [])
    with ExitStack() as stack:
        for words in programs:
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", *words]))
            stack.callback(process.kill)
        yield stack.enter_context(_quota()) if name == "quota" else Sky()


@contextmanager
def _quota() -> Iterator[Quota | None]:
    """A quota by cgroup 1 or 2, whichever exists; None where none can be written."""
    for root, limits in (
        (Path("/sys/fs/cgroup/cpu"), {"cpu.cfs_period_us": f"{PERIOD}", "cpu.cfs_quota_us": f"{QUOTA}"}),
        (Path("/sys/fs/cgroup"), {"cpu.max": f"{QUOTA} {PERIOD}"}),
    ):
        group = root / f"harness-weathers-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        made = Quota(group, root)
        try:
            for name, value in limits.items():
                (group / name).write_text(value, encoding="ascii")
        except OSError:
            group.rmdir()
            continue
        try:
            yield made
        finally:
            made.enter(inside=False)
            group.rmdir()
        return
    yield None


@dataclass
class Tally:
    """The outcomes of a number of comparisons."""

    comparisons: int = 0
    alarms: int = 0
    cells: Counter[str] = field(default_factory=Counter)
    caught: int = 0
    why: Counter[str] = field(default_factory=Counter)

    def add(self, found: Comparison) -> None:
        tripped = [pair for pair in found.pairs if pair.verdict == "slower" and pair.gates]
        self.comparisons += 1
        self.alarms += bool(tripped)
        self.caught += len(tripped)
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


def in_weather(options: argparse.Namespace, sky: Sky, results: Path) -> list[Triple]:
    """Measure triples of runs; each is the folder of a run by its kind."""
    chance = random.Random(options.seed)
    triples: list[Triple] = []
    for number in range(options.comparisons):
        triple = {}
        for kind in chance.sample(("plain", "plain again", "slowed"), 3):
            sky.before_run(chance)
            triple[kind] = measured(options, results, options.slower if kind == "slowed" else 0.0)
        triples.append(triple)
        print(f"\r{number + 1} of {options.comparisons}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return triples


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


def row(name: str, kind: str, tally: Tally) -> tuple[object, ...]:
    """One line of the table."""
    cells = tally.cells.total()
    counted, of = (tally.alarms, tally.comparisons) if kind == "A/A" else (tally.caught, tally.judged)
    likely = wilson(counted, of) if of else None
    return (
        name,
        kind,
        tally.comparisons,
        f"{counted} of {of} {'runs' if kind == 'A/A' else 'judged cells'}",
        f"{counted / of:.1%}" if of else "-",
        f"{likely.low:.1%} to {likely.high:.1%}" if likely else "-",
        f"{tally.judged / cells:.0%}" if cells else "-",
        tally.cells["can't tell"],
        tally.cells["refused"],
        "; ".join(f"{why}: {count}" for why, count in tally.why.most_common(3)) or "-",
    )


def kept(kind: str, tally: Tally) -> bool:
    """Whether the promised limits are met."""
    if kind == "A/A":
        return tally.alarms <= 0.05 * tally.comparisons
    return tally.caught >= 0.95 * tally.judged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weather", default="quiet,busy,restless,quota")
    parser.add_argument("--comparisons", type=int, default=200, help="triples of runs in each weather")
    parser.add_argument("--pairs", choices=("disjoint", "all"), default="disjoint")
    parser.add_argument("--slower", type=float, default=0.10)
    parser.add_argument("--gate", default="3%")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--emulated", action="store_true", help="an emulated board instead of this machine")
    parser.add_argument("--disturbed", action="store_true", help="compare what other programs spoilt, too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--networks", type=lambda text: tuple(text.split(",")), default=NETWORKS)
    options = parser.parse_args()
    started, rows, good, told = time.monotonic(), [], True, 0
    for name in options.weather.split(","):
        with weather(name) as sky, tempfile.TemporaryDirectory() as results:
            if sky is None:
                print(f"{name}: left out, no cgroup can be written here", file=sys.stderr)
                continue
            for kind, tally in judged(in_weather(options, sky, Path(results)), options.pairs, options.gate).items():
                rows.append(row(name, kind, tally))
                good &= kept(kind, tally)
                told += tally.judged
    table(
        ("weather", "comparison", "comparisons", "gate tripped", "share", "its 95 % interval", "cells judged",
         "can't tell", "refused (INVALID)", "why"), rows,
    )  # fmt: skip
    print(f"\nA/B: {options.slower:.0%} slower; gate {options.gate}; {', '.join(options.networks)}; ", end="")
    print(f"pairs: {options.pairs}; {(time.monotonic() - started) / 60:.0f} minutes")
    if not told:
        print("nothing was judged: this machine is too busy to show anything")
    print("as promised" if good and told else "NOT as promised")
    return 0 if good and told else 1


if __name__ == "__main__":
    sys.exit(main())
