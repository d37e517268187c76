"""Whether a board can run a network, asked of tables before anything is sent."""

from __future__ import annotations

from dataclasses import replace

from harness.config.devices import Device
from harness.modelfile.boards import as_seen, expected, refusal
from harness.remote.probe import Probe
from harness.run.inventory import Shipped
from harness.runtimes.registry import refused
from harness.runtimes.requested import requested


def unfit(shipped: Shipped, device: Device, *, runtime: str, delegate: str, seen: Probe | None = None) -> str | None:
    """Why a device can't run an artifact in this way; None where nothing is known against it.

    Args:
        runtime: ``NAME`` or ``NAME==VERSION``.
        seen: the board's own description; without it, the board is taken for one as its family usually is.
    """
    if why := refused(requested(runtime).name, shipped.artifact.variant):
        return why
    if shipped.file is None:
        return None
    if seen is None:
        board = expected(device.family, emulated=device.emulate, local=device.local, os=device.os)
    else:
        board = as_seen(seen.platform, title=seen.os, memory_bytes=seen.memory_bytes)
    return refusal(shipped.file, replace(board, runtimes=(runtime,)), runtime=runtime, delegate=delegate)
