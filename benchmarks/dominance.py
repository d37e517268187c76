"""Whether one of our pruned networks stands above every file of every rival: as accurate on strangers and as fast.

    python -m benchmarks.dominance --from results/RUN [--from results/ANOTHER] [--models models] [--seeds 201,202]

For each device of the stored runs and each file of each rival, published or pruned, one single file of ours is looked
for that is at least as accurate on strangers and at most as slow there. A difference within its interval counts as
equal, and the table says where that was needed. The accuracies are measured with the runtimes (benchmarks.unseen, which
explains interval and test); the latencies are those of the runs: VALID cells of these very files, fewest threads,
fastest runtime.

- On the wall clock the ratio's interval is that of the rounds (--rounds 5 and more), or a bootstrap's of one round.
- Counted instructions have no noise; a ratio within what two boots of one build differ by counts as equal.
- Estimated cycles, where cells have them, are judged beside the counts, and repeat to 0.1 %.

To measure everything, with a devices.yaml that lists this machine and the emulated boards, all of them with
``runtimes: [litert, onnxruntime]`` and ``threads: [1]``:

    harness build                      # forms of rivals that are not committed, where they are wanted, too
    harness run --devices boards.yaml --model NAME,NAME,... --estimate --rounds 5

On emulated boards a network runs in all its forms when it is named. Exits with 1 if a file of a rival is not dominated
somewhere, or was not measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common import table
from benchmarks.unseen import Scored, pruned_of_ours, scored, seeds_of
from harness import results
from harness.core import clusters, rounds
from harness.core.clock import clock_of
from harness.core.errors import HarnessError, UsageError
from harness.core.files import sha256_file
from harness.core.stats import Interval, bootstrap_ratio
from harness.data.synthetic.strangers import SEEDS
from harness.records import manifest as manifests
from harness.report.paper import roles
from harness.training.unseen import People

#: Estimated cycles of one build differ by less from boot to boot, as a share.
CYCLES_SHARE = 0.001
HEAD = (
    "device", "rival's file", "rival is", "its cost", "accuracy", "ours", "ours by rival's",
    "95 % interval (counts: what boots differ by)", "points more accurate", "95 % interval", "dominated",
)  # fmt: skip
YES, EQUAL, NO = "yes", "within its interval", "NO"


@dataclass(frozen=True)
class Measured:
    """A file on one device: its cost in ``unit``, with what the interval of a ratio needs.

    Attributes:
        cost: median in milliseconds or million instructions, or million cycles.
        equal: a ratio that is this far above 1 is no difference, as a share; for costs without noise.
        cell: the cell's row; None for estimated cycles.
    """

    scored: Scored
    device: str
    unit: str
    cost: float
    equal: float
    cell: Any = None

    def ratio(self, rival: Measured) -> Interval:
        """This file's cost by a rival's, with its 95 % interval; for a cost without noise what counts as equal."""
        ratio = self.cost / rival.cost
        if self.unit != "ms":
            return Interval(ratio, ratio / (1 + self.equal), ratio * (1 + self.equal))
        mine, theirs = self.cell, rival.cell
        if min(len(mine.rounds), len(theirs.rounds)) > 1:
            parts = [rounds.medians(cell.latency_ns, cell.rounds.tolist()) for cell in (theirs, mine)]
            return rounds.ratio(parts[0], parts[1]).interval
        return bootstrap_ratio(theirs.latency_ns, mine.latency_ns, images=int(mine.n)).interval


@dataclass(frozen=True)
class Match:
    """A file of ours beside a rival's on one device: the ratio of costs, and the difference in accuracy."""

    ours: Measured
    rival: Measured
    ratio: Interval
    points: Interval

    @property
    def verdict(self) -> str:
        if self.ratio.value <= 1 and self.points.value >= 0:
            return YES
        return EQUAL if self.as_fast and self.as_accurate else NO

    @property
    def as_fast(self) -> bool:
        return self.ratio.low <= 1

    @property
    def as_accurate(self) -> bool:
        return self.points.high >= 0

    def row(self) -> tuple[object, ...]:
        """The row of the table."""
        rival, ratio, points = self.rival, self.ratio, self.points
        return (
            f"{rival.device} ({rival.unit})", rival.scored.label, rival.scored.role.removeprefix("rival "),
            f"{rival.cost:.4g}", f"{rival.scored.accuracy:.4f}",
            f"{self.ours.scored.label} {self.ours.cost:.4g}, {self.ours.scored.accuracy:.4f}",
            f"{ratio.value:.4f}", f"{ratio.low:.4f} to {ratio.high:.4f}", f"{points.value * 100:+.1f}",
            f"{points.low * 100:+.1f} to {points.high * 100:+.1f}", self.verdict,
        )  # fmt: skip


