"""The controller's side of a board's guard (:mod:`harness.emulate.guard`): starts it, reads its events, ends it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast

import harness
from harness.core.errors import EmulatorError
from harness.emulate.guard import OFF_SECONDS, Order, Started


class GuardProcess:
    """A guard process, started with an order.

    Args:
        order: the guard's first input.

    Raises:
        EmulatorError: the process can't be started.
    """

    def __init__(self, order: Order) -> None:
        # the guard must import the same package as this process
        path = os.pathsep.join([str(Path(harness.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "harness.emulate.guard"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path, "PATH": os.environ.get("PATH", os.defpath)},
                # outside the terminal's process group, so that on Ctrl-C the controller decides the order of ends
                start_new_session=True,
                bufsize=0,
            )
            self._stdin.write(json.dumps(order).encode() + b"\n")
        except OSError as error:
            raise EmulatorError(f"the board's guard process can't be started: {error.strerror}") from error

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def runs(self) -> bool:
        """Whether the guard still runs."""
        return self._process.poll() is None

    def has_spoken(self) -> bool:
        """Whether an event, or the end of the guard, can be read."""
        return bool(select.select([self._stdout], [], [], 0)[0])

    def event(self, deadline: float) -> dict[str, object]:
        """The next event; ``exited`` if the guard ended without one.

        Raises:
            EmulatorError: no event came before ``deadline`` (``time.monotonic()`` seconds).
        """
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise EmulatorError("QEMU did not start in time")
            more = os.read(self._stdout.fileno(), 1 << 16)
            if not more:
                return {"event": "exited", "tail": ""}
            line += more
        event: dict[str, object] = json.loads(line.splitlines()[0])
        return event

    def started(self, name: str, deadline: float) -> Started:
        """Wait for the event that QEMU runs.

        Raises:
            EmulatorError: another event came, or none before ``deadline``.
        """
        event = self.event(deadline)
        if event["event"] != "started":
            raise early_end(name, event)
        return cast("Started", event)

    def switch_off(self) -> None:
        """Shut the board down and wait for its end. A second call does nothing."""
        if self._stdin.closed:
            return
        with contextlib.suppress(OSError):  # the guard may have ended already
            self._stdin.write(b"close\n")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(OFF_SECONDS + 5)
        self.end()

    def end(self) -> None:
        """End the board at once and wait for its end."""
        self._stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()  # QEMU dies with it
            self._process.wait()
        self._stdout.close()

    def detach(self) -> None:
        """Let the guard outlive this process: only the end of the board or SIGTERM ends it then.

        Raises:
            OSError: the guard has already ended.
        """
        self._stdin.write(b"detach\n")
        self._stdin.close()
        self._stdout.close()
        self._process.returncode = 0  # otherwise Popen would warn that the process still runs


def early_end(name: str, event: Mapping[str, object]) -> EmulatorError:
    """The error for an event other than ``started``."""
    if event["event"] == "failed":
        fix = event.get("fix")
        return EmulatorError(f"{name}: {event['message']}", fix=str(fix) if fix else None)
    return EmulatorError(
        f"{name}: QEMU ended before the board was up; its console ends with: {event.get('tail') or '-'}"
    )
