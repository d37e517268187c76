"""Programs on a board over SSH: output bounded, errors mapped here. :mod:`harness.transport.login` reaches a board."""

from __future__ import annotations

import contextlib
import shlex
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import paramiko

from harness.errors import ConnectionLostError, OutputLimitError, RemoteTimeoutError, TransportError
from harness.transport.base import STDERR_KEEP, STDERR_LIMIT, STDOUT_LIMIT, Completed, Held
from harness.transport.local import chunks
from harness.transport.login import connect
from harness.transport.target import SshTarget

_CHUNK = 1 << 16


class SshConnection:
    """An open SSH connection.

    Raises (on creation):
        UnreachableError, HostKeyError, AuthenticationError, TransportError.
    """

    def __init__(self, target: SshTarget, *, connect_timeout_s: float = 20.0) -> None:
        self.label = target.label
        self.sent_bytes = 0
        self._fabric = connect(target, connect_timeout_s)
        try:
            self.root = f"{self._home(connect_timeout_s * 3).rstrip('/')}/.cache/harness"
        except BaseException:
            self.close()  # nobody else has it yet
            raise

    def _home(self, timeout_s: float) -> str:
        home = self.run(["sh", "-c", 'printf %s "$HOME"'], timeout_s=timeout_s, stdout_limit=4096)
        folder = home.check("asking for the home folder").stdout.decode("utf-8", "replace")
        if not folder.startswith("/") or "\n" in folder or len(folder) > 1024:
            raise TransportError(f"{self.label}: the home folder there is not a path")
        return folder

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        stdin: bytes | Path | None = None,
        hold_stdin: bool = False,
        env: Mapping[str, str] | None = None,
        stdout_limit: int = STDOUT_LIMIT,
    ) -> Completed:
        assigned = [f"{key}={value}" for key, value in (env or {}).items()]
        # Of a program that a signal ended, paramiko tells nothing; a shell tells 128 + the signal's number.
        words = [*(["env", *assigned] if assigned else []), *argv]
        command = shlex.join(["sh", "-c", '"$@"; exit $?', "sh", *words])
        transport = self._fabric.client.get_transport()
        if transport is None or not transport.is_active():
            raise ConnectionLostError(f"{self.label}: the connection is gone")
        try:
            channel = transport.open_session(timeout=30)
            try:
                channel.settimeout(30)
                channel.exec_command(command)
                return self._drive(channel, argv[0], stdin, hold_stdin, timeout_s, stdout_limit)
            finally:
                channel.close()
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise ConnectionLostError(f"{self.label}: the connection broke: {error}") from error

    def hold(self, argv: Sequence[str]) -> Held:
        """See :class:`harness.transport.base.Connection`."""
        transport = self._fabric.client.get_transport()
        if transport is None or not transport.is_active():
            raise ConnectionLostError(f"{self.label}: the connection is gone")
        try:
            channel = transport.open_session(timeout=30)
            channel.settimeout(30)
            channel.exec_command(shlex.join(argv))
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise ConnectionLostError(f"{self.label}: the connection broke: {error}") from error
        return _SshHeld(self.label, channel)

    def _drive(
        self,
        channel: paramiko.Channel,
        name: str,
        stdin: bytes | Path | None,
        hold: bool,
        timeout_s: float,
        stdout_limit: int,
    ) -> Completed:
        """Feed stdin from a thread of its own; collect both outputs here until the exit status is in."""
        writer = threading.Thread(target=self._feed, args=(channel, stdin, hold), daemon=True)
        writer.start()
        deadline = time.monotonic() + timeout_s
        out, err = bytearray(), bytearray()
        complained = 0
        channel.settimeout(0.2)
        arrived = threading.Event()  # with 64 boards, looking 50 times a second would keep half a core busy
        channel.in_buffer.set_event(arrived)
        channel.in_stderr_buffer.set_event(arrived)
        while True:
            done = channel.exit_status_ready()
            moved = False
            if channel.recv_stderr_ready():
                chunk = channel.recv_stderr(_CHUNK)
                err += chunk
                del err[:-STDERR_KEEP]
                complained += len(chunk)
                moved = True
            if done or channel.recv_ready():
                with contextlib.suppress(socket.timeout):
                    chunk = channel.recv(_CHUNK)
                    out += chunk
                    moved = moved or bool(chunk)
            elif not moved:  # after the outputs' end, which sets the event for good, only the status is to come
                (channel.status_event if channel.eof_received else arrived).wait(0.2)
            if len(out) > stdout_limit:
                raise OutputLimitError(f"{self.label}: '{name}' wrote over {stdout_limit} bytes")
            if complained > STDERR_LIMIT:
                raise OutputLimitError(f"{self.label}: '{name}' wrote over {STDERR_LIMIT} bytes to stderr")
            if done and not moved:
                break
            if time.monotonic() > deadline:
                raise RemoteTimeoutError(f"{self.label}: '{name}' did not end within {timeout_s:.0f} s")
        writer.join(5)
        status = channel.recv_exit_status()
        if status == -1:
            transport = channel.get_transport()
            if transport is None or not transport.is_active():
                raise ConnectionLostError(f"{self.label}: the connection broke while '{name}' ran")
            err += b"\n(ended by a signal)"
        return Completed(status, bytes(out), bytes(err))

    def _feed(self, channel: paramiko.Channel, stdin: bytes | Path | None, hold: bool) -> None:
        with contextlib.suppress(OSError, paramiko.SSHException):  # the reader in _drive tells what happened
            for chunk in chunks(stdin):
                sender = memoryview(chunk)
                while sender:
                    try:
                        count = channel.send(bytes(sender[:32768]))
                    except socket.timeout:  # noqa: UP041 - paramiko raises this very class
                        if channel.closed:
                            return
                        continue
                    if count == 0:
                        return
                    self.sent_bytes += count
                    sender = sender[count:]
            if not hold:
                channel.shutdown_write()

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._fabric.close()


class _SshHeld:
    def __init__(self, label: str, channel: paramiko.Channel) -> None:
        self._label, self._channel = label, channel

    def line(self, timeout_s: float) -> bytes:
        data = bytearray()
        deadline = time.monotonic() + timeout_s
        while not data.endswith(b"\n") and len(data) < 4096:
            self._channel.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                byte = self._channel.recv(1)
            except TimeoutError as error:
                raise RemoteTimeoutError(f"{self._label}: no answer within {timeout_s:.0f} s") from error
            if not byte:
                raise ConnectionLostError(f"{self._label}: the program ended")
            data += byte
        return bytes(data.rstrip(b"\n"))

    def write(self, data: bytes) -> None:
        try:
            self._channel.settimeout(30)
            self._channel.sendall(data)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise ConnectionLostError(f"{self._label}: the program ended") from error

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._channel.close()
