"""The operations of a connection, and the limits on what a board may send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.core.errors import RemoteCommandError
from harness.core.safetext import plain

#: Only the last bytes of stderr are kept, so that a board can't fill the controller's memory.
STDERR_KEEP = 64 << 10

#: A program that writes more than this to stderr is ended, since it would otherwise go on until its timeout.
STDERR_LIMIT = 16 << 20

#: The most that is read from a command's stdout unless more is requested.
STDOUT_LIMIT = 1 << 20

#: A program's input: bytes, a file's content, or several of these one after the other.
Stdin = bytes | Path | tuple[bytes | Path, ...] | None


@dataclass(frozen=True)
class Command:
    """A program to run to its end on a board.

    Attributes:
        argv: the program and its arguments; bytes that are not UTF-8 appear as surrogates.
        timeout_s: after so many seconds the program is killed, or its channel is closed.
        stdin: the program's input.
        hold_stdin: keep stdin open until the program has ended, so that the program can notice the controller's end.
        env: variables for this program alone, in addition to those of every program.
        stdout_limit: a program that writes more bytes than these to stdout is ended.
    """

    argv: Sequence[str]
    timeout_s: float
    stdin: Stdin = None
    hold_stdin: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    stdout_limit: int = STDOUT_LIMIT

    @property
    def name(self) -> str:
        """The program's name, for messages."""
        return self.argv[0]


@dataclass(frozen=True)
class Completed:
    """A finished command. ``stdout`` is complete (and bounded), ``stderr`` is its last 64 KiB."""

    returncode: int
    stdout: bytes
    stderr: bytes

    def check(self, what: str) -> Completed:
        """Return self when the command succeeded.

        Raises:
            RemoteCommandError: it did not succeed; the board's stderr is the reason.
        """
        if self.returncode:
            words = plain(self.stderr.decode("utf-8", "replace")).strip()[-800:]
            raise RemoteCommandError(f"{what} ended with status {self.returncode}: {words or 'no message'}")
        return self


class Held(Protocol):
    """A program that keeps running beside others; the controller holds its stdin and stdout."""

    def line(self, timeout_s: float) -> bytes:
        """The next line of its stdout, at most 4096 bytes, without its end.

        Raises:
            RemoteTimeoutError, ConnectionLostError: no line arrived.
        """

    def write(self, data: bytes) -> None:
        """Write to its stdin.

        Raises:
            ConnectionLostError: it no longer reads.
        """

    def close(self) -> None:
        """Close its stdin and release it; never raises."""


class Connection(Protocol):
    """One board's command line. Not shared between threads.

    Attributes:
        label: the device's name, for messages.
        root: absolute path of the harness's folder on the board. Bytes that are not UTF-8 appear as surrogates.
        home: the user's home folder there; None where there is none.
    """

    label: str
    root: str
    home: str | None

    def run(self, command: Command) -> Completed:
        """Run a program to its end.

        Raises:
            RemoteTimeoutError: it did not end in time; it has been killed, or its channel closed.
            OutputLimitError: it wrote more than ``stdout_limit`` bytes, or more than 16 MiB to stderr.
            ConnectionLostError: the connection broke.
        """

    def hold(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Held:
        """Start a program that keeps running; ``env`` as in :class:`Command`.

        Raises:
            ConnectionLostError: the connection broke.
        """

    def close(self) -> None:
        """End the connection; never raises."""
