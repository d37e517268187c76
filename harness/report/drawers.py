"""Draws a report's figures in this process, or in several where there are many: Matplotlib uses one core.

Further processes are plain programs at the other end of a socket, and no pool of :mod:`multiprocessing`. So they don't
import the caller's main module once more, and they end with this process, however it ends, since the socket then does.
What one of them can't draw is drawn here: the figures, and the errors, are the same with any number of processes.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from threading import Condition, Thread

from harness.report.figures.canvas import styled
from harness.report.finished import Easel, Finished, Task, Wanted
from harness.report.gather import ReportData
from harness.report.registry import named

#: A further process takes about two seconds to start, in which this one draws some ten figures.
TASKS_A_PROCESS = 20
#: More processes would each hold the data once more, for little.
MOST_PROCESSES = 8
#: So many finished tasks may wait for their turn; other processes pause then.
_AHEAD = 64
_PROGRAM = "import sys; sys.path[:] = sys.argv[2:]; from harness.report.drawers import serve; serve()"


def drawn(data: ReportData, tasks: Sequence[Task], wanted: Wanted, processes: int = 1) -> Iterator[Finished]:
    """The drawings of tasks, in the tasks' order.

    Args:
        processes: how many may draw at a time, this one included; few tasks are drawn by fewer.
    """
    easel = Easel(data, wanted)
    more = min(processes, MOST_PROCESSES, len(tasks) // TASKS_A_PROCESS) - 1
    if more < 1:
        for task in tasks:
            yield from easel.draw(task)
        return
    setup = ForkingPickler.dumps((replace(data, focus=None), data.focus.network if data.focus else None, wanted))
    share = _Share(tasks)
    feeders = [Thread(target=_feed, args=(share, setup), daemon=True) for _ in range(more)]
    for feeder in feeders:
        feeder.start()
    try:
        for place, task in enumerate(tasks):
            _make(share, place, easel)
            made = share.pop(place)
            yield from easel.draw(task) if made is None else made
    finally:
        share.close()
    for feeder in feeders:
        feeder.join()


def _make(share: _Share, place: int, easel: Easel) -> None:
    """Draw what is left until the task at that place is finished."""
    while not share.has(place):
        if (taken := share.take()) is not None:
            share.put(taken[0], list(easel.draw(taken[1])))
        else:
            share.wait_for(place)


class _Share:
    """Tasks that are left, and what became of those that were taken. Those with many drawings are taken first."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._left = deque(sorted(enumerate(tasks), key=lambda each: each[1].of_one_board))
        self._made: dict[int, list[Finished] | None] = {}
        self._changed = Condition()
        self._open = True

    def take(self, most: int | None = None) -> tuple[int, Task] | None:
        """The next task with its place; None where there is none. It waits while ``most`` are finished and not used."""
        with self._changed:
            self._changed.wait_for(lambda: most is None or not self._open or len(self._made) < most)
            return self._left.popleft() if self._left and self._open else None

    def put(self, place: int, made: list[Finished] | None) -> None:
        """Keep what was drawn; None where it must be drawn again."""
        with self._changed:
            self._made[place] = made
            self._changed.notify_all()

    def has(self, place: int) -> bool:
        with self._changed:
            return place in self._made

    def wait_for(self, place: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: place in self._made)

    def pop(self, place: int) -> list[Finished] | None:
        with self._changed:
            self._changed.notify_all()
            return self._made.pop(place)

    def close(self) -> None:
        """Let nothing be taken any more."""
        with self._changed:
            self._open = False
            self._changed.notify_all()


def _feed(share: _Share, setup: memoryview) -> None:
    """Have tasks drawn by another process, until none is left or the process fails."""
    ours, theirs = Pipe()
    with suppress(OSError), ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), *sys.path], pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process, which then closes the socket
        )  # fmt: skip
        try:
            theirs.close()
            _exchange(share, ours, setup)
        finally:
            ours.close()
            process.kill()
            process.wait()


def _exchange(share: _Share, connection: Connection, setup: memoryview) -> None:
    """Send tasks to the other end and keep what comes back, until no task is left or the other end is gone."""
    with suppress(EOFError, OSError):
        connection.send_bytes(setup)
        while (taken := share.take(_AHEAD)) is not None:
            made = None
            try:
                connection.send(taken[1])
                made = connection.recv()
            finally:
                share.put(taken[0], made)


def serve() -> None:
    """Draw what the other end of a socket asks for, until it closes; the socket's number is the first argument."""
    gc.disable()
    connection = Connection(int(sys.argv[1]))
    with suppress(EOFError, OSError), styled():
        data, network, wanted = connection.recv()
        easel = Easel(replace(data, focus=named(network)), wanted)
        while True:
            connection.send(list(easel.draw(connection.recv())))
