"""Shared code of the benchmarks that measure: runs without a display, and tables."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from harness.config import devices as config
from harness.records.answer import RunnerResult, parse_answer
from harness.records.cell import Cell, RunInfo
from harness.remote.base import Command
from harness.results import store
from harness.run import measure
from harness.run.attempt import PASSING
from harness.run.cell import Measurement, finished
from harness.run.context import Context
from harness.run.images import TestSet, prepare
from harness.run.inventory import inventory
from harness.run.plan import CellJob, Options, Plan, make
from harness.run.scheduler import Run
from harness.run.session import Session, open_session

LOCAL = {"name": "here", "board": "generic", "local": True, "runtimes": ["litert"]}
BOARD = {"name": "pi4", "board": "raspberry-pi-4", "emulate": True, "runtimes": ["litert"]}
#: How often a benchmark repeats a measurement that other programs disturbed.
PATIENCE = 20
#: The thresholds that ``--disturbed`` ignores.
DISTURBANCES = ("drift", "dispersion", "waited", "stolen", "others", "memory_stall", "frequency_drop")


class Quiet:
    """Records the cells of a run and prints nothing."""

    def __init__(self) -> None:
        self.cells: list[Cell] = []

    def planned(self, plan: Plan) -> None: ...
    def device(self, name: str, message: str) -> None: ...
    def cell_started(self, job: CellJob) -> None: ...
    def cell_ended(self, job: CellJob, cell: Cell) -> None:
        self.cells.append(cell)


def one_run(
    device: dict[str, object],
    model: str,
    variant: str,
    results: Path,
    *,
    models: Path,
    quick: bool = False,
    estimate: bool = False,
) -> tuple[Path, Cell]:
    """Measure one cell in a separate run. A measurement that other programs disturbed is repeated, as often as a
    patient user would, and the number of repetitions is printed.

    Raises:
        SystemExit: no cell became VALID; the reasons are printed.
    """
    fleet = config.parse(yaml.safe_dump({"devices": [device]}))
    options = Options(models=(model,), variants=(variant,), quick=quick, estimate=estimate)
    for attempt in range(PATIENCE):
        watcher = Quiet()
        outcome = Run(fleet, options, models=models, results=results).execute(watcher)
        (cell,) = watcher.cells
        if not (wrong := _wrong(cell)):
            return outcome.folder, cell
        if wrong - PASSING:
            break
        print(f"again ({attempt + 1}): {', '.join(sorted(wrong))}", file=sys.stderr, flush=True)
        time.sleep(5)
    sys.exit(f"{cell.status}: {[reason.text for reason in cell.reasons]}")


def _wrong(cell: Cell) -> set[str]:
    return {reason.code for reason in cell.reasons} - {"slowdown-injected"}


#: Runs on the board. It imports the runtime once; then each measurement is a process forked from it, which runs the
#: shipped runner from its first line. So each has its own interpreter, warm-up and memory, without the seconds that the
#: import takes on an emulated board.
FORKS = """
import json, os, sys
sys.path[:1] = sys.argv[3:]
import numpy
import ai_edge_litert.interpreter
code = compile(open(sys.argv[1]).read(), sys.argv[1], "exec")
for number, line in enumerate(sys.stdin):
    job, result = sys.argv[2] + "/forked.job", sys.argv[2] + "/forked.result"
    pid = os.fork()
    if not pid:
        open(job, "w").write(line)
        sys.argv = [sys.argv[1], "--job", job, "--result", result]
        exec(code, {"__name__": "__main__"})
    os.waitpid(pid, 0)
    print(open(result).read(), flush=True)
    os.remove(result)
"""


@dataclass(frozen=True)
class Bench:
    """A device prepared for one artifact on LiteRT, which is measured repeatedly in one session."""

    session: Session
    job: CellJob
    test: TestSet
    context: Context

    def cell(self, slower: float = 0.0, *, forked: bool = False) -> Cell:
        """One measurement, as ``harness run`` makes it, in a separate process; ``forked``, as it makes the later rounds
        of a cell, from another parent each time. With ``slower`` (0.03: 3 %) the runner slows itself; such a cell is
        INVALID for that alone, and is made VALID here so that it can be compared. A measurement that other programs
        disturbed is repeated.

        Raises:
            SystemExit: the cell is invalid for good, or stays disturbed; the reasons are printed.
        """
        context = replace(self.context, inject_slowdown=slower)
        prepared = self.session.prepared(self.job, self.test)
        for attempt in range(PATIENCE):
            self.session.lease.renew(600)  # otherwise another program takes the free device, which ends our runner
            self.session.forks.end()
            cell = measure.run_cell(
                self.session.connection,
                Measurement(self.job, self.test, context),
                prepared,
                limit_s=600,
                forks=self.session.forks if forked else None,
            )
            if not (wrong := _wrong(cell)):
                return cell.model_copy(update={"status": "VALID", "reasons": ()})
            if wrong - PASSING:
                break
            print(f"again ({attempt + 1}): {', '.join(sorted(wrong))}", file=sys.stderr, flush=True)
        sys.exit(f"{cell.status}: {[reason.text for reason in cell.reasons]}")

    def forked(self, slower: Sequence[float]) -> list[Cell]:
        """As :meth:`cell`, one measurement for each share in ``slower``, by processes forked from one (``FORKS``)."""
        connection = self.session.connection
        prepared = self.session.prepared(self.job, self.test)
        contexts = [replace(self.context, inject_slowdown=share) for share in slower]
        self.session.lease.renew(3600)
        orders = [measure.order(self.job, prepared, self.test, context).to_json() for context in contexts]
        forks = Command(
            ["python3", "-s", "-c", FORKS, prepared.runner, f"{connection.root}/results", *prepared.packages],
            timeout_s=3600,
            stdin="".join(f"{order}\n" for order in orders).encode(),
            stdout_limit=256 << 20,
            env={"PYTHONHASHSEED": "0"},
        )
        done = connection.run(forks).check("the forks")
        cells = []
        for answer, context in zip(done.stdout.splitlines(), contexts, strict=True):
            found = parse_answer(answer, self.job.cell)
            assert isinstance(found, RunnerResult), found
            cell = finished(Measurement(self.job, self.test, context), found)
            if _wrong(cell):
                sys.exit(f"{cell.status}: {[reason.text for reason in cell.reasons]}")
            cells.append(cell.model_copy(update={"status": "VALID", "reasons": ()}))
        return cells


@contextmanager
def bench(device: dict[str, object], model: str, variant: str, *, models: Path, samples: int = 20) -> Iterator[Bench]:
    """Provide a device, booted or reached, with one artifact on it, until the ``with`` block ends."""
    fleet = config.parse(yaml.safe_dump({"devices": [device]}))
    shipped = [s for s in inventory(models, (model,), (variant,)) if s.artifact.format == "tflite"]
    (job,) = make(fleet, shipped, Options(quick=samples == 20)).jobs[str(device["name"])]
    test = prepare(shipped[0].manifest.split, samples=samples)
    with open_session(fleet.devices[0], lambda message: None, threading.Event().wait) as session:
        session.deploy([job], {job.samples: test})
        yield Bench(session, job, test, Context("bench", fleet.devices[0], session.probe))


def keep(results: Path, name: str, cell: Cell) -> Path:
    """Store a cell as a separate run; returns the run's folder."""
    info = RunInfo(
        run=name, started=cell.started, harness=cell.harness, devices=(cell.device.name,), planned=(cell.cell,)
    )
    folder = store.create_run(results, info)
    store.write_cell(folder, cell.model_copy(update={"run": name}))
    return folder


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(value) for value in row) + " |")
