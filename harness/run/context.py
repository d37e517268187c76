"""The settings that all cells of one device in one run share."""

from __future__ import annotations

from dataclasses import dataclass

from harness.config.devices import Device
from harness.remote.probe import Probe
from harness.run.estimates import Estimates


@dataclass(frozen=True)
class Context:
    """``probe`` is None until (or because) the board could not be probed.

    ``estimate`` says whether estimates are requested; ``estimates`` makes them while the board is up. ``rounds`` is the
    number of processes that measure a cell. With ``precision`` more rounds follow, until the half width of the cell's
    interval is that share of its value, or ``budget_s`` seconds are over.

    ``inject_slowdown`` and ``state_root`` are for tests: such cells are INVALID by name.
    """

    run: str
    device: Device
    probe: Probe | None
    inject_slowdown: float = 0.0
    state_root: str = ""
    mlperf: bool = False
    profile_ops: bool = False
    estimate: bool = False
    estimates: Estimates = None
    rounds: int = 1
    precision: float | None = None
    budget_s: float = 600.0
