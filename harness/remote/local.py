"""This machine as a board: the same agent, store and runner, as subprocesses."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from harness.core.errors import ConnectionLostError, OutputLimitError, RemoteTimeoutError, TransportError
from harness.remote.base import STDERR_KEEP, STDERR_LIMIT, Command, Completed, Held, Stdin
from harness.remote.shell import FOLDER, SETTINGS, UNSET

_CHUNK = 1 << 16


class _Reader(threading.Thread):
    """Reads a pipe to its end and keeps its last ``keep`` bytes; calls ``enough`` after more than ``limit`` in all."""

    def __init__(self, pipe: IO[bytes], keep: int, limit: int, enough: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.pipe, self.keep, self.limit, self.enough = pipe, keep, limit, enough
        self.data = bytearray()
        self.overflow = threading.Event()

    def run(self) -> None:
        seen = 0
        while chunk := self.pipe.read1(_CHUNK):  # type: ignore[attr-defined]
            self.data += chunk
            seen += len(chunk)
            del self.data[: -self.keep]
            if seen > self.limit and not self.overflow.is_set():
                self.overflow.set()
                self.enough()


class LocalConnection:
    """Runs programs on this machine, each in its own session, so that a hung one can be killed with its children."""

    def __init__(self, label: str, root: Path, *, python: str | None = None) -> None:
        self.label = label
        self.root = os.fsencode(root).decode("utf-8", "surrogateescape")
        home = os.path.expanduser("~")  # noqa: PTH111 - Path's raises where nobody has a home, as in a container
        self.home = os.fsencode(home).decode("utf-8", "surrogateescape") if home.startswith("/") else None
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None
        self._held: list[subprocess.Popen[bytes]] = []

    def run(self, command: Command) -> Completed:
        process = self._start(command.argv, command.env, stderr=subprocess.PIPE)
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        out = _Reader(process.stdout, command.stdout_limit, command.stdout_limit, partial(_kill, process))
        err = _Reader(process.stderr, STDERR_KEEP, STDERR_LIMIT, partial(_kill, process))
        out.start()
        err.start()
        writer = threading.Thread(target=_feed, args=(process.stdin, command), daemon=True)
        writer.start()
        try:
            process.wait(command.timeout_s)
        except subprocess.TimeoutExpired as error:
            raise RemoteTimeoutError(
                f"{self.label}: '{command.name}' did not end within {command.timeout_s:.0f} s"
            ) from error
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for thread in (out, err, writer):
                thread.join(5)
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.stdout.close()
            process.stderr.close()
        if out.overflow.is_set():
            raise OutputLimitError(f"{self.label}: '{command.name}' wrote over {command.stdout_limit} bytes")
        if err.overflow.is_set():
            raise OutputLimitError(f"{self.label}: '{command.name}' wrote over {STDERR_LIMIT} bytes to stderr")
        return Completed(process.returncode, bytes(out.data), bytes(err.data))

    def hold(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Held:
        """See :class:`harness.remote.base.Connection`."""
        process = self._start(argv, env or {}, stderr=subprocess.DEVNULL, bufsize=0)
        self._held = [held for held in self._held if held.poll() is None] + [process]
        return _LocalHeld(self.label, process)

    def _start(
        self, argv: Sequence[str], env: Mapping[str, str], *, stderr: int, bufsize: int = -1
    ) -> subprocess.Popen[bytes]:
        """Start a program as on a board: without the user's Python settings and without ours."""
        name = self._python if self._python and argv[0] == "python3" else argv[0]
        kept = {k: v for k, v in os.environ.items() if k not in UNSET and not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
        try:
            return subprocess.Popen(
                [os.fsencode(name), *(word.encode("utf-8", "surrogateescape") for word in argv[1:])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**kept, **SETTINGS, **env},
                cwd=FOLDER,
                start_new_session=True,
                bufsize=bufsize,
            )
        except OSError as error:
            raise TransportError(f"{self.label}: '{name}' can't be started: {error.strerror}") from error

    def close(self) -> None:
        """End a command that is running in another thread, and the programs that keep running."""
        for process in (self._process, *self._held):
            _kill(process)


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    """End a program with its children."""
    if process is not None and process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _feed(pipe: IO[bytes], command: Command) -> None:
    with contextlib.suppress(OSError, ValueError):  # the program may end without reading everything
        for chunk in chunks(command.stdin):
            pipe.write(chunk)
        pipe.flush()
        if not command.hold_stdin:
            pipe.close()


class _LocalHeld:
    def __init__(self, label: str, process: subprocess.Popen[bytes]) -> None:
        self._label, self._process = label, process
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def line(self, timeout_s: float) -> bytes:
        data = bytearray()
        deadline = time.monotonic() + timeout_s
        while not data.endswith(b"\n") and len(data) < 4096:
            if not select.select([self._stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise RemoteTimeoutError(f"{self._label}: no answer within {timeout_s:.0f} s")
            byte = self._stdout.read(1)
            if not byte:
                raise ConnectionLostError(f"{self._label}: the program ended")
            data += byte
        return bytes(data.rstrip(b"\n"))

    def write(self, data: bytes) -> None:
        try:
            self._stdin.write(data)
        except OSError as error:
            raise ConnectionLostError(f"{self._label}: the program ended") from error

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()


def chunks(source: Stdin) -> Iterator[bytes]:
    """Bytes or files' content, piece by piece."""
    if isinstance(source, tuple):
        for part in source:
            yield from chunks(part)
    elif isinstance(source, Path):
        with source.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                yield chunk
    elif source is not None:
        yield source
