"""What the benchmarks of measuring share: runs without a screen, and tables."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from harness import config, store
from harness.plan import Job, Options, Plan
from harness.records import Cell
from harness.run import PASSING, Run

LOCAL = {"name": "here", "board": "generic", "local": True, "runtimes": ["litert"]}
BOARD = {"name": "pi4", "board": "raspberry-pi-4", "emulate": True, "runtimes": ["litert"]}
#: How often a benchmark measures again what other programs spoilt.
PATIENCE = 20


class Quiet:
    """Remembers the cells of a run and says nothing."""

    def __init__(self) -> None:
        self.cells: list[Cell] = []

    def planned(self, plan: Plan) -> None: ...
    def device(self, name: str, message: str) -> None: ...
    def cell_started(self, job: Job) -> None: ...
    def cell_ended(self, job: Job, cell: Cell) -> None:
        self.cells.append(cell)


def measure(
    device: dict[str, object], model: str, variant: str, results: Path, *, models: Path, slower: float = 0.0,
    quick: bool = False,
) -> tuple[Path, Cell]:  # fmt: skip
    """One cell as a run of its own. With ``slower`` (0.03: 3 %) the runner slows itself, and the cell, INVALID for
    that alone, is made VALID here, so that it can be compared. What other programs spoilt is measured again, for as
    long as a user would have patience, and how often is printed.

    Raises:
        SystemExit: no cell became VALID; the reasons are printed.
    """
    fleet = config.parse(yaml.safe_dump({"devices": [device]}))
    options = Options(models=(model,), variants=(variant,), quick=quick)
    for attempt in range(PATIENCE):
        watcher = Quiet()
        outcome = Run(fleet, options, models=models, results=results, inject_slowdown=slower).execute(watcher)
        (cell,) = watcher.cells
        wrong = {reason.code for reason in cell.reasons} - {"slowdown-injected"}
        if not wrong and slower:
            cell = cell.model_copy(update={"status": "VALID", "reasons": ()})
            store.write_cell(outcome.folder, cell)
        if not wrong:
            return outcome.folder, cell
        if wrong - PASSING:
            break
        print(f"again ({attempt + 1}): {', '.join(sorted(wrong))}", file=sys.stderr, flush=True)
        time.sleep(5)
    sys.exit(f"{cell.status}: {[reason.text for reason in cell.reasons]}")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(value) for value in row) + " |")
