"""Several boots of an emulated board, one artifact: counts and estimates must be the same each time.

    python -m benchmarks.boots [--boots 5] [--plain 5] [--board raspberry-pi-4] [--board coral-dev] [--quick]

Each boot without the estimate's plugin is followed by one with it. Exits with 1 if medians of counted instructions
differ by more than 0.1 % between any two boots, or estimated cycles between any two with the plugin.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import BOARD, one_run, table
from harness.core.errors import EstimateError
from harness.core.files import write_atomic
from harness.estimate.estimator import check
from harness.records.cell import Cell
from harness.records.estimate import Estimate, NoEstimate

#: The largest difference between two boots that passes, as a share.
MOST_APART = 0.001


@dataclass(frozen=True)
class Boot:
    """The figures of one boot.

    Attributes:
        median, least, most: counted instructions of an inference.
        inferences: how many were counted.
        estimate: None on a boot without the plugin.
    """

    median: float
    least: int
    most: int
    inferences: int
    estimate: Estimate | None


def boot_of(cell: Cell) -> Boot:
    """The figures of a cell.

    Raises:
        SystemExit: it was to have an estimate and has none.
    """
    if isinstance(cell.estimate, NoEstimate):
        sys.exit(f"no estimate: {cell.estimate.reason}")
    times = cell.latency_ns
    return Boot(float(statistics.median(times)), min(times), max(times), len(times), cell.estimate)


def apart(values: list[float]) -> float:
    """How much the largest value is above the smallest, as a share of that."""
    return max(values) / min(values) - 1


def summary(boots: list[Boot]) -> dict[str, float]:
    """What must not differ by more than :data:`MOST_APART`: name -> share by which it does."""
    estimates = [boot.estimate for boot in boots if boot.estimate]
    found = {"medians": apart([boot.median for boot in boots])}
    if estimates:
        found["instructions that the plugin counted"] = apart([float(each.instructions) for each in estimates])
        found["estimated cycles"] = apart([float(each.cycles) for each in estimates])
    return found


def rows(boots: list[Boot]) -> list[tuple[object, ...]]:
    """The boots as rows of a table, in the order in which they were made."""
    return [
        (
            number,
            "yes" if boot.estimate else "no",
            f"{boot.median:,.0f}",
            f"{boot.least:,} to {boot.most:,}",
            boot.inferences,
            f"{boot.estimate.instructions:,}" if boot.estimate else "",
            f"{boot.estimate.cycles:,}" if boot.estimate else "",
        )
        for number, boot in enumerate(boots, start=1)
    ]


def wanted(options: argparse.Namespace, board: str) -> list[bool]:
    """Which boots have the plugin, in the order in which they are made; none where estimates can't be made."""
    plain = options.boots if options.plain is None else options.plain
    try:
        check(board)
    except EstimateError as error:
        print(f"no boots with the plugin: {error}", file=sys.stderr)
        return [False] * plain
    turns = [turn for _ in range(max(options.boots, plain)) for turn in (False, True)]
    return [turn for number, turn in enumerate(turns) if number // 2 < (options.boots if turn else plain)]


def measured(options: argparse.Namespace, board: str) -> list[Boot]:
    """Boot the board as often as wanted; cells of boots that are kept are not made again."""
    boots = []
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        for number, estimate in enumerate(wanted(options, board), start=1):
            kept = folder / f"{board}-{options.model}-{options.variant}-{number}-{estimate}.json"
            if not kept.exists():
                _, cell = one_run(
                    {**BOARD, "board": board},
                    options.model,
                    options.variant,
                    Path(name),
                    models=options.models,
                    quick=options.quick,
                    estimate=estimate,
                )
                write_atomic(kept, cell.model_dump_json(by_alias=True))
            boots.append(boot_of(Cell.model_validate_json(kept.read_bytes())))
            print(f"{board}: boot {number}: {boots[-1].median:,.0f}", file=sys.stderr, flush=True)
    return boots


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boots", type=int, default=5, help="boots with the plugin")
    parser.add_argument("--plain", type=int, help="boots without the plugin; default: as many as with it")
    parser.add_argument("--keep", type=Path, help="a folder for what has been measured, to go on later")
    parser.add_argument("--board", action="append", help="default: raspberry-pi-4")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="mobilenet-v3-small")
    parser.add_argument("--variant", default="int8")
    parser.add_argument("--quick", action="store_true", help="20 images instead of all")
    options = parser.parse_args()
    if options.boots < 1 or options.plain == 0:
        parser.error("at least one boot of each kind is needed")
    worst = 0.0
    for board in options.board or ["raspberry-pi-4"]:
        boots = measured(options, board)
        print(f"\n{options.model} {options.variant} on {board}:\n")
        head = ("boot", "plugin", "median, instructions", "lowest to highest", "inferences")
        table((*head, "counted by the plugin", "estimated cycles"), rows(boots))
        for what, share in summary(boots).items():
            print(f"\n{options.model} {options.variant} on {board}: {what} within {share:.5%}")
            worst = max(worst, share)
    return 0 if worst <= MOST_APART else 1


if __name__ == "__main__":
    sys.exit(main())
