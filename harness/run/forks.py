"""Processes on a board that have imported a runtime, and from which those that measure are forked.

A cell's first round is a process of its own, for its loading time, first inference and peak memory. What is timed after
the warm-up is the same in a forked process, without the seconds that a board needs to start Python and to import.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

from harness.core import untrusted
from harness.core.errors import (
    ConnectionLostError,
    OutputLimitError,
    RemoteCommandError,
    RemoteTimeoutError,
    TransportError,
)
from harness.records.order import Order
from harness.remote.base import Completed, Connection, Held

#: How long Python may take to start and to import a runtime, in seconds.
_IMPORT_S = 120.0
#: A wrapper around the board's Python may print this many lines before the first answer.
_NOISE_LINES = 20
#: How Python is started for a cell: with a fixed hash seed, since that changes the layout of memory.
ENVIRONMENT = {"PYTHONHASHSEED": "0"}


@dataclass(frozen=True)
class _Parent:
    """A process that forks others, the connection that it lives on, and the folders that it has imported from."""

    connection: Connection
    held: Held
    packages: tuple[str, ...]


@dataclass(eq=False)
class Forks:
    """The processes of one device that fork others: one for each runtime, started when it is first needed."""

    _parents: dict[str, _Parent] = field(default_factory=dict)
    #: runtimes whose rounds are processes of their own
    _refused: set[str] = field(default_factory=set)
    _none: bool = False

    def run(
        self, connection: Connection, runner: str, order: Order, *, result: str, limit_s: float
    ) -> Completed | None:
        """Measure one round in a forked process, at most ``limit_s`` seconds; its answer is in the file ``result``.

        Returns:
            What the process ended with; None where this board or runtime allows no forked process.

        Raises:
            RemoteTimeoutError, OutputLimitError: it took too long or wrote too much; it has been told to end.
            ConnectionLostError: the connection broke.
        """
        parent = self._parent(connection, runner, order)
        if parent is None:
            return None
        try:
            parent.held.write(json.dumps({"job": order.to_plain(), "result": result}).encode() + b"\n")
            answer = _read(parent.held.line(limit_s))
            return Completed(int(answer["status"]), b"", base64.b64decode(str(answer["stderr"]), validate=True))
        except (RemoteTimeoutError, OutputLimitError):
            self.end()
            raise
        except (ConnectionLostError, RemoteCommandError, ValueError, KeyError, TypeError, OverflowError) as error:
            self.end()  # where the connection has broken, the next command on it says so
            return Completed(1, b"", f"the process that forks others ended, or gave no answer: {error}".encode())

    def refuse(self, runtime: str) -> None:
        """Let rounds of this runtime be processes of their own from now on."""
        self._refused.add(runtime)
        self._close(runtime)

    def refuse_all(self) -> None:
        """Let all rounds be processes of their own from now on."""
        self._none = True
        self.end()

    def end(self) -> None:
        """End all processes, so that the next round has others, with another layout of memory. Never raises."""
        for runtime in list(self._parents):
            self._close(runtime)

    def _close(self, runtime: str) -> None:
        parent = self._parents.pop(runtime, None)
        if parent is not None:
            parent.held.close()

    def _parent(self, connection: Connection, runner: str, order: Order) -> _Parent | None:
        """The process for the order's runtime on this connection; None where there can't be one."""
        runtime = order.runtime
        if self._none or runtime in self._refused:
            return None
        parent = self._parents.get(runtime)
        if parent is not None and parent.connection is connection and parent.packages == order.packages:
            return parent  # one of another release is replaced: several at once would fill a small board's memory
        self._close(runtime)
        unused = f"{connection.root}/results/{runtime}.forks"  # by such a path a new lease knows runners that were left
        argv = ["python3", "-s", runner, "--forks", "--job", "-", "--result", unused]
        first = json.dumps({"packages": list(order.packages), "runtime": runtime}).encode() + b"\n"
        try:
            held = connection.hold(argv, ENVIRONMENT)
        except ConnectionLostError:
            raise
        except TransportError:  # e.g. no further session
            self._none = True
            return None
        try:
            held.write(first)
            ready = _first_answer(held)
        except (TransportError, ValueError):
            ready = False
        if not ready:
            held.close()
            self._refused.add(runtime)
            return None
        self._parents[runtime] = _Parent(connection, held, order.packages)
        return self._parents[runtime]


def _first_answer(held: Held) -> bool:
    """Whether the process will fork.

    Raises:
        TransportError, ValueError: it gave no answer.
    """
    until = time.monotonic() + _IMPORT_S
    for _ in range(_NOISE_LINES):
        line = held.line(max(until - time.monotonic(), 0.0))
        with contextlib.suppress(ValueError):
            return _read(line).get("forks") is True
    raise ValueError("no answer")


def _read(line: bytes) -> dict[str, Any]:
    """A line of a board as a JSON object; empty where it is another value.

    Raises:
        ValueError: it is not JSON.
    """
    answer = untrusted.load(line)
    return answer if isinstance(answer, dict) else {}
