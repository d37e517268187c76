"""Where the time of three networks goes, on three clocks: do the operators add up to the whole?

    python -m benchmarks.operators [--network squeezenet ...] [--variant int8] [--no-board] [--no-here] [--most 5]

Counted instructions and estimated cycles are of an emulated Raspberry Pi 4, and the wall clock is this machine's. A sum
is that of all operators' costs, told or not; what it leaves of the whole is the call of the runtime, and whatever the
whole does otherwise than the file that ends after the last operator. That the sum fits says nothing of single
operators, see docs/measuring.md: on the wall clock, their intervals do.

Exits with 1 where the operators leave more than 3 % of a whole; on the wall clock, where even the interval does.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from benchmarks.common import BOARD, LOCAL, Quiet, table
from harness.config import devices as config
from harness.records.cell import Cell
from harness.records.estimate import OperatorCosts
from harness.records.operators import OperatorTimes
from harness.results.operators import TIME, Breakdown, Cost, breakdowns
from harness.run.plan import Options
from harness.run.scheduler import Run

NETWORKS = ("resvgg19-pruned", "mobilenet-v2", "squeezenet")
#: The share of a whole that the operators may leave.
LIMIT = 0.03


def profiled(device: dict[str, object], options: argparse.Namespace, results: Path) -> list[Cell]:
    """The networks' cells on one device, with the costs of their operators."""
    fleet = config.parse(yaml.safe_dump({"devices": [device]}))
    asked = Options(models=tuple(options.network), variants=(options.variant,), quick=True, profile_ops=True, rounds=1)
    watcher = Quiet()
    Run(fleet, asked, models=options.models, results=results).execute(watcher)
    return watcher.cells


def known(cell: Cell) -> list[Breakdown]:
    """What a cell knows of its operators; why it knows nothing is printed."""
    costs, times = cell.operators, cell.operator_times
    found = breakdowns(
        costs if isinstance(costs, OperatorCosts) else None, times if isinstance(times, OperatorTimes) else None
    )
    if not found:
        why = costs or times or "; ".join(reason.text for reason in cell.reasons)
        print(f"{cell.model.name} on {cell.device.name}: no costs of operators: {why}", file=sys.stderr)
    return found


def thousands(cost: Cost) -> str:
    """A difference in thousands, with its interval where it has one; a time that nobody can tell is not told."""
    if cost.low == cost.high:
        return f"{cost.value / 1e3:.1f}"
    told = f"{cost.value / 1e3:.1f}" if cost.verdict == "cost" else cost.verdict
    return f"{told} [{cost.low / 1e3:.1f}, {cost.high / 1e3:.1f}]"


def sums(cell: Cell, costs: Breakdown) -> list[str]:
    """A row: the whole, the sum, what is left, and how many operators' costs are told."""
    clock = f"{costs.quantity.title} ({costs.quantity.unit})"
    name = f"{cell.model.name} {cell.model.variant}"
    together = thousands(costs.together(costs.untold)) if costs.untold else "-"
    return [
        name, cell.device.name, clock, f"{costs.whole / 1e3:.1f}", f"{costs.total / 1e3:.1f}",
        f"{costs.total / costs.whole:.2%}", thousands(costs.remainder), f"{len(costs.told)} of {len(costs.parts)}",
        together,
    ]  # fmt: skip


def dearest(cell: Cell, costs: Breakdown, most: int) -> list[list[str]]:
    """A row for each of the operators that cost most."""
    parts = sorted(costs.told, key=lambda part: -part.cost.value)[:most]
    return [
        [
            f"{cell.model.name} {cell.model.variant}", costs.quantity.key, f"{part.index} {part.kind}",
            thousands(part.cost), f"{part.cost.value / costs.whole:.1%}",
        ]
        for part in parts
    ]  # fmt: skip


def fits(costs: Breakdown) -> bool:
    """Whether the operators leave no more of the whole than they may."""
    left, limit = costs.remainder, LIMIT * costs.whole
    return left.low <= limit and left.high >= -limit if costs.quantity is TIME else abs(left.value) <= limit


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", action="append", default=[])
    parser.add_argument("--variant", default="int8")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--no-board", action="store_true")
    parser.add_argument("--no-here", action="store_true")
    parser.add_argument("--most", type=int, default=5, help="operators shown for each network and clock")
    options = parser.parse_args(arguments)
    options.network = options.network or list(NETWORKS)
    asked = [device for device, left_out in ((LOCAL, options.no_here), (BOARD, options.no_board)) if not left_out]
    with tempfile.TemporaryDirectory() as name:
        cells = [cell for device in asked for cell in profiled(device, options, Path(name))]
    cells.sort(key=lambda cell: options.network.index(cell.model.name))
    last: dict[tuple[str, str], Cell] = {}
    for cell in cells:  # a disturbed cell is measured again
        if (key := (cell.device.name, cell.model.name)) not in last or cell.operators or cell.operator_times:
            last[key] = cell
    by_cell = [(cell, known(cell)) for cell in last.values()]
    found = [(cell, costs) for cell, breakdowns_ in by_cell for costs in breakdowns_]
    head = (
        "network", "on", "clock", "whole", "sum of operators", "share", "remainder [95 %]", "told", "the others [95 %]",
    )  # fmt: skip
    table(head, [sums(cell, costs) for cell, costs in found])
    print()
    table(
        ("network", "clock", "operator", "cost in thousand [95 %]", "of the whole"),
        [row for cell, costs in found for row in dearest(cell, costs, options.most)],
    )
    missing = len(asked) * len(options.network) > len(last) or not all(costs for _, costs in by_cell)
    return 1 if missing or not all(fits(costs) for _, costs in found) else 0


if __name__ == "__main__":
    sys.exit(main())
