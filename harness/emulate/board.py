"""Booting one emulated board and waiting until it lets us in."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import paramiko

import harness
from harness.boards.registry import BoardFamily
from harness.core.clock import ClockName
from harness.core.errors import EmulatorError
from harness.core.paths import cache_dir
from harness.emulate import imagestore as store
from harness.emulate import machine, recipe, tools
from harness.emulate.guard import OFF_SECONDS, tail
from harness.emulate.image import Image, ensure_image
from harness.emulate.login import log_in
from harness.emulate.seed import seed

Progress = Callable[[str], None]

#: One image check at a time in a process: the first builds, the rest find it built, and progress lines don't mix.
_IMAGE_LOCK = threading.Lock()


@dataclass(frozen=True)
class Board:
    """A board that is up and lets us in. Close it, or use it as a context manager.

    Attributes:
        name: as in devices.yaml.
        family: name of its board family.
        host, port: where its sshd is reached, loopback only.
        identity_file: private key that logs in as ``user``.
        known_hosts: OpenSSH file with the one pinned host key, for ``[host]:port``.
        host_key: that key, ``ssh-ed25519 AAAA...``.
        clock: what the board's nanoseconds are.
        pid, guard_pid: QEMU and the process that ends it.
        log: the serial console so far; gone with the board.
        store_is_persistent: false when another live board of this name holds the storage.
    """

    name: str
    family: str
    host: str
    port: int
    user: str
    identity_file: Path
    known_hosts: Path
    host_key: str
    clock: ClockName
    pid: int
    guard_pid: int
    log: Path
    store_is_persistent: bool
    _guard: subprocess.Popen[bytes] | None = field(default=None, repr=False, compare=False)

    def close(self) -> None:
        """Switch the board off in order, at most some seconds; it is gone when this returns. May be called again."""
        if self._guard is not None and self._guard.stdin is not None and not self._guard.stdin.closed:
            _end(self._guard, b"close\n")

    def detach(self) -> None:
        """Let the board outlive this process: from now on only its guard ends it. ``close`` then does nothing.

        Raises:
            EmulatorError: it is gone already.
        """
        if self._guard is not None:
            assert self._guard.stdin is not None
            try:
                self._guard.stdin.write(b"detach\n")
            except OSError as error:
                raise EmulatorError(f"{self.name}: the board ended just after it came up") from error
            for pipe in (self._guard.stdin, self._guard.stdout):
                if pipe is not None:
                    pipe.close()
            self._guard.returncode = 0  # it is not ours to wait for: keeps Popen from warning that it still runs

    def alive(self) -> bool:
        """Whether QEMU still runs. It is asked for itself: its guard lives a little longer, to tidy up."""
        return self._guard is not None and self._guard.poll() is None and _runs(self.pid)

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def boot(
    name: str,
    family: BoardFamily,
    *,
    clock: ClockName = "instructions",
    timeout_s: float = 120.0,
    progress: Progress | None = None,
    contents: Mapping[str, Path] | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> Board:
    """Boot a fresh board and wait until a key login works. Thread-safe.

    Args:
        name: names its persistent storage, together with the family.
        family: decides CPU and memory.
        clock: ``instructions``: the board's clock counts instructions, 1 ns each, the same every time;
            ``wall``: time as it passes for QEMU, which says nothing about hardware.
        timeout_s: seconds from starting QEMU to a working login; building the image is not counted.
        progress: called with one line of plain text per step.
        contents: what the board's storage holds from the start where it is new; see :mod:`harness.emulate.seed`.
        ended: asked now and then; when it is true, nobody waits for the board any more.

    Raises:
        EmulatorMissingError: QEMU or a program for the image is not installed.
        EmulatorError: the image can't be built, QEMU ended early, or the board didn't answer in time.
    """
    return launch(
        name, family, clock=clock, timeout_s=timeout_s, progress=progress, state=None, contents=contents, ended=ended
    )


def launch(
    name: str,
    family: BoardFamily,
    *,
    clock: ClockName,
    timeout_s: float,
    progress: Progress | None,
    state: Path | None,
    contents: Mapping[str, Path] | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> Board:
    """As :func:`boot`; ``state`` is a file to be removed when the board ends."""
    say = progress or (lambda _line: None)
    machine.emulated(family.name)
    tools.need("qemu-system-aarch64", "mke2fs", "e2fsck")
    with _IMAGE_LOCK:
        image = ensure_image(progress)
        home = store.store_folder(cache_dir(), name, family.name, image.digest)
        filled = seed(contents, image.digest, say) if contents and not store.there(home) else None
    started = time.monotonic()
    guard = _start_guard(name, family, clock, image, state, filled)
    try:
        facts = _started(guard, name, started + timeout_s)
        board = _board(name, family, clock, image, guard, facts)
        if facts.get("lost"):
            say(f"{name}: what was stored on the board is lost ({facts['lost']}); its storage is new")
        if not board.store_is_persistent:
            say(f"{name}: another board of this name is up; this one's storage is thrown away afterwards")
        _wait_for_login(board, guard, started + timeout_s, ended)
    except BaseException:
        _end(guard, None)
        raise
    say(f"{name}: {family.title} up after {time.monotonic() - started:.1f} s")
    return board


def _board(
    name: str,
    family: BoardFamily,
    clock: ClockName,
    image: Image,
    guard: subprocess.Popen[bytes],
    facts: dict[str, Any],
) -> Board:
    return Board(
        name=name,
        family=family.name,
        host="127.0.0.1",
        port=facts["port"],
        user=recipe.USER,
        identity_file=image.identity_file,
        known_hosts=Path(facts["known_hosts"]),
        host_key=image.host_key,
        clock=clock,
        pid=facts["pid"],
        guard_pid=facts["guard"],
        log=Path(facts["log"]),
        store_is_persistent=facts["persistent"],
        _guard=guard,
    )


def _runs(pid: int) -> bool:
    """Whether a process exists and is more than an exit status waiting to be read (proc(5), field 3)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def _start_guard(
    name: str, family: BoardFamily, clock: ClockName, image: Image, state: Path | None, filled: Path | None
) -> subprocess.Popen[bytes]:
    cache = cache_dir()
    order = {
        "argv": machine.command(family, clock, image),
        "live": str(cache / "live"),
        "seed": str(filled) if filled else None,
        "store": str(store.store_folder(cache, name, family.name, image.digest)),
        "host_key": image.host_key,
        "state": str(state) if state else None,
        "controller": os.getpid(),
    }
    # our own package, wherever it was imported from
    path = os.pathsep.join([str(Path(harness.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        guard = subprocess.Popen(
            [sys.executable, "-m", "harness.emulate.guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "PATH": os.environ.get("PATH", os.defpath)},
            # not in the terminal's process group: on Ctrl-C the controller decides in which order things end
            start_new_session=True,
            bufsize=0,
        )
        assert guard.stdin is not None
        guard.stdin.write(json.dumps(order).encode() + b"\n")
    except OSError as error:
        raise EmulatorError(f"the board's guard process can't be started: {error.strerror}") from error
    return guard


def _event(guard: subprocess.Popen[bytes], deadline: float) -> dict[str, Any]:
    """The guard's next event; ``exited`` when it is gone without a word.

    Raises:
        EmulatorError: none came before ``deadline`` (time.monotonic seconds).
    """
    assert guard.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([guard.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise EmulatorError("QEMU did not start in time")
        more = os.read(guard.stdout.fileno(), 1 << 16)
        if not more:
            return {"event": "exited", "tail": ""}
        line += more
    event: dict[str, Any] = json.loads(line.splitlines()[0])
    return event


def _started(guard: subprocess.Popen[bytes], name: str, deadline: float) -> dict[str, Any]:
    """The guard's word that QEMU runs; raises EmulatorError for any other word."""
    facts = _event(guard, deadline)
    if facts["event"] != "started":
        raise _early_end(name, facts)
    return facts


def _early_end(name: str, facts: dict[str, Any]) -> EmulatorError:
    if facts["event"] == "failed":
        return EmulatorError(f"{name}: {facts['message']}", fix=facts.get("fix"))
    return EmulatorError(
        f"{name}: QEMU ended before the board was up; its console ends with: {facts.get('tail') or '-'}"
    )


def _end(guard: subprocess.Popen[bytes], word: bytes | None) -> None:
    """End a board: in order with ``word``, at once without. Returns when it is gone."""
    assert guard.stdin is not None
    assert guard.stdout is not None
    if word:
        with contextlib.suppress(OSError):  # the guard may be gone already
            guard.stdin.write(word)
        with contextlib.suppress(subprocess.TimeoutExpired):
            guard.wait(OFF_SECONDS + 5)
    guard.stdin.close()
    try:
        guard.wait(5)
    except subprocess.TimeoutExpired:
        guard.kill()  # QEMU dies with it
        guard.wait()
    guard.stdout.close()


def _wait_for_login(board: Board, guard: subprocess.Popen[bytes], deadline: float, ended: Callable[[], bool]) -> None:
    """Return once a key login works.

    Raises:
        EmulatorError: QEMU ended, nobody waits any more, or ``deadline`` (time.monotonic seconds) passed.
    """
    assert guard.stdout is not None
    problem = "no answer"
    while (left := deadline - time.monotonic()) > 0:
        if select.select([guard.stdout], [], [], 0)[0]:
            raise _early_end(board.name, _event(guard, deadline))
        if ended():
            raise EmulatorError(f"{board.name}: interrupted while it booted")
        try:
            with socket.create_connection((board.host, board.port), timeout=min(left, 10.0)) as link:
                # QEMU accepts before the board listens, so an open connection says nothing; a banner does
                if link.recv(4, socket.MSG_PEEK) == b"SSH-":
                    log_in(link, board.user, board.identity_file, board.host_key, left)
                    return
                problem = "sshd is not up"
        except (OSError, EOFError, paramiko.SSHException) as error:
            problem = str(error) or type(error).__name__
        time.sleep(0.1)
    said = tail(board.log, 600)
    raise EmulatorError(f"{board.name}: the board did not let us in in time ({problem}); its console ends with: {said}")
