"""A lease gives a board to one controller at a time, since two at once would spoil each other's numbers.

The agent on the board holds a kernel lock on a file for as long as our connection lives, so a controller that dies
lets go by dying. The lease is renewed only between cells, since a heart-beat during one would be measured. Each time it
lasts for as long as the next cell may take. When the network is cut without a word, the lease ends after that time by
the board's own clock; the same controller gets it at once on a new connection. When a new lease is granted, runners
that an earlier one left behind are ended.
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
#: How many lines a board may print before its answer.
_LINES = 20


#: The leases of this process that stand in line, by token, with what tells that they have ended.
_LINE: dict[str, tuple[object, threading.Event]] = {}
#: A board may hold a lease for so long after it was let go here, in seconds.
_LINGER_S = 10.0


def owner() -> str:
    """Who holds the lease, for the message that another controller shows."""
    return f"{user_name()}@{socket.gethostname()} pid {os.getpid()}"


def in_use(label: str, holder: object) -> LeaseError:
    """The error for a board that ``holder`` has, in the board's words."""
    return LeaseError(
        f"{label}: in use by {clean(holder or 'another controller', 200)}", fix="wait for it, or end that run"
    )


class Lease:
    """Holds a board; a context manager.

    Args:
        wait_s: how long to wait for another controller to let go, in seconds.
        in_line: what all leases of one run have in common. One board may be in devices.yaml under two names: where
            another lease of the same run holds it, wait until that one has ended, however long it takes.
        token: of a lease of ours whose connection broke; the board may not have noticed yet, and gives it to us again.

    Raises:
        LeaseError: another controller still holds it; says who.
        PlaceError: the folder that the lock is in can't be used.
        BoardError: the board could not be asked.
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
            with contextlib.suppress(ConnectionLostError):  # it has ended; its words tell more
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
                other = None  # another run's, perhaps in this process
            if other is not None and not (patient and other.is_set()):
                other.wait()  # without a word to the board, which is being measured
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
        """Keep it for another ``seconds``.

        Raises:
            ConnectionLostError: it has ended, with the connection or by its time.
        """
        self._held.write(f"{seconds + MARGIN_S:.0f}\n".encode())

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go; never raises."""
        self._held.close()
        self._over.set()