def measured(cells: pd.DataFrame, files: dict[str, Scored]) -> Iterator[Measured]:
    """The fastest VALID cell of each file on each device, on the device's clock and in estimated cycles.

    Args:
        files: by the SHA-256 of the file, so that no cell of another file counts.
    """
    fit = cells[(cells.status == "VALID") & cells.model_sha256.isin(list(files))]
    fit = fit[fit.threads == fit.groupby("device").threads.transform("min")]
    for (device, sha), rows in fit.groupby(["device", "model_sha256"], sort=True):
        clock = clock_of(bool(rows.emulated.iloc[0]), str(rows.clock.iloc[0]))
        costs = rows[f"latency_median_{clock.frame_column}"]
        best = rows.loc[costs.idxmin()]
        equal = clock.resolution(float(costs.min()) * 1e6) if best.clock == "instructions" else 0.0
        found = files[str(sha)]
        yield Measured(found, str(device), clock.short_unit, float(costs.min()), equal, best)
        cycles = rows.estimated_cycles.dropna()
        if len(cycles):
            yield Measured(found, str(device), "M cycles", float(cycles.min()) / 1e6, CYCLES_SHARE)


def best_match(rival: Measured, ours: Sequence[Measured], people: People) -> tuple[Match, list[Match]]:
    """The file of ours that dominates a rival's, else the nearest one; and all matches."""
    found = []
    for mine in ours:
        difference = clusters.difference(mine.scored.right, rival.scored.right, people.persons)
        found.append(Match(mine, rival, mine.ratio(rival), difference.interval))
    order = {YES: 0, EQUAL: 1, NO: 2}
    nearest = min(found, key=lambda m: (order[m.verdict], not m.as_accurate, m.ratio.value))
    return nearest, found


def by_how_much(found: Sequence[Match]) -> str:
    """How far ours are from dominating a file, from both sides."""
    rival = found[0].rival
    text = f"{rival.device} ({rival.unit}): {rival.scored.label} is not dominated"
    if accurate := [match for match in found if match.as_accurate]:
        near = min(accurate, key=lambda match: match.ratio.value)
        text += f"; of those as accurate, {near.ours.scored.label} takes {near.ratio.value:.3f} of its cost"
    if fast := [match for match in found if match.as_fast]:
        near = max(fast, key=lambda match: match.points.value)
        text += f"; of those as fast, {near.ours.scored.label} is {-near.points.value * 100:.1f} points less accurate"
    return text


def judge(
    costs: Sequence[Measured], found: Sequence[Scored], people: People, ours: Sequence[str]
) -> tuple[list[tuple[object, ...]], list[str]]:
    """The rows of the table, and every exception in words (empty where there is none)."""
    rows, against = [], []
    for place in dict.fromkeys((each.device, each.unit) for each in costs):
        here = [each for each in costs if (each.device, each.unit) == place]
        mine = [each for each in here if each.scored.network in ours]
        rivals = [each for each in here if each.scored.role != roles.OURS]
        if not mine:
            against.append(f"{place[0]} ({place[1]}): none of {', '.join(ours)} was measured")
            continue
        for rival in sorted(rivals, key=lambda each: each.cost):
            nearest, matches = best_match(rival, mine, people)
            rows.append(nearest.row())
            against += [by_how_much(matches)] if nearest.verdict == NO else []
        known = {each.scored.label for each in here}
        missing = [each.label for each in found if each.role != roles.OURS and each.label not in known]
        if missing:
            against.append(f"{place[0]} ({place[1]}): not measured: {', '.join(missing)}")
    return rows, against


def absent(models: Path, names: Sequence[str]) -> list[str]:
    """Forms of rivals that a manifest lists and whose file is not there, so that nothing can be said of them."""
    found = []
    for name in names:
        manifest = manifests.load(models, name)
        gone = [each.filename for each in manifest.artifacts if not (models / name / each.filename).is_file()]
        if gone and roles.role(name, manifest) != roles.OURS:
            found.append(f"{name} {', '.join(gone)}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="runs", type=Path, action="append", required=True, metavar="RUN")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--seeds", type=seeds_of, default=SEEDS, help="of the strangers; not 0, which was trained on")
    options = parser.parse_args()
    try:
        people = People.of(options.seeds)
        found = scored(options.models, people)
        files = {sha256_file(options.models / each.network / each.filename): each for each in found}
        cells = pd.concat([results.load(run) for run in options.runs], ignore_index=True)
        costs = list(measured(cells, files))
        if not costs:
            raise UsageError(f"no VALID cell of a file in {options.models}/ is in these runs")
    except HarnessError as error:
        print(f"benchmarks.dominance: {error}", file=sys.stderr)
        return error.exit_code
    rows, against = judge(costs, found, people, pruned_of_ours(found))
    print(f"Strangers: {len(people.persons)} images, seeds {', '.join(map(str, people.seeds))}\n")
    table(HEAD, rows)
    if gone := absent(options.models, sorted({each.network for each in found})):
        print("\nNo file is here of these forms, so nothing is said of them (harness build NAME makes them):\n")
        print("\n".join(f"- {line}" for line in gone))
    print("\n" + ("\n".join(against) or "Every file of every rival is dominated everywhere."))
    return 1 if against else 0


if __name__ == "__main__":
    sys.exit(main())
