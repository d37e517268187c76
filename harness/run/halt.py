"""Ending a run early, and closing its connections then."""

from __future__ import annotations

import threading
from collections.abc import Callable

from harness.remote.base import Connection


class Halt:
    """Ends all device threads of a run.

    Attributes:
        interrupted: whether somebody asked for the end. It counts at once, before the main thread has acted on it: an
            interruption also ends other programs, such as an emulator, and that must not be taken for a board's fault.
    """

    def __init__(self) -> None:
        self.interrupted: Callable[[], bool] = lambda: False
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._connections: list[Connection] = []

    @property
    def stopped(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._stop.is_set()

    @property
    def ending(self) -> bool:
        """Whether the run is about to end."""
        return self.stopped or self.interrupted()

    def wait(self, seconds: float) -> bool:
        """Wait for so long, or until the run is stopped; returns whether it is stopped."""
        return self._stop.wait(seconds)

    def stop(self) -> None:
        """Close all connections under the commands that are waiting on them."""
        self._stop.set()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.close()

    def note(self, connection: Connection) -> None:
        """Register a connection that :meth:`stop` closes; it is closed at once if the run has been stopped already."""
        with self._lock:
            self._connections.append(connection)
        if self.stopped:
            connection.close()
