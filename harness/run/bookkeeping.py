"""What the turn of one device needs of a run's records: the ledger itself, or a worker's line to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.records.cell import Cell, DeviceInfo, Reason
from harness.run.plan import CellJob
from harness.run.schedule import Schedule


class Bookkeeping(Protocol):
    """The planned and the finished cells of a run. What a method is given is stored when it returns.

    Its methods may be called from several threads.

    Raises:
        StoreError: results can't be stored any more.
        ClusterError: the controller, which stores them, can't be reached, or has given the device to another worker.
    """

    @property
    def schedule(self) -> Schedule:
        """What is to be done."""

    def to_do(self, device: str) -> list[CellJob]:
        """The jobs of a device that are neither finished nor ended in this run of the program."""

    def board(self, device: str) -> DeviceInfo | None:
        """The board on which the device's stored cells were measured; None where there are none."""

    def sent(self, device: str, count: int) -> None:
        """Record that ``count`` bytes of artifacts had to be sent to a device."""

    def keep(self, job: CellJob, cell: Cell) -> None:
        """Store a cell that has ended."""

    def keep_partly(self, cell: Cell) -> None:
        """Store a cell that has more rounds to come."""

    def partly(self, job: CellJob) -> Cell | None:
        """The rounds that this run of the program has measured of a cell that has not ended."""

    def stored(self, job: CellJob) -> Cell | None:
        """The stored cell; None where it doesn't exist or can't be read."""

    def rename_jobs(self, renamed: Sequence[tuple[CellJob, CellJob]], device: str, dropped: Sequence[Reason]) -> None:
        """Rename planned cells after the runtimes that really run, and record the dropped ones."""

    def finished(self, job: CellJob) -> bool:
        """Whether the job's cell was VALID before this run of the program began."""
