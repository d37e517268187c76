"""Boards that stay up after the command that booted them: ``harness emulate up|down|list|ssh``."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.boards.registry import BoardFamily
from harness.core.clock import ClockName
from harness.core.errors import EmulatorError, EmulatorMissingError, HarnessError, StoreError
from harness.core.files import write_atomic
from harness.core.locks import Lock, take_lock
from harness.core.paths import cache_dir
from harness.emulate.board import Board, Booting, boot
from harness.emulate.guard import OFF_SECONDS
from harness.emulate.image import ensure_image
from harness.emulate.systems import system_of


@dataclass(frozen=True)
class Standing:
    """A detached board that is up; fields as in :class:`harness.emulate.Board`.

    ``guard_started`` is the start of the guard in clock ticks after the machine's boot. With the pid it identifies one
    process.
    """

    name: str
    family: str
    host: str
    port: int
    user: str
    identity_file: str
    known_hosts: str
    host_key: str
    clock: ClockName
    pid: int
    guard_pid: int
    guard_started: int
    log: str
    #: The kernel and pid namespace of the pids, see :func:`_place`, and the name of the host.
    place: str = ""
    booted_on: str = ""

    def is_here(self) -> bool:
        """Whether its pids belong to this container, and not to another container or machine that shares the cache."""
        return self.place in ("", _place())


def _folder() -> Path:
    return cache_dir() / "emulated"


def up(
    boards: Iterable[tuple[str, BoardFamily]],
    *,
    clock: ClockName = "instructions",
    os: str | None = None,
    timeout_s: float = 120.0,
    progress: Callable[[str], None] | None = None,
) -> list[Standing]:
    """Boot boards that outlive this process, in parallel. A board that is already up stays as it is.

    Args:
        boards: ``(name, family)`` of each; ``down`` and ``ssh_argv`` take the name.
        clock, os, timeout_s, progress: as for :func:`harness.emulate.boot`.

    Raises:
        EmulatorMissingError, EmulatorError: the error of the first board that failed. Boards that came up stay up.
    """
    requested = list(boards)
    standing = {board.name: board for board in list_boards()}
    for name, _ in requested:
        if name in standing:
            _within_reach(standing[name])
    missing = [(name, family) for name, family in requested if name not in standing]
    if missing:
        for system in dict.fromkeys(system_of(family, os) for _, family in missing):
            ensure_image(progress, system)
        booting = Booting(clock=clock, os=os, timeout_s=timeout_s, progress=progress or (lambda _line: None))
        with ThreadPoolExecutor(max_workers=len(missing)) as pool:
            tries = [pool.submit(_up, name, family, booting) for name, family in missing]
        standing |= {board.name: board for board in (attempt.result() for attempt in tries)}
    return [standing[name] for name, _ in requested]


def _up(name: str, family: BoardFamily, booting: Booting) -> Standing:
    state = _state_file(name)
    lock = _state_lock(state)
    try:
        present = _read(state)
        if present is not None:
            return _within_reach(present)
        board = boot(name, family, replace(booting, state=state))
        facts = _facts(board)
        try:
            write_atomic(state, json.dumps(asdict(facts), indent=1) + "\n", mode=0o600)
            # the board may outlive this process only after its state is written; otherwise nobody could end it
            board.detach()
        except HarnessError:
            board.close()
            raise
        return facts
    finally:
        lock.close()


def _state_lock(state: Path) -> Lock:
    """Wait for the lock that excludes other processes from this board's state.

    Raises:
        EmulatorError: files in the cache can't be written.
    """
    folder = state.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return take_lock(folder / f".{state.stem}.lock", wait=True)
    except (OSError, StoreError) as error:
        why = error.message if isinstance(error, StoreError) else error.strerror
        raise EmulatorError(f"{folder} can't be used: {why}", fix="set HARNESS_CACHE") from error


def _facts(board: Board) -> Standing:
    return Standing(
        name=board.name,
        family=board.family,
        host=board.host,
        port=board.port,
        user=board.user,
        identity_file=str(board.identity_file),
        known_hosts=str(board.known_hosts),
        host_key=board.host_key,
        clock=board.clock,
        pid=board.pid,
        guard_pid=board.guard_pid,
        guard_started=_started(board.guard_pid) or 0,
        log=str(board.log),
        place=_place(),
        booted_on=socket.gethostname(),
    )


def list_boards() -> list[Standing]:
    """Detached boards that are up, sorted by name, including those of other containers that share the cache.

    State files of boards that have ended are removed.
    """
    folder = _folder()
    boards = (_read(state) for state in sorted(folder.glob("*.json"))) if folder.is_dir() else ()
    return [board for board in boards if board is not None]


def down(names: Iterable[str] | None = None) -> list[str]:
    """Shut boards down and wait until they have ended; without ``names`` all that were booted from here.

    Returns:
        The names of the boards that were up.

    Raises:
        EmulatorError: a board is not up, or it was booted in another container, whose processes are out of reach.
    """
    standing = {board.name: board for board in list_boards()}
    chosen_names = [name for name in standing if standing[name].is_here()] if names is None else list(names)
    chosen = [_named(name, standing) for name in chosen_names]
    for board in chosen:
        if not board.is_here():
            raise EmulatorError(
                f"{board.name} was booted in another container or on another machine ({board.booted_on})",
                fix="end it there",
            )
    for board in chosen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(board.guard_pid, signal.SIGTERM)
    deadline = time.monotonic() + OFF_SECONDS + 5
    for board in chosen:
        while _started(board.guard_pid) == board.guard_started and time.monotonic() < deadline:
            time.sleep(0.05)
        if _started(board.guard_pid) == board.guard_started:
            os.kill(board.guard_pid, signal.SIGKILL)  # QEMU dies with it
        _state_file(board.name).unlink(missing_ok=True)
    return chosen_names


def ssh_argv(name: str) -> list[str]:
    """The command line for a login to the board ``name``, which accepts only its pinned host key.

    Raises:
        EmulatorError: the board is not up, or not within reach.
        EmulatorMissingError: no SSH client is installed.
    """
    board = _within_reach(_named(name, {one.name: one for one in list_boards()}))
    if shutil.which("ssh") is None:
        raise EmulatorMissingError("there is no ssh here to log in with", fix="sudo apt-get install openssh-client")
    return [
        "ssh", "-F", "none", "-p", str(board.port), "-i", board.identity_file,
        "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
        "-o", f'UserKnownHostsFile="{board.known_hosts}"', "-o", "GlobalKnownHostsFile=none",
        f"{board.user}@{board.host}",
    ]  # fmt: skip


def _within_reach(board: Standing) -> Standing:
    """The board, if its address can be reached from here.

    Raises:
        EmulatorError: it runs in another container, which has a separate loopback.
    """
    if not board.is_here():
        try:
            socket.create_connection((board.host, board.port), timeout=5).close()
        except OSError as error:
            raise EmulatorError(
                f"{board.name} is up in another container or on another machine ({board.booted_on}), out of reach",
                fix="end it there, take another name, or set HARNESS_CACHE to another folder",
            ) from error
    return board


def _named(name: str, standing: dict[str, Standing]) -> Standing:
    if name not in standing:
        fix = f"up: {', '.join(standing)}" if standing else "none is up: harness emulate up"
        raise EmulatorError(f"no emulated board {name!r} is up", fix=fix)
    return standing[name]


def _state_file(name: str) -> Path:
    if not name or "/" in name or name.startswith("."):
        raise EmulatorError(f"{name!r} can't name a board", fix="use letters, digits, '-' and '_'")
    return _folder() / f"{name}.json"


def _read(state: Path) -> Standing | None:
    """The board of a state file. If that board has ended, None, and the file is removed."""
    try:
        board = Standing(**json.loads(state.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise EmulatorError(f"{state} can't be read: {error.strerror}", fix="set HARNESS_CACHE") from error
    except (OSError, ValueError, TypeError):
        board = None
    if board is not None and _up_somewhere(board):
        return board
    with contextlib.suppress(OSError):  # in a read-only cache the file stays, but the board is not listed
        state.unlink(missing_ok=True)
    return None


def _up_somewhere(board: Standing) -> bool:
    """Whether a board's processes may still run.

    A pid is valid only in its own pid namespace. In another namespace of the same kernel, the lock tells, which guard
    and QEMU hold. Another kernel does not see that lock, so only a restart of the same machine is certain there.
    """
    if board.is_here():
        return _started(board.guard_pid) == board.guard_started
    if _lock_is_held(cache_dir() / "live" / Path(board.log).parent.name / "lock"):
        return True
    same_kernel = board.place.partition("/")[0] == _place().partition("/")[0]
    return not same_kernel and board.booted_on != socket.gethostname()


def _lock_is_held(path: Path) -> bool:
    """Whether a process holds the lock; True also if that can't be determined."""
    try:
        with path.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _place() -> str:
    """The kernel since its boot, and the pid namespace: a pid is unique within both."""
    try:
        kernel = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{kernel}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _started(pid: int) -> int | None:
    """The start of process ``pid`` in clock ticks since boot (proc(5), stat field 22); None if it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])
