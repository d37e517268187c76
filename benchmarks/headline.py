"""Whether resvgg19-pruned is faster than every published rival in ``models/``, best variant against best variant.

    python -m benchmarks.headline [--models models] [--rounds 5] [--boards raspberry-pi-4,jetson-nano] [--no-local]
    python -m benchmarks.headline --from results/RUN [--from results/ANOTHER]

Everything runs by ``harness run`` with one thread, LiteRT and the split of the manifests. On this machine, by the wall
clock, everything is measured in several rounds, so that the networks alternate and a slow minute affects all of them;
on emulated boards instructions are counted once. ``--from`` judges stored runs instead. A network's best variant is the
one with the lowest median. The uncompressed network (``--but``) is not a rival. Rivals that were pruned in this project
(``*-pruned``) are listed in a second table, which shows the effect of the same pruning on them.

Prints a table and exits with 1 if any ratio is 1.0 or more, or a rival or resvgg19-pruned is missing on a device.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from benchmarks.common import LOCAL, Quiet, table
from harness import results
from harness.config import devices as config
from harness.core.stats import Ratio, bootstrap_ratio
from harness.records import manifest as manifests
from harness.report.paper import roles
from harness.run.plan import Options
from harness.run.scheduler import Run

OURS = "resvgg19-pruned"
HEAD = ("device", OURS, "rival", "its best", "ratio", "95 % interval", "accuracy", "bytes")
BOARDS = "raspberry-pi-4,raspberry-pi-5,jetson-nano,coral-dev"


@dataclass(frozen=True)
class Best:
    """A network's fastest variant on one device; ``samples`` in nanoseconds or instructions, of all rounds in order."""

    model: str
    variant: str
    samples: NDArray[np.int64]
    accuracy: float
    bytes: int
    images: int

    @property
    def median(self) -> float:
        return float(np.median(self.samples))


def bests(cells: pd.DataFrame) -> dict[str, dict[str, Best]]:
    """The fastest variant of each network by device, from VALID cells with one thread on LiteRT."""
    fit = cells[(cells.status == "VALID") & (cells.threads == 1) & (cells.runtime == "litert")]
    found: dict[str, dict[str, Best]] = {}
    for (device, model, variant), rows in fit.groupby(["device", "model", "variant"], sort=True):
        samples = np.concatenate(list(rows.sort_values("started").latency_ns))
        first = rows.iloc[0]
        this = Best(
            model=str(model), variant=str(variant), samples=samples, accuracy=float(rows.accuracy.mean()),
            bytes=int(first.model_bytes), images=int(first.n),
        )  # fmt: skip
        known = found.setdefault(str(device), {})
        if str(model) not in known or this.median < known[str(model)].median:
            known[str(model)] = this
    return found


def judge(cells: pd.DataFrame, rivals: list[str]) -> tuple[list[tuple[object, ...]], list[str]]:
    """The rows of the table, and the evidence against the claim, as text (empty where there is none)."""
    rows: list[tuple[object, ...]] = []
    against: list[str] = []
    found, clocks = bests(cells), dict(zip(cells.device, cells.clock, strict=True))
    for device, clock in clocks.items():
        known = found.get(device, {})
        missing = [name for name in (OURS, *rivals) if name not in known]
        against += [f"{device}: no VALID cell of {name}" for name in missing]
        if OURS in missing:
            continue
        ours = known[OURS]
        for name in sorted(set(rivals) - set(missing), key=lambda n: known[n].median):
            ratio = bootstrap_ratio(known[name].samples, ours.samples, images=ours.images)
            rows.append(_row(device, clock, ours, known[name], ratio))
            if ratio.interval.value >= 1.0:
                against.append(f"{device}: {OURS} {ours.variant} takes {ratio.interval.value:.4f} of {name}'s latency")
    return rows, against


def _row(device: str, clock: str, ours: Best, rival: Best, ratio: Ratio) -> tuple[object, ...]:
    unit, digits = ("ms", 4) if clock == "wall" else ("M instr.", 3)
    inside = ratio.interval
    return (
        f"{device} ({unit})", f"{ours.variant} {ours.median / 1e6:.{digits}f}", rival.model,
        f"{rival.variant} {rival.median / 1e6:.{digits}f}", f"{inside.value:.4f}",
        f"{inside.low:.4f} to {inside.high:.4f}", f"{ours.accuracy:.3f} / {rival.accuracy:.3f}",
        f"{ours.bytes:,} / {rival.bytes:,}",
    )  # fmt: skip


def measured(options: argparse.Namespace, names: tuple[str, ...]) -> pd.DataFrame:
    """Every variant of the networks, measured now on each device."""
    local = [] if options.no_local else [LOCAL] * options.rounds
    emulated = [
        {"name": board, "board": board, "emulate": True, "runtimes": ["litert"]}
        for board in options.boards.split(",")
        if board
    ]
    frames = []
    with tempfile.TemporaryDirectory() as folder:
        for device in (*local, *emulated):
            fleet = config.parse(yaml.safe_dump({"devices": [device]}))
            asked = Options(models=names, quick=options.quick)
            outcome = Run(fleet, asked, models=options.models, results=Path(folder)).execute(Quiet())
            frames.append(results.load(outcome.folder))
            print(f"{device['name']}: {len(frames[-1])} cells", file=sys.stderr, flush=True)
    return pd.concat(frames, ignore_index=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--boards", default=BOARDS)
    parser.add_argument("--no-local", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--but", default="resvgg19,vgg19", help="networks that are no rivals")
    parser.add_argument("--from", dest="runs", type=Path, action="append", default=[], metavar="RUN")
    options = parser.parse_args()
    others = [n for n in manifests.names(options.models) if n != OURS and n not in options.but.split(",")]
    parts = {name: roles.role(name, manifests.load(options.models, name)) for name in others}
    rivals = [name for name in others if parts[name] == roles.PUBLISHED]
    pruned = [name for name in others if parts[name] == roles.COMPRESSED]
    if options.runs:
        cells = pd.concat([results.load(run) for run in options.runs], ignore_index=True)
    else:
        cells = measured(options, (OURS, *others))
    rows, against = judge(cells, rivals)
    table(HEAD, rows)
    if pruned:
        print("\nRivals pruned by us, not judged:\n")
        table(HEAD, judge(cells, pruned)[0])
    print("\n".join(("", *against)) if against else f"\n{OURS} is faster than all {len(rivals)} rivals everywhere")
    return 1 if against else 0


if __name__ == "__main__":
    sys.exit(main())
