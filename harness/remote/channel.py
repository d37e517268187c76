"""One program on one SSH channel: its input, its output, and whether the login shell started it."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import threading
import time

import paramiko

from harness.core.errors import (
    ConnectionLostError,
    LoginShellError,
    OutputLimitError,
    RemoteCommandError,
    RemoteTimeoutError,
)
from harness.core.safetext import clean, plain
from harness.remote.base import STDERR_KEEP, STDERR_LIMIT, Command, Completed
from harness.remote.local import chunks
from harness.remote.shell import Frame

#: The project's errors describe every failure. Without a handler, Python would print paramiko's log to stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_CHUNK = 1 << 16
_LINE_BYTES = 4096
#: A start-up file may print this much before the program starts.
_NOISE_LIMIT = 1 << 20
#: How long to wait for the exit status and the rest of stderr after the end of a program's stdout.
_GRACE_S = 1.0
#: How long a start-up file that read the program's input may take once the input has ended.
_AFTER_EOF_S = 2.0


class ShellEndedError(LoginShellError):
    """The login shell ended by itself, although its input had not. Another command may succeed."""


#: pam_unix and sshd print this when the password has to be changed first, as on a fresh Ubuntu.
_EXPIRED = re.compile(r"(?i)password (?:has|is) expired|password change required|required to change your password")


class Dialogue:
    """A command on a channel.

    Args:
        name: the program's, for messages.
        start_s: how long the login shell's start-up files may take.
    """

    def __init__(self, channel: paramiko.Channel, frame: Frame, *, label: str, name: str, start_s: float) -> None:
        self.channel, self.frame, self.label, self.name, self.start_s = channel, frame, label, name, start_s
        self.out, self.noise, self.err = bytearray(), bytearray(), bytearray()
        self.status: int | None = None
        self._started = False
        self._complained = 0
        self._out_limit = _NOISE_LIMIT
        self._arrived = threading.Event()  # polling 64 boards 50 times a second would keep half a core busy
        channel.in_buffer.set_event(self._arrived)
        channel.in_stderr_buffer.set_event(self._arrived)

    # -- a program that runs to its end

    def drive(self, command: Command) -> Completed:
        """Feed stdin from a separate thread; collect both outputs here until the exit status arrives.

        Nothing is fed before the program starts, since a start-up file that reads its input would consume it.
        """
        self._out_limit = command.stdout_limit
        deadline = time.monotonic() + command.timeout_s
        writer = threading.Thread(target=self._feed, args=(command,), daemon=True)
        self.await_start(min(command.timeout_s, self.start_s))
        writer.start()
        self._await_end(deadline, command.timeout_s)
        writer.join(5)
        status = self.status if self.status is not None else self._exit_status()
        return Completed(status, bytes(self.out), self.frame.inside(bytes(self.err)))

    def await_start(self, timeout_s: float) -> None:
        """Read until the program has started.

        Raises:
            LoginShellError: the login shell ended, or waits for something, without having started the program.
            ConnectionLostError: the connection broke.
        """
        deadline = time.monotonic() + timeout_s
        ended_input = False
        while not self._started:
            done = self.channel.exit_status_ready() or self.channel.closed
            if self._pump(done):
                continue
            if done:
                raise self._not_started(waited=ended_input)
            if time.monotonic() > deadline:
                if ended_input:
                    raise self._stuck(timeout_s)
                ended_input = True
                self._end_input()
                deadline = time.monotonic() + _AFTER_EOF_S
            self._wait()
        if ended_input:
            raise self._waits_for_input()

    def _await_end(self, deadline: float, timeout_s: float) -> None:
        patience = 0.0
        while True:
            done = self.channel.exit_status_ready() or self.channel.closed
            moved = self._pump(done)
            if done and not moved:
                return
            if self.status is not None:
                if moved and not self.frame.end.search(self.err):
                    patience = 0.0  # its stderr may still arrive
                patience = patience or time.monotonic() + _GRACE_S
                if time.monotonic() > patience:
                    return
            if not moved:
                self._wait()
            if time.monotonic() > deadline:
                raise RemoteTimeoutError(f"{self.label}: '{self.name}' did not end within {timeout_s:.0f} s")

    def _exit_status(self) -> int:
        """The exit status where the end mark is missing: ``sh`` itself has ended, or the connection has."""
        if self.channel.exit_status_ready() and (status := self.channel.recv_exit_status()) != -1:
            return status
        transport = self.channel.get_transport()
        if transport is None or not transport.is_active():
            raise ConnectionLostError(f"{self.label}: the connection broke while '{self.name}' ran")
        self.err += b"\n(ended by a signal)"
        return -1

    # -- a program that keeps running

    def line(self, timeout_s: float) -> bytes:
        """The next line of its output, at most 4096 bytes, without its end."""
        deadline = time.monotonic() + timeout_s
        while True:
            at = self.out.find(b"\n", 0, _LINE_BYTES)
            if at >= 0 or len(self.out) >= _LINE_BYTES:
                line = bytes(self.out[: at if at >= 0 else _LINE_BYTES])
                del self.out[: at + 1 if at >= 0 else _LINE_BYTES]
                return line
            done = self.channel.exit_status_ready() or self.channel.closed
            if self._pump(done):
                continue
            if self.status is not None:
                raise RemoteCommandError(f"{self.label}: '{self.name}' ended with status {self.status}{self.words()}")
            if done:
                raise ConnectionLostError(f"{self.label}: the program ended{self.words()}")
            if time.monotonic() > deadline:
                raise RemoteTimeoutError(f"{self.label}: no answer within {timeout_s:.0f} s")
            self._wait()

    def write(self, data: bytes) -> None:
        try:
            self.channel.settimeout(30)
            self.channel.sendall(data)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise ConnectionLostError(f"{self.label}: the program ended") from error

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.channel.close()

    # -- receiving

    def _wait(self) -> None:
        """Wait for more output. Once both outputs have ended, their event stays set, only the exit status is due."""
        (self.channel.status_event if self.channel.eof_received else self._arrived).wait(0.2)

    def _pump(self, done: bool) -> bool:
        """Read what has arrived; returns whether there was any. ``done``: the exit status is known, so this is all."""
        moved = False
        self.channel.settimeout(0.2)
        if self.channel.recv_stderr_ready():
            chunk = self.channel.recv_stderr(_CHUNK)
            self._complained += len(chunk)
            self.err += chunk
            del self.err[:-STDERR_KEEP]
            moved = True
        if done or self.channel.recv_ready():
            with contextlib.suppress(socket.timeout):
                chunk = self.channel.recv(_CHUNK)
                self._take(chunk)
                moved = moved or bool(chunk)
        if self._complained > STDERR_LIMIT:
            raise OutputLimitError(f"{self.label}: '{self.name}' wrote over {STDERR_LIMIT} bytes to stderr")
        return moved

    def _take(self, chunk: bytes) -> None:
        """Split stdout's bytes into those before the program, those of the program, and those after it."""
        if self.status is not None:
            return
        if not self._started:
            self.noise += chunk
            before, mark, rest = bytes(self.noise).partition(self.frame.begin)
            if not mark:
                if len(self.noise) > _NOISE_LIMIT:
                    raise OutputLimitError(
                        f"{self.label}: its login shell wrote over {_NOISE_LIMIT} bytes before '{self.name}' started"
                    )
                return
            self.noise[:] = before
            self._started = True
            chunk = rest
        seen = max(0, len(self.out) - self.frame.end_bytes)
        self.out += chunk
        if mark_found := self.frame.end.search(self.out, seen):
            self.status = int(mark_found[1])
            del self.out[mark_found.start() :]
        if len(self.out) > self._out_limit + (0 if self.status is not None else self.frame.end_bytes):
            raise OutputLimitError(f"{self.label}: '{self.name}' wrote over {self._out_limit} bytes")

    # -- sending

    def _feed(self, command: Command) -> None:
        with contextlib.suppress(OSError, paramiko.SSHException):  # the reader reports what happened
            for chunk in chunks(command.stdin):
                sender = memoryview(chunk)
                while sender:
                    try:
                        count = self.channel.send(bytes(sender[:32768]))
                    except socket.timeout:  # noqa: UP041 - paramiko raises this very class
                        if self.channel.closed:
                            return
                        continue
                    if count == 0:
                        return
                    sender = sender[count:]
            if not command.hold_stdin:
                self.channel.shutdown_write()

    def _end_input(self) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self.channel.shutdown_write()

    # -- a login shell that did not start the program

    def words(self) -> str:
        """The board's text outside the frame and on stderr, as the end of a message."""
        words = self.frame.inside(bytes(self.err)) if self._started else bytes(self.noise[-4000:] + b"\n" + self.err)
        text = clean(plain(words.decode("utf-8", "replace")).strip()[-800:], 800)
        return f": {text}" if text else ""

    def _not_started(self, *, waited: bool) -> Exception:
        transport = self.channel.get_transport()
        if transport is None or not transport.is_active():
            return ConnectionLostError(f"{self.label}: the connection broke before '{self.name}' began{self.words()}")
        status = self.channel.recv_exit_status() if self.channel.exit_status_ready() else -1
        how = f"ended with status {status}" if status >= 0 else "ended"
        words = self.words() or ", without a word"
        if _EXPIRED.search(words):
            return LoginShellError(
                f"{self.label}: the password there has expired, so no command is run{words}",
                fix="log in by hand once, in a terminal, and give it a new one",
            )
        return (LoginShellError if waited else ShellEndedError)(
            f"{self.label}: the login shell there {how} and did not run our command{words}",
            fix="does 'ssh HOST true' work by hand? A start-up file (.bashrc, .cshrc...) must not end with 'exit' or "
            "start another shell there, and the account must be allowed to run commands",
        )

    def _stuck(self, seconds: float) -> LoginShellError:
        return LoginShellError(
            f"{self.label}: the login shell there did not run our command within {seconds:.0f} s{self.words()}",
            fix="what do its start-up files (.bashrc, .profile, .cshrc...) wait for? 'ssh HOST true' shows it",
        )

    def _waits_for_input(self) -> LoginShellError:
        self._started = False  # it started only because we closed the input; earlier output tells more
        files = "a start-up file of the login shell there (.bashrc, .cshrc...)"
        return LoginShellError(
            f"{self.label}: {files} waits for input{self.words()}",
            fix="let it ask only in a terminal: begin it with  case $- in *i*) ;; *) return ;; esac",
        )
