"""A run's records as a worker has them: the controller stores what is kept, and has done so when a call returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from harness.core.errors import ClusterError
from harness.records.cell import Cell, DeviceInfo, Reason
from harness.results import jsonfile
from harness.results.store import MAX_CELL_BYTES
from harness.run.plan import CellJob, Plan
from harness.run.schedule import Schedule
from harness.run.workers.mail import Line, Message


@dataclass(frozen=True)
class Begun:
    """What the controller knows of a device when a worker begins with it.

    Attributes:
        to_do: names of the cells that are left, in their order.
        finished: names of the cells that were VALID before.
        stored: cells that are left and are stored, not VALID or with some of their rounds.
        partly: names of those of them of which some rounds were measured since the controller began.
        board: the board that they were measured on; None where there are none.
        token: of the lease that an earlier worker may still hold.
    """

    to_do: tuple[str, ...]
    finished: frozenset[str]
    stored: Mapping[str, Cell]
    partly: frozenset[str]
    board: DeviceInfo | None
    token: str

    def message(self) -> Message:
        """As it is sent."""
        return {
            "to_do": list(self.to_do),
            "finished": sorted(self.finished),
            "stored": [packed(cell) for cell in self.stored.values()],
            "partly": sorted(self.partly),
            "board": self.board.model_dump_json() if self.board else None,
            "token": self.token,
        }

    @classmethod
    def of(cls, message: Message) -> Begun:
        """From what was sent."""
        cells = [unpacked(each) for each in _list(message, "stored")]
        board = message.get("board")
        return cls(
            to_do=tuple(map(str, _list(message, "to_do"))),
            finished=frozenset(map(str, _list(message, "finished"))),
            stored={cell.cell: cell for cell in cells},
            partly=frozenset(map(str, _list(message, "partly"))),
            board=DeviceInfo.model_validate_json(str(board)) if board else None,
            token=str(message["token"]),
        )


def _list(message: Message, key: str) -> Sequence[object]:
    value = message.get(key)
    return value if isinstance(value, list | tuple) else ()


def packed(cell: Cell) -> bytes:
    """A cell as it is sent: the bytes of its file."""
    return jsonfile.dump(cell).encode()


def unpacked(data: object) -> Cell:
    """A cell that was sent, checked as if it were read from a file.

    Raises:
        ClusterError: it is no cell.
    """
    if not isinstance(data, bytes) or len(data) > MAX_CELL_BYTES:
        raise ClusterError(f"a worker sent no cell, or one of more than {MAX_CELL_BYTES >> 20} MiB")
    try:
        return Cell.model_validate_json(data)
    except ValidationError as error:
        raise ClusterError(f"a worker sent no cell: {error.errors()[0]['msg']}") from error


@dataclass
class WorkerRecords:
    """What a worker knows and keeps of the devices of one group; see :class:`harness.run.bookkeeping.Bookkeeping`.

    Attributes:
        begun: what the controller knew of each device.
    """

    schedule: Schedule
    line: Line
    begun: Mapping[str, Begun]
    _partly: dict[str, Cell] = field(default_factory=dict)

    def to_do(self, device: str) -> list[CellJob]:
        jobs = {job.cell: job for job in self.schedule.plan.jobs[device]}
        return [jobs[name] for name in self.begun[device].to_do if name in jobs]

    def board(self, device: str) -> DeviceInfo | None:
        return self.begun[device].board

    def sent(self, device: str, count: int) -> None:
        self.line.ask("sent", device=device, bytes=count)

    def keep(self, job: CellJob, cell: Cell) -> None:
        self._partly.pop(cell.cell, None)
        self.line.ask("keep", device=job.device.name, cell=packed(cell))

    def keep_partly(self, cell: Cell) -> None:
        self._partly[cell.cell] = cell
        self.line.ask("keep_partly", device=cell.device.name, cell=packed(cell))

    def partly(self, job: CellJob) -> Cell | None:
        begun = self.begun[job.device.name]
        return self._partly.get(job.cell) or (begun.stored.get(job.cell) if job.cell in begun.partly else None)

    def stored(self, job: CellJob) -> Cell | None:
        return self._partly.get(job.cell) or self.begun[job.device.name].stored.get(job.cell)

    def rename_jobs(self, renamed: Sequence[tuple[CellJob, CellJob]], device: str, dropped: Sequence[Reason]) -> None:
        pairs = [[old.cell, new.cell] for old, new in renamed]
        reasons = [reason.model_dump_json() for reason in dropped]
        self.line.ask("rename", device=device, renamed=pairs, dropped=reasons)

    def finished(self, job: CellJob) -> bool:
        return job.cell in self.begun[job.device.name].finished


class WorkerWatcher:
    """Tells the controller what happens on a worker, for a person; cells that end are told by keeping them."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def planned(self, plan: Plan) -> None:
        pass

    def device(self, name: str, message: str) -> None:
        self._line.tell("said", device=name, text=message)

    def cell_started(self, job: CellJob) -> None:
        self._line.tell("started", device=job.device.name, cell=job.cell)

    def cell_ended(self, job: CellJob, cell: Cell) -> None:
        pass
