"""One board behind a real sshd on loopback: how it is reached, and a run over it that is remembered."""

from __future__ import annotations

import threading
from pathlib import Path

from benchmarks.made.checkout import MODELS
from benchmarks.made.runs import NET
from harness.config import devices as config
from harness.records.cell import Cell
from harness.remote.target import SshTarget
from harness.run.outcome import Outcome
from harness.run.plan import CellJob, Options, Plan
from harness.run.scheduler import Faked, Run
from tests.support.sshd_fixtures import Sshd


def target(sshd: Sshd, **changes: object) -> SshTarget:
    """The server as the harness reaches it, with some settings changed."""
    given: dict[str, object] = {
        "label": "loop",
        "host": "127.0.0.1",
        "port": sshd.port,
        "identity_file": sshd.client_key,
        "known_hosts": sshd.known_hosts,
        "use_ssh_config": False,
    }
    return SshTarget(**{**given, **changes})  # type: ignore[arg-type]


class Recorder:
    """Remembers a run's messages and cells in their order."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.cells: list[Cell] = []
        self.on_cell: threading.Event = threading.Event()

    def planned(self, plan: Plan) -> None:
        self.messages.append(f"{len(plan.cells)} planned")

    def device(self, name: str, message: str) -> None:
        self.messages.append(f"{name}: {message}")

    def cell_started(self, job: CellJob) -> None:
        self.on_cell.set()

    def cell_ended(self, job: CellJob, cell: Cell) -> None:
        self.cells.append(cell)


def execute(
    fleet: config.Fleet, results: Path, *, resume: str | None = None, **options: object
) -> tuple[Outcome, Recorder]:
    """Run one small network over the fleet; ``options`` are those of :class:`Options`, and ``inject_slowdown``."""
    given = {"models": (NET,), "variants": ("int8",), "quick": True, **options}
    faked = Faked(inject_slowdown=given.pop("inject_slowdown", 0.0))  # type: ignore[arg-type]
    work = Run(fleet, Options(**given), models=MODELS, results=results, resume=resume, faked=faked)  # type: ignore[arg-type]
    recorder = Recorder()
    return work.execute(recorder), recorder
