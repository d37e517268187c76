"""Whether a board can run a network, asked of tables before anything is sent."""

from __future__ import annotations

from dataclasses import replace

from harness.boards.family import System
from harness.config.devices import Device
from harness.modelfile.boards import Board, expected, refusal
from harness.remote.probe import Probe
from harness.run.inventory import Shipped


def unfit(shipped: Shipped, device: Device, *, runtime: str, delegate: str, seen: Probe | None = None) -> str | None:
    """Why a device can't run an artifact in this way; None where nothing is known against it.

    Args:
        seen: the board's own description; without it, the board is taken for one as its family usually is.
    """
    if shipped.file is None:
        return None
    board = expected(device.family, emulated=device.emulate, local=device.local) if seen is None else _as_seen(seen)
    return refusal(shipped.file, replace(board, runtimes=(runtime,)), runtime=runtime, delegate=delegate)


def _as_seen(seen: Probe) -> Board:
    platform = seen.platform
    system = System(
        seen.os or "its system", python=platform.python, machine=platform.machine, glibc=platform.glibc or (0, 0)
    )
    return Board((system,), memory_bytes=seen.memory_bytes)
