"""Which runtimes a board would get for a file, and whether they can take it: asked of tables, not of the board."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.boards.family import BoardFamily, System
from harness.core.errors import ProvisionError
from harness.modelfile.fit import fits
from harness.modelfile.record import ModelFile, Target
from harness.runtimes import wheels
from harness.runtimes.registry import DELEGATES, RUNTIMES, fitting, reading
from harness.runtimes.requested import Requested, requested
from harness.runtimes.wheels import Platform


@dataclass(frozen=True)
class Board:
    """A board as far as it matters for a file.

    Attributes:
        systems: the one that it has, or those that it may have.
        runtimes: those that devices.yaml requires, with releases where it names them; empty for the first that reads
            the file.
        delegates: as in devices.yaml.
        memory_bytes: None where it is unknown.
    """

    systems: tuple[System, ...]
    runtimes: Sequence[str] = ()
    delegates: Sequence[str] = ("cpu",)
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Way:
    """One way to run a file on a board: the system, runtime, its release ("" where unknown) and delegate.

    ``why`` is the reason against it, None where there is none.
    """

    system: System
    runtime: str
    version: str
    delegate: str
    why: str | None


def ways(file: ModelFile, board: Board) -> tuple[Way, ...]:
    """Every way that a run would try, by system, runtime and delegate; empty if the systems are unknown."""
    asked = board.runtimes or reading(file.format)[:1]
    found = [
        _way(file, board, system, runtime=requested(runtime), delegate=delegate)
        for system in board.systems
        for runtime in asked
        for delegate in board.delegates
    ]
    return tuple(dict.fromkeys(found))


def refusal(file: ModelFile, board: Board, *, runtime: str, delegate: str) -> str | None:
    """Why a board can't run a file in this way whichever of its systems it has; None if one of them may.

    Args:
        runtime: ``NAME`` or ``NAME==VERSION``.
    """
    wanted = requested(runtime)
    tried = [_way(file, board, system, runtime=wanted, delegate=delegate).why for system in board.systems]
    return None if not tried or None in tried else tried[0]


def _way(file: ModelFile, board: Board, system: System, *, runtime: Requested, delegate: str) -> Way:
    way = Way(system, runtime.name, version="", delegate=delegate, why=None)
    target = Target(runtime.name, delegate=delegate, memory_bytes=board.memory_bytes)
    if runtime.release is not None:  # whether it has a wheel for the board, the package index decides
        why = fits(file, replace(target, version=runtime.release))
        return replace(way, version=runtime.release, why=why)
    if DELEGATES[delegate].onboard or file.format not in RUNTIMES[runtime.name].formats:
        # a runtime that must be on the board already has a release that nobody knows before the board is asked
        return replace(way, why=fits(file, target))
    like = platform_like(system)
    name = fitting(runtime.name, wheels.available(like))
    try:
        version = wheels.choose(name, like).version
    except ProvisionError as error:
        return replace(way, runtime=name, why=str(error))
    why = fits(file, replace(target, runtime=name, version=version))
    return replace(way, runtime=name, version=version, why=why)


def platform_like(system: System) -> Platform:
    """The platform of a board with this system. Makers' systems have numpy, or a package of it."""
    return Platform(system.python, system.machine, system.glibc, numpy="its own")


def expected(family: BoardFamily, *, emulated: bool = False, local: bool = False, os: str | None = None) -> Board:
    """A board of a family as it usually is. An emulated one and this machine are known; nothing is asked.

    Args:
        os: what an emulated board boots, one of the family's ``emulated_os``; None for the usual one.
    """
    if emulated:
        return Board((family.emulated_system(os),), memory_bytes=family.memory_mib << 20)
    return _here() if local else Board(family.systems)


def as_seen(platform: Platform, *, title: str | None, memory_bytes: int | None) -> Board:
    """A board as its own description has it; ``title`` is that of its system."""
    system = System(
        title or "its system", python=platform.python, machine=platform.machine, glibc=platform.glibc or (0, 0)
    )
    return Board((system,), memory_bytes=memory_bytes)


def _here() -> Board:
    """This machine, with the Python that runs the harness."""
    name, version = platform.libc_ver()
    numbers = version.split(".")
    known = name == "glibc" and len(numbers) >= 2 and all(part.isdigit() for part in numbers[:2])
    glibc = (int(numbers[0]), int(numbers[1])) if known else (0, 0)
    python = ".".join(platform.python_version_tuple()[:2])
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        memory = 0
    system = System("this machine", python=python, glibc=glibc, machine=platform.machine())
    return Board((system,), memory_bytes=memory or None)
