"""The controller's end of the lines to workers: it answers them, stores what they measured, and shows what they do."""

from __future__ import annotations

import contextlib
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness.core.errors import ClusterError, HarnessError, StoreError
from harness.records.cell import Cell, Reason
from harness.run.ledger import Ledger
from harness.run.plan import CellJob
from harness.run.resume import by_any_name
from harness.run.turns import Turns
from harness.run.workers.files import part
from harness.run.workers.mail import GONE, Message, reaching
from harness.run.workers.parcel import Order
from harness.run.workers.records import Begun, unpacked

if TYPE_CHECKING:
    import distributed

#: How long one wait for a message lasts, in seconds.
_WAIT_S = 5.0
#: The message that the controller sends itself once all workers are done.
_END: Message = {"kind": "end"}


@dataclass
class _Holder:
    """Who has a group of devices: what it was told to do, and its own queue once it has begun."""

    order: Order
    line: str | None = None


@dataclass
class Desk:
    """Serves all workers of a run, one message after the other.

    Attributes:
        inbox: the name of its queue.
        files: that workers may ask for, by their SHA-256; no worker can name another one.
        error: why no more results can be kept; None where they can.
    """

    turns: Turns
    ledger: Ledger
    client: distributed.Client
    inbox: str
    files: Mapping[str, Path] = field(default_factory=dict)
    error: HarnessError | None = None
    _holders: dict[int, _Holder] = field(default_factory=dict)
    _kept: Counter[int] = field(default_factory=Counter)
    _tokens: dict[str, str] = field(default_factory=dict)
    _queues: dict[str, distributed.Queue] = field(default_factory=dict)
    _known: dict[str, dict[str, tuple[CellJob, CellJob]]] = field(default_factory=dict)

    def expect(self, order: Order) -> None:
        """Take messages about an order from now on; whoever had the group before no longer has it."""
        self._holders[order.number] = _Holder(order)

    def refuse(self, number: int) -> None:
        """Take no more messages about a group."""
        self._holders.pop(number, None)

    def kept(self, number: int) -> int:
        """How many cells and parts of cells workers have stored for a group so far."""
        return self._kept[number]

    def left(self, device: str) -> list[CellJob]:
        """The jobs of a device that have not ended, under the names that the run knows them by."""
        to_do, planned = {job.cell for job in self.ledger.to_do(device)}, set(self.ledger.info.planned)
        return [job for name, (first, job) in self._names(device).items() if first.cell in to_do and name in planned]

    def serve(self) -> None:
        """Serve until :meth:`end` is called. Once results can't be stored, each worker is told to end.

        Raises:
            StoreError: results can't be stored.
            ClusterError: the scheduler is gone.
        """
        from distributed import Queue

        try:
            with reaching():
                queue = Queue(self.inbox, client=self.client)
            ended = False
            while not ended:
                for message in self._next(queue):
                    ended = ended or message == _END
                    if message != _END:
                        self._serve(message)
        except ClusterError as error:
            self.error = self.error or error
        if self.error is not None:
            raise self.error
        with contextlib.suppress(*GONE):
            for each in (queue, *self._queues.values()):
                each.close()

    def _next(self, queue: distributed.Queue) -> list[Message]:
        """The messages that are there; if there are none, the next one, or nothing after some seconds."""
        with reaching(), contextlib.suppress(TimeoutError):
            waiting = queue.get(batch=True)
            return [dict(message) for message in waiting or [queue.get(timeout=_WAIT_S)]]
        return []

    def end(self) -> None:
        """Let :meth:`serve` return once it has served all messages before this one."""
        from distributed import Queue

        with contextlib.suppress(*GONE):
            Queue(self.inbox, client=self.client).put(_END)

    def _serve(self, message: Message) -> None:
        holder, line = self._holder(message), str(message.get("from"))
        answer: Message = {}
        if holder is not None and self.error is None:
            answer = self._acted(holder, message)
        answer.setdefault("over", self.error is not None or holder is None or self.turns.underway.halt.stopped)
        if message.get("asks"):
            self._answer(line, answer)

    def _acted(self, holder: _Holder, message: Message) -> Message:
        """Act on a message; returns the answer."""
        try:
            return _KINDS[str(message.get("kind"))](self, holder, message)
        except StoreError as error:
            self.error = error
        except (ClusterError, KeyError) as error:  # costs this worker its devices, and nobody else
            self.turns.underway.watcher.device("workers", f"what a worker said is not understood: {error}")
            self.refuse(holder.order.number)
        return {"over": True}

    def _holder(self, message: Message) -> _Holder | None:
        """The group that a message is about; None where its sender doesn't have it, or not any more."""
        holder = self._holders.get(_whole(message, "number"))
        if holder is None or _whole(message, "attempt") != holder.order.attempt:
            return None
        if message.get("kind") == "begin":
            holder.line = str(message.get("from"))  # the scheduler gave the same order to another worker
        return holder if holder.line == message.get("from") else None

    def _answer(self, line: str, answer: Message) -> None:
        from distributed import Queue

        with reaching():
            if line not in self._queues:
                self._queues[line] = Queue(line, client=self.client)
            self._queues[line].put(answer)

    def _begin(self, holder: _Holder, message: Message) -> Message:
        device, order = self._device(holder, message), holder.order
        late = [listed.cell for listed in order.jobs[device]]
        to_do = late if order.late_s is not None else [job.cell for job in self.ledger.to_do(device)]
        names = self._names(device)
        left = {name: job for name, (planned, job) in names.items() if planned.cell in to_do or name in to_do}
        return Begun(
            to_do=tuple(to_do),
            finished=frozenset(name for name, (_, job) in names.items() if self.ledger.finished(job)),
            stored={name: cell for name, job in left.items() if (cell := self.ledger.stored(job)) is not None},
            partly=frozenset(name for name, job in left.items() if self.ledger.partly(job) is not None),
            board=self.ledger.board(device),
            token=self._tokens.setdefault(device, secrets.token_hex(8)),
        ).message()

    def _keep(self, holder: _Holder, message: Message) -> Message:
        job, cell = self._cell(holder, message)
        self.turns.underway.keep(job, cell)
        self._kept[holder.order.number] += 1
        return {}

    def _keep_partly(self, holder: _Holder, message: Message) -> Message:
        _, cell = self._cell(holder, message)
        self.ledger.keep_partly(cell)
        self._kept[holder.order.number] += 1
        return {}

    def _cell(self, holder: _Holder, message: Message) -> tuple[CellJob, Cell]:
        """A cell that a worker has measured, and its job.

        Raises:
            ClusterError: it is no cell of the device.
        """
        device, cell = self._device(holder, message), unpacked(message.get("cell"))
        known = self._names(device).get(cell.cell)
        if known is None or cell.run != self.turns.run or cell.device.name != device:
            raise ClusterError(f"a worker sent cell '{cell.cell}' of run '{cell.run}', which '{device}' doesn't have")
        return known[1], cell

    def _rename(self, holder: _Holder, message: Message) -> Message:
        device = self._device(holder, message)
        names = {name: job for name, (_, job) in self._names(device).items()}
        try:
            pairs = [(names[str(old)], names[str(new)]) for old, new in _list(message, "renamed")]
            dropped = [Reason.model_validate_json(str(each)) for each in _list(message, "dropped")]
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise ClusterError(f"a worker named cells that '{device}' doesn't have: {error}") from error
        self.ledger.rename_jobs(pairs, device, dropped)
        return {}

    def _sent(self, holder: _Holder, message: Message) -> Message:
        self.ledger.sent(self._device(holder, message), _whole(message, "bytes"))
        return {}

    def _said(self, holder: _Holder, message: Message) -> Message:
        self.turns.underway.watcher.device(self._device(holder, message), str(message.get("text")))
        return {}

    def _started(self, holder: _Holder, message: Message) -> Message:
        known = self._names(self._device(holder, message)).get(str(message.get("cell")))
        if known is not None:
            self.turns.underway.watcher.cell_started(known[1])
        return {}

    def _file(self, _holder: _Holder, message: Message) -> Message:
        path = self.files.get(str(message.get("sha256")))
        return {"data": b""} if path is None else part(path, _whole(message, "offset"))

    def _still(self, _holder: _Holder, _message: Message) -> Message:
        return {}

    def _device(self, holder: _Holder, message: Message) -> str:
        """The device that a message is about.

        Raises:
            ClusterError: it is none of the group.
        """
        device = str(message.get("device"))
        if device not in holder.order.jobs:
            raise ClusterError(f"a worker spoke of '{device}', which it doesn't have")
        return device

    def _names(self, device: str) -> dict[str, tuple[CellJob, CellJob]]:
        if device not in self._known:
            self._known[device] = by_any_name(self.ledger.schedule.plan.jobs[device])
        return self._known[device]


#: What a worker may say, and the method that acts on it.
_KINDS: dict[str, Callable[[Desk, _Holder, Message], Message]] = {
    "begin": Desk._begin,
    "file": Desk._file,
    "keep": Desk._keep,
    "keep_partly": Desk._keep_partly,
    "rename": Desk._rename,
    "said": Desk._said,
    "sent": Desk._sent,
    "started": Desk._started,
    "still": Desk._still,
}


def _list(message: Message, key: str) -> Sequence[Sequence[object]]:
    value = message.get(key)
    return value if isinstance(value, list | tuple) else ()


def _whole(message: Message, key: str) -> int:
    """A number of a message; -1 where there is none."""
    value = message.get(key)
    return value if isinstance(value, int) else -1
