"""Boots one emulated board and waits until a login works."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import paramiko

from harness.boards.registry import BoardFamily
from harness.core.clock import ClockName
from harness.core.errors import EmulatorError
from harness.core.paths import cache_dir
from harness.emulate import imagestore, machine, recipe, tools
from harness.emulate.guard import Order, Started, tail
from harness.emulate.guard_process import GuardProcess, early_end
from harness.emulate.image import Image, ensure_image
from harness.emulate.login import log_in
from harness.emulate.seed import seed
from harness.emulate.systems import system_of

Progress = Callable[[str], None]

#: Serialises image checks in a process: the first one builds the image, and progress lines don't mix.
_IMAGE_LOCK = threading.Lock()


@dataclass(frozen=True)
class Board:
    """A board that is up and accepts logins. Close it, or use it as a context manager.

    Attributes:
        name: the name in devices.yaml.
        family: the name of its board family.
        host, port: the address of its sshd, on loopback only.
        identity_file: private key that logs in as ``user``.
        known_hosts: OpenSSH file with the one pinned host key, for ``[host]:port``.
        host_key: that key, ``ssh-ed25519 AAAA...``.
        clock: the clock that the board's nanoseconds count.
        pid, guard_pid: pids of QEMU and of the process that ends it.
        log: file with the output of the serial console; removed with the board.
        store_is_persistent: False if another live board of this name holds the storage.
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
    _guard: GuardProcess = field(repr=False, compare=False)

    def close(self) -> None:
        """Shut the board down within some seconds and wait for its end. A second call does nothing."""
        self._guard.switch_off()

    def detach(self) -> None:
        """Let the board outlive this process, so that only its guard ends it. ``close`` then does nothing.

        Raises:
            EmulatorError: the board has already ended.
        """
        try:
            self._guard.detach()
        except OSError as error:
            raise EmulatorError(f"{self.name}: the board ended just after it came up") from error

    def alive(self) -> bool:
        """Whether QEMU still runs. The guard alone is no sign, because it lives a little longer to clean up."""
        return self._guard.runs() and _runs(self.pid)

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _silent(_line: str) -> None:
    """Discard a line of progress."""


@dataclass(frozen=True)
class Booting:
    """The options of a boot.

    Attributes:
        clock: ``instructions``: the board's clock counts instructions as 1 ns each, which is reproducible.
            ``wall``: QEMU's wall clock, which says nothing about hardware.
        timeout_s: seconds from the start of QEMU to a working login, without the time to build the image.
        contents: files that a new storage of the board holds from the start, see :mod:`harness.emulate.seed`.
        state: a file to remove when the board ends.
        plugin: the value of QEMU's ``-plugin``, see :mod:`harness.estimate`.
        os: one of the family's ``emulated_os``; None for the usual one.
        progress: called with one line of plain text per step.
        ended: polled during the boot; True cancels it.
    """

    clock: ClockName = "instructions"
    timeout_s: float = 120.0
    contents: Mapping[str, Path] = field(default_factory=dict)
    state: Path | None = None
    plugin: str | None = None
    os: str | None = None
    progress: Progress = _silent
    ended: Callable[[], bool] = lambda: False


def boot(name: str, family: BoardFamily, booting: Booting = Booting()) -> Board:
    """Boot a fresh board and wait until a key login works. Thread-safe.

    Args:
        name: the board's name; with the family it selects the persistent storage.
        family: the family, which determines CPU and memory.

    Raises:
        EmulatorMissingError: QEMU or a program for the image is not installed.
        EmulatorError: the family has no such system, the image can't be built, QEMU ended early, or the board didn't
            answer in time.
    """
    machine.emulated(family.name)
    system = system_of(family, booting.os)
    tools.need("qemu-system-aarch64", "mke2fs", "e2fsck")
    with _IMAGE_LOCK:
        image = ensure_image(booting.progress, system)
        home = imagestore.store_folder(cache_dir(), name, family.name, image.digest)
        new = bool(booting.contents) and not imagestore.there(home)
        filled = seed(booting.contents, image.digest, booting.progress) if new else None
    started = time.monotonic()
    guard = GuardProcess(_order(family, booting, image, storage=home, filled=filled))
    try:
        facts = guard.started(name, started + booting.timeout_s)
        board = _board(name, family, booting.clock, image, guard=guard, facts=facts)
        if facts["lost"]:
            booting.progress(f"{name}: what was stored on the board is lost ({facts['lost']}); its storage is new")
        if not board.store_is_persistent:
            booting.progress(f"{name}: another board of this name is up; this one's storage is thrown away afterwards")
        _wait_for_login(board, guard, started + booting.timeout_s, booting.ended)
    except BaseException:
        guard.end()
        raise
    booting.progress(f"{name}: {family.title} up after {time.monotonic() - started:.1f} s")
    return board


def _order(family: BoardFamily, booting: Booting, image: Image, *, storage: Path, filled: Path | None) -> Order:
    """The order for the guard."""
    return Order(
        argv=machine.command(family, booting.clock, image, plugin=booting.plugin),
        live=str(cache_dir() / "live"),
        store=str(storage),
        seed=str(filled) if filled else None,
        host_key=image.host_key,
        state=str(booting.state) if booting.state else None,
        controller=os.getpid(),
    )


def _board(
    name: str, family: BoardFamily, clock: ClockName, image: Image, *, guard: GuardProcess, facts: Started
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
    """Whether a process exists and is no zombie (proc(5), field 3)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def _wait_for_login(board: Board, guard: GuardProcess, deadline: float, ended: Callable[[], bool]) -> None:
    """Wait until a key login works.

    Raises:
        EmulatorError: QEMU ended, the boot was cancelled, or ``deadline`` (time.monotonic seconds) passed.
    """
    problem = "no answer"
    while (left := deadline - time.monotonic()) > 0:
        if guard.has_spoken():
            raise early_end(board.name, guard.event(deadline))
        if ended():
            raise EmulatorError(f"{board.name}: interrupted while it booted")
        try:
            with socket.create_connection((board.host, board.port), timeout=min(left, 10.0)) as link:
                # QEMU accepts connections before the board listens, so only a banner shows that sshd is up
                if link.recv(4, socket.MSG_PEEK) == b"SSH-":
                    log_in(link, board.user, board.identity_file, host_key=board.host_key, timeout_s=left)
                    return
                problem = "sshd is not up"
        except (OSError, EOFError, paramiko.SSHException) as error:
            problem = str(error) or type(error).__name__
        time.sleep(0.1)
    console_end = tail(board.log, 600)
    raise EmulatorError(
        f"{board.name}: the board did not let us in in time ({problem}); its console ends with: {console_end}"
    )
