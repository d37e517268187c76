"""Runs over loopback boards, in this process: their cells are recorded, and a fault can be produced meanwhile."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from benchmarks.made.checkout import MODELS
from harness.config import devices as config
from harness.records.cell import Cell
from harness.run.outcome import Outcome
from harness.run.plan import CellJob, Options, Plan
from harness.run.scheduler import Run

NET = "mobilenet-v3-small"


class DeviceRecorder:
    """Records the cells of each device, and counts those that started and ended in two semaphores."""

    def __init__(self) -> None:
        self.cells: dict[str, list[Cell]] = {}
        self.messages: list[str] = []
        self.started = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)

    def planned(self, plan: Plan) -> None:
        pass

    def device(self, name: str, message: str) -> None:
        self.messages.append(f"{name}: {message}")

    def cell_started(self, job: CellJob) -> None:
        self.started.release()

    def cell_ended(self, job: CellJob, cell: Cell) -> None:
        self.cells.setdefault(cell.device.name, []).append(cell)
        self.ended.release()

    def how(self, name: str) -> list[str]:
        """``FAILED runner`` ... for a device's cells, in the order in which they ended."""
        return [f"{c.status} {c.reasons[0].code}" if c.reasons else c.status for c in self.cells.get(name, [])]

    def said(self, name: str) -> str:
        return " | ".join(reason.text for cell in self.cells.get(name, []) for reason in cell.reasons)


def work(boards: config.Fleet, results: Path, *, resume: str | None = None, **options: object) -> Run:
    given = {"models": (NET,), "variants": ("int8",), "quick": True, **options}
    return Run(boards, Options(**given), models=MODELS, results=results, resume=resume)  # type: ignore[arg-type]


def execute(
    boards: config.Fleet, results: Path, *, resume: str | None = None, **options: object
) -> tuple[Outcome, DeviceRecorder]:
    told = DeviceRecorder()
    return work(boards, results, resume=resume, **options).execute(told), told


@contextlib.contextmanager
def running(run: Run) -> Iterator[tuple[DeviceRecorder, threading.Thread]]:
    """Execute a run in a separate thread, so that a fault can be produced while it measures; joined on exit."""
    told = DeviceRecorder()
    errors: list[BaseException] = []

    def go() -> None:
        try:
            run.execute(told)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield told, thread
    finally:
        thread.join(280)
        assert not thread.is_alive(), "the run did not end"
    if errors:
        raise errors[0]


def measured(cell: Cell) -> bool:
    """Whether a cell has a number; its verdict depends on how quiet this machine is."""
    return bool(cell.latency_ns) and cell.status != "FAILED"
