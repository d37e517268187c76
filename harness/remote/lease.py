"""A lease gives a board to one controller at a time, since two at once would disturb each other's measurements.

The agent on the board holds a kernel lock on a file for as long as the connection lives, so a controller that dies
releases it. The lease is renewed only between cells, since a heartbeat during a cell would be measured. Each renewal
covers the time that the next cell may take. When the network is cut silently, the lease ends after that time by the
board's own clock; the same controller gets it at once on a new connection. When a new lease is granted, runners that an
earlier one left behind are ended.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time

from harness.core import untrusted
from harness.core.errors import BoardError, ConnectionLostError, LeaseError
from harness.core.paths import user_name
from harness.core.safetext import clean
from harness.remote.base import Connection, Held
from harness.remote.probe import agent_call, complaint

#: A lease lasts this much longer than a cell may take, in seconds.
MARGIN_S = 120.0
#: A board may print this many lines before its answer.
_LINES = 20


#: The leases of this process that wait in line, by token, with the event that signals their end.
_LINE: dict[str, tuple[object, threading.Event]] = {}
#: A board may hold a lease for this long after it was released here, in seconds.
_LINGER_S = 10.0


def owner() -> str:
    """The lease's owner, for the message that another controller shows."""
    return f"{user_name()}@{socket.gethostname()} pid {os.getpid()}"


def in_use(label: str, holder: object) -> LeaseError:
    """The error for a board that ``holder`` uses, with the board's text."""
    return LeaseError(
        f"{label}: in use by {clean(holder or 'another controller', 200)}", fix="wait for it, or end that run"
    )


class Lease:
    """Holds a board; a context manager.

    Args:
        wait_s: how long to wait for another controller to release it, in seconds.
        in_line: identifies the run of a lease. One board may be in devices.yaml under two names: where another lease of
            the same run holds it, wait until that one has ended, however long it takes.
        token: of our own lease whose connection broke; the board may not have noticed yet, and grants it again.

    Raises:
        LeaseError: another controller still holds it; the message names it.
        PlaceError: the folder that the lock is in can't be used.
        BoardError: the board did not answer.
    """

    def __init__(
        self, connection: Connection, *, wait_s: float = 0.0, in_line: object = None, token: str | None = None
    ) -> None:
        self._label = connection.label
        self.token = token or secrets.token_hex(8)
        self._over = threading.Event()
        deadline = time.monotonic() + wait_s
        patient = False
        while True:
            argv, first = agent_call("lease", connection.root, owner(), self.token)
            held = connection.hold(argv)
            with contextlib.suppress(ConnectionLostError):  # it has ended; its output tells more
                held.write(first)
            answer = self._answer(held)
            if answer.get("granted") is True:
                self._held: Held = held
                if in_line is not None:
                    _LINE[self.token] = (in_line, self._over)
                return
            held.close()
            if "error" in answer:
                raise complaint(connection, "lease", answer)
            line, other = _LINE.get(str(answer.get("token")), (None, None))
            if line is None or line != in_line:
                other = None  # held by another run, perhaps in this process
            if other is not None and not (patient and other.is_set()):
                other.wait()  # the board is being measured, so nothing is sent to it
                deadline, patient = max(deadline, time.monotonic() + _LINGER_S), True
            if time.monotonic() >= deadline:
                raise in_use(self._label, answer.get("owner"))
            time.sleep(0.1 if other is not None else min(2.0, wait_s))

    def _answer(self, held: Held) -> dict[str, object]:
        """The first line that is JSON; a wrapper around the board's Python may print something before it."""
        try:
            for _ in range(_LINES):
                with contextlib.suppress(ValueError):
                    answer = untrusted.load(held.line(120))
                    return answer if isinstance(answer, dict) else {}
        except BoardError:
            held.close()
            raise
        held.close()
        raise LeaseError(f"{self._label}: the board's answer about its lease is not JSON")

    def renew(self, seconds: float) -> None:
        """Extend it for another ``seconds``.

        Raises:
            ConnectionLostError: it has ended with its connection, or expired.
        """
        self._held.write(f"{seconds + MARGIN_S:.0f}\n".encode())

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release it; never raises."""
        self._held.close()
        self._over.set()
