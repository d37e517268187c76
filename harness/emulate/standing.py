"""Boards that stay up after the command that booted them: ``harness emulate up|down|list|ssh``."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.boards import BoardFamily
from harness.emulate.board import launch
from harness.emulate.guard import OFF_SECONDS
from harness.emulate.image import ensure_image, locked
from harness.errors import EmulatorError, HarnessError
from harness.fsio import write_atomic
from harness.paths import cache_dir
from harness.records import Clock


@dataclass(frozen=True)
class Standing:
    """A board that is up on its own; fields as in :class:`harness.emulate.Board`.

    ``guard_started`` is the guard's start in clock ticks after the machine's boot: with the pid it names one process.
    """

    name: str
    family: str
    host: str
    port: int
    user: str
    identity_file: str
    known_hosts: str
    host_key: str
    clock: Clock
    pid: int
    guard_pid: int
    guard_started: int
    log: str


def _folder() -> Path:
    return cache_dir() / "emulated"


def up(
    boards: Iterable[tuple[str, BoardFamily]],
    *,
    clock: Clock = "instructions",
    timeout_s: float = 120.0,
    progress: Callable[[str], None] | None = None,
) -> list[Standing]:
    """Boot boards that outlive this process, in parallel; one that is up already is left as it is.

    Args:
        boards: ``(name, family)``; the name is how ``down`` and ``ssh_argv`` know it.
        clock, timeout_s, progress: as for :func:`harness.emulate.boot`.

    Raises:
        EmulatorMissingError, EmulatorError: the first that failed; those that came up stay up.
    """
    wanted = list(boards)
    standing = {board.name: board for board in list_boards()}
    missing = [(name, family) for name, family in wanted if name not in standing]
    if missing:
        ensure_image(progress)
        with ThreadPoolExecutor(max_workers=len(missing)) as pool:
            tries = [pool.submit(_up, name, family, clock, timeout_s, progress) for name, family in missing]
        for attempt in tries:
            board = attempt.result()
            standing[board.name] = board
    return [standing[name] for name, _ in wanted]


def _up(
    name: str, family: BoardFamily, clock: Clock, timeout_s: float, progress: Callable[[str], None] | None
) -> Standing:
    folder = _folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        state = _state_file(name)
        with locked(folder / f".{state.stem}.lock"):
            present = _read(state)
            if present is not None:
                return present
            board = launch(name, family, clock=clock, timeout_s=timeout_s, progress=progress, state=state)
            facts = Standing(
                name=name,
                family=family.name,
                host=board.host,
                port=board.port,
                user=board.user,
                identity_file=str(board.identity_file),
                known_hosts=str(board.known_hosts),
                host_key=board.host_key,
                clock=clock,
                pid=board.pid,
                guard_pid=board.guard_pid,
                guard_started=_started(board.guard_pid) or 0,
                log=str(board.log),
            )
            try:
                write_atomic(state, json.dumps(asdict(facts), indent=1) + "\n", mode=0o600)
                # only now may the board outlive us: before, nobody could have found it again
                board.detach()
            except HarnessError:
                board.close()
                raise
            return facts
    except OSError as error:
        raise EmulatorError(f"{folder} can't be used: {error.strerror}", fix="set HARNESS_CACHE") from error


def list_boards() -> list[Standing]:
    """Boards that are up on their own, by name. State left by ones that are gone is removed."""
    folder = _folder()
    found = (_read(state) for state in sorted(folder.glob("*.json"))) if folder.is_dir() else ()
    return [board for board in found if board is not None]


def down(names: Iterable[str] | None = None) -> list[str]:
    """Switch boards off in order and wait until they are gone; all of them without ``names``.

    Returns:
        The names of those that were up.

    Raises:
        EmulatorError: a name is not up.
    """
    standing = {board.name: board for board in list_boards()}
    wanted = list(standing) if names is None else list(names)
    chosen = [_named(name, standing) for name in wanted]
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
    return wanted


def ssh_argv(name: str) -> list[str]:
    """The command line that logs in to the board ``name``, checked against its pinned host key alone.

    Raises:
        EmulatorError: it is not up.
    """
    board = _named(name, {one.name: one for one in list_boards()})
    return [
        "ssh", "-F", "none", "-p", str(board.port), "-i", board.identity_file,
        "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
        "-o", f'UserKnownHostsFile="{board.known_hosts}"', "-o", "GlobalKnownHostsFile=none",
        f"{board.user}@{board.host}",
    ]  # fmt: skip


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
    """The board a state file tells of; None, and the file removed, when that board is gone."""
    try:
        board = Standing(**json.loads(state.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        board = None
    if board is not None and _started(board.guard_pid) == board.guard_started:
        return board
    state.unlink(missing_ok=True)
    return None


def _started(pid: int) -> int | None:
    """When process ``pid`` started, in clock ticks since boot (proc(5), stat field 22); None when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])
