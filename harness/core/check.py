"""The result of one check, and the limits that all checks share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note", "ok"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note", "ok")


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        code: stable short name for scripts, e.g. ``under-voltage``.
        severity: ``error``: a run would fail or give wrong numbers. ``warning``: numbers would not be as good as they
            could be. ``note``: worth knowing. ``ok``: checked, and nothing is wrong.
        text: what was found, one line.
        fix: what to do, one line; empty where nothing needs doing.
    """

    code: str
    severity: Severity
    text: str
    fix: str = ""


@dataclass(frozen=True)
class Limits:
    """The limits beyond which a check no longer answers ``ok``.

    Attributes:
        warm_c, hot_c: temperature of an idle board, in degrees Celsius. A Raspberry Pi slows down at 80
            (raspberrypi.com, "Frequency management and thermal control"). A board that idles at 70 gets there within a
            run.
        disk_mib: free space a run needs for runtime, models and images, in MiB.
        memory_mib: free memory the largest network needs, in MiB.
        load_per_core: load average per core above which something else is running.
        clock_s: offset of a board's wall clock above which its time stamps mislead, in seconds. Latencies don't depend
            on it.
    """

    warm_c: float = 70.0
    hot_c: float = 80.0
    disk_mib: int = 500
    memory_mib: int = 300
    load_per_core: float = 0.3
    clock_s: float = 2.0


DEFAULTS = Limits()
