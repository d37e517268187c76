"""A board is one controller's at a time: two at once would spoil each other's numbers.

The agent on the board holds a kernel lock on a file for as long as our connection lives, so a controller that dies
lets go by dying. It is renewed between cells only (a heart-beat during one would be measured), each time for as long as
the next cell may take. When the network is cut without a word, the lease ends by itself after that, by the board's own
clock; the same controller, back on a new connection, gets it at once. Runners that an earlier lease left behind are
ended when a new one is granted.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time

from harness.errors import BoardError, LeaseError
from harness.paths import user_name
from harness.provision.probe import agent_source
from harness.safetext import clean
from harness.transport.base import Connection, Held

#: On top of what a cell may take, in seconds.
MARGIN_S = 120.0


def owner() -> str:
    """Who we are, for the message another controller shows."""
    return f"{user_name()}@{socket.gethostname()} pid {os.getpid()}"


class Lease:
    """Holds a board; a context manager.

    Args:
        wait_s: how long to wait for another controller to let go, in seconds.
        token: of a lease of ours whose connection broke; the board may not have noticed yet, and gives it to us again.

    Raises:
        LeaseError: another controller still holds it; says who.
        BoardError: the board could not be asked.
    """

    def __init__(self, connection: Connection, *, wait_s: float = 0.0, token: str | None = None) -> None:
        self._label = connection.label
        self.token = token or secrets.token_hex(8)
        deadline = time.monotonic() + wait_s
        while True:
            held = connection.hold(["python3", "-c", agent_source(), "lease", connection.root, owner(), self.token])
            answer = self._answer(held)
            if answer.get("granted") is True:
                self._held: Held = held
                return
            held.close()
            if time.monotonic() >= deadline:
                raise LeaseError(
                    f"{self._label}: in use by {clean(answer.get('owner') or 'another controller', 200)}",
                    fix="wait for it, or end that run",
                )
            time.sleep(min(2.0, wait_s))

    def _answer(self, held: Held) -> dict[str, object]:
        try:
            answer = json.loads(held.line(120))
        except BoardError:
            held.close()
            raise
        except ValueError as error:
            held.close()
            raise LeaseError(f"{self._label}: the board's answer about its lease is not JSON") from error
        return answer if isinstance(answer, dict) else {}

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
