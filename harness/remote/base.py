"""What a connection can do, and the limits of what a board may send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.core.errors import RemoteCommandError
from harness.core.safetext import plain

#: Stderr is cut to its last bytes, so that a board can't fill the controller's memory.
STDERR_KEEP = 64 << 10

#: A program that writes more than this to stderr is ended, since it would go on until its time is over.
STDERR_LIMIT = 16 << 20

#: What may be read from a command's stdout unless more is asked for.
STDOUT_LIMIT = 1 << 20

#: What a program reads: bytes, a file's content, or several of these one after the other.
Stdin = bytes | Path | tuple[bytes | Path, ...] | None


@dataclass(frozen=True)
class Command:
    """A program to run to its end on a board.

    Attributes:
        argv: the program and its arguments. Bytes that are no UTF-8 are surrogates in it.
        timeout_s: after so many seconds the program is killed, or hung up on.
        stdin: what the program reads.
        hold_stdin: keep stdin open until the program has ended; the program can watch it for our end.
        env: variables for this program alone, besides those that every program gets.
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
    """A command that ended. ``stdout`` is whole (bounded), ``stderr`` its last 64 KiB."""

    returncode: int
    stdout: bytes
    stderr: bytes

    def check(self, what: str) -> Completed:
        """Return self when the command succeeded.

        Raises:
            RemoteCommandError: it did not; the board's stderr is the reason.
        """
        if self.returncode:
            words = plain(self.stderr.decode("utf-8", "replace")).strip()[-800:]
            raise RemoteCommandError(f"{what} ended with status {self.returncode}: {words or 'no message'}")
        return self


class Held(Protocol):
    """A program that goes on running beside others, with its stdin and stdout in our hands."""

    def line(self, timeout_s: float) -> bytes:
        """The next line of its stdout, at most 4096 bytes, without its end.

        Raises:
            RemoteTimeoutError, ConnectionLostError: there was none.
        """

    def write(self, data: bytes) -> None:
        """Write to its stdin.

        Raises:
            ConnectionLostError: it does not listen any more.
        """

    def close(self) -> None:
        """Close its stdin and let go of it; never raises."""


class Connection(Protocol):
    """One board's command line. Not shared between threads.

    Attributes:
        label: the device's name, for messages.
        root: absolute path of the harness's folder on the board. Bytes that are no UTF-8 are surrogates in it.
        home: the user's home folder there; None where there is none.
    """

    label: str
    root: str
    home: str | None

    def run(self, command: Command) -> Completed:
        """Run a program to its end.

        Raises:
            RemoteTimeoutError: it did not end in time (it has been killed, or hung up on).
            OutputLimitError: it wrote more than ``stdout_limit`` bytes, or more than 16 MiB to stderr.
            ConnectionLostError: the connection broke.
        """

    def hold(self, argv: Sequence[str]) -> Held:
        """Start a program that stays.

        Raises:
            ConnectionLostError: the connection broke.
        """

    def close(self) -> None:
        """End the connection; never raises."""
