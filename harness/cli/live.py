"""The display of a running run: a live table of devices and models on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from harness.core import stats
from harness.core.clock import clock_of
from harness.core.safetext import plain
from harness.records.cell import Cell
from harness.results.change import middle
from harness.run.plan import CellJob, Plan

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

_MARK = {"VALID": "ok", "INVALID": "INVALID", "FAILED": "FAILED"}


def figure(cell: Cell) -> str:
    """A cell's median in its own unit, and its accuracy, for one line of progress."""
    why = "; ".join(f"{reason.code}: {reason.text}" for reason in cell.reasons)
    if not cell.latency_ns:
        return why[:300]
    # as tables show it; of a cell that doesn't count, a round's median may be 0
    median = (middle(cell) if cell.status == "VALID" else stats.median(cell.latency_ns)) / 1e6
    unit = clock_of(cell.device.emulated, cell.device.clock).progress_unit
    accuracy = f", accuracy {cell.accuracy:.2%}" if cell.accuracy is not None else ""
    return f"median {median:.3f} {unit}{accuracy}" + (f" ({why[:200]})" if why else "")


class Progress:
    """A run's progress in rounds; with several rounds, all cells of a device end in the last one. Not thread-safe."""

    def __init__(self, plan: Plan) -> None:
        self._rounds = plan.rounds
        self.total = sum(len(jobs) * self._of(name) for name, jobs in plan.jobs.items())
        self._begun: dict[tuple[str, str], int] = {}
        self._running: dict[str, str] = {}

    def started(self, job: CellJob) -> None:
        self._running[job.device.name] = job.cell
        key = (job.device.name, job.cell)
        self._begun[key] = min(self._begun.get(key, 0) + 1, self._of(job.device.name))

    def ended(self, job: CellJob) -> None:
        self._running.pop(job.device.name, None)
        self._begun[job.device.name, job.cell] = self._of(job.device.name)

    @property
    def done(self) -> int:
        """The number of finished rounds; a round that is measured again at the end counts once."""
        return sum(self._begun.values()) - len(self._running)

    def _of(self, device: str) -> int:
        return self._rounds.get(device, 1)


class PlainWatcher:
    """One line per event on stderr. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = 0
        self._progress = Progress(Plan())
        self._ended: set[str] = set()
        self._started = time.monotonic()

    def __enter__(self) -> PlainWatcher:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def planned(self, plan: Plan) -> None:
        self._total = len(plan.cells)
        self._progress = Progress(plan)
        self._say(f"{self._total} cells on {len(plan.jobs)} devices")
        for reason in plan.skipped:
            self._say(f"left out: {reason.text}")

    def device(self, name: str, message: str) -> None:
        self._say(f"{name}: {message}")

    def cell_started(self, job: CellJob) -> None:
        with self._lock:
            self._progress.started(job)

    def cell_ended(self, job: CellJob, cell: Cell) -> None:
        with self._lock:
            self._ended.add(job.cell)  # one that is measured again at the end counts once
            ended = len(self._ended)
            self._progress.ended(job)
            left = eta_s(time.monotonic() - self._started, self._progress.done, self._progress.total)
        label = f"{job.device.name} {job.shipped.label} {job.requested} t{job.threads}"
        self._say(f"[{ended}/{self._total}, {left:.0f} s left] {cell.status} {label}: {figure(cell)}")

    def _say(self, line: str) -> None:
        with self._lock, contextlib.suppress(OSError):  # a lost terminal costs no measurement
            print(plain(line), file=sys.stderr, flush=True)


def eta_s(elapsed_s: float, ended: int, total: int) -> float:
    """Seconds left at the pace so far; the total may shrink once boards are known."""
    return elapsed_s / ended * max(0, total - ended) if ended else 0.0


class LiveWatcher:
    """A table that is redrawn in place: one row a model, one column a device, and the time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._lock = threading.Lock()
        self._plan = Plan()
        self._progress = Progress(self._plan)
        self._messages: dict[str, str] = {}
        self._running: dict[str, str] = {}
        #: {(device, model): {cell: status}}; a cell that is measured again counts once
        self._ended: dict[tuple[str, str], dict[str, str]] = {}
        self._started = time.monotonic()
        self._live = Live(console=Console(stderr=True), refresh_per_second=4, get_renderable=self._table)

    def __enter__(self) -> LiveWatcher:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone
            self._live.stop()

    def planned(self, plan: Plan) -> None:
        from rich.text import Text

        with self._lock:
            self._plan, self._progress = plan, Progress(plan)
        for reason in plan.skipped:
            if reason.code != "left-out":  # damaged files alone, not what is left out on purpose
                self._live.console.print(Text(f"left out: {plain(reason.text)}"))

    def device(self, name: str, message: str) -> None:
        with self._lock:
            self._messages[name] = plain(message)[:120]

    def cell_started(self, job: CellJob) -> None:
        with self._lock:
            self._progress.started(job)
            self._running[job.device.name] = job.shipped.manifest.name
            self._messages[job.device.name] = f"measuring {job.shipped.label} on {job.requested}"

    def cell_ended(self, job: CellJob, cell: Cell) -> None:
        with self._lock:
            self._progress.ended(job)
            self._running.pop(job.device.name, None)
            key = (job.device.name, job.shipped.manifest.name)
            self._ended.setdefault(key, {})[job.cell] = cell.status

    def _table(self) -> Group:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            planned = Counter(
                (name, job.shipped.manifest.name) for name, jobs in self._plan.jobs.items() for job in jobs
            )
            ended = sum(map(len, self._ended.values()))
            table = Table("model", *self._plan.jobs, box=None, pad_edge=False)
            for model in sorted({model for _, model in planned}):
                table.add_row(model, *(self._entry(name, model, planned[name, model]) for name in self._plan.jobs))
            left = eta_s(time.monotonic() - self._started, self._progress.done, self._progress.total)
            foot = f"{ended} of {sum(planned.values())} cells" + (f", about {left:.0f} s left" if left else "")
            notes = [Text(f"{name}: {message}", style="dim") for name, message in self._messages.items()]
            return Group(table, *notes, Text(foot))

    def _entry(self, device: str, model: str, planned: int) -> Text:
        from rich.text import Text

        count = Counter(self._ended.get((device, model), {}).values())
        bad = [f"{number} {_MARK[status]}" for status, number in sorted(count.items()) if status != "VALID"]
        busy = "*" if self._running.get(device) == model else ""
        if not planned:
            return Text("-", style="dim")
        text = f"{sum(count.values())}/{planned}{busy} {' '.join(bad)}".rstrip()
        return Text(text, style="red" if bad else "green" if sum(count.values()) == planned else "")
