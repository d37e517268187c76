"""What all cells of one device in one run share."""

from __future__ import annotations

from dataclasses import dataclass

from harness.config.devices import Device
from harness.remote.probe import Probe


@dataclass(frozen=True)
class Context:
    """``probe`` is None while (or because) the board could not be asked what it is.

    ``inject_slowdown`` and ``state_root`` are for tests: such cells are INVALID by name. ``rounds`` is how many
    processes measure a cell. With ``precision`` more rounds follow, until the half width of the cell's interval is that
    share of its value, or ``budget_s`` seconds are over.
    """

    run: str
    device: Device
    probe: Probe | None
    inject_slowdown: float = 0.0
    state_root: str = ""
    mlperf: bool = False
    profile_ops: bool = False
    rounds: int = 1
    precision: float | None = None
    budget_s: float = 600.0
