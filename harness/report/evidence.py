"""What a board's raw evidence says: temperature, frequency, governor, load. Anything odd in it is taken as unknown."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json


@dataclass(frozen=True)
class State:
    """A board at one moment; None where it did not say.

    Attributes:
        wall_s: the board's own wall clock, in seconds.
        temperature_c: the hottest thermal zone, in degrees Celsius.
        frequency_mhz: the fastest core cluster now; ``limit_mhz`` what it may reach.
        load: load average over a minute.
    """

    wall_s: float | None = None
    temperature_c: float | None = None
    frequency_mhz: float | None = None
    limit_mhz: float | None = None
    governor: str | None = None
    load: float | None = None
    throttled: str | None = None
    clock_source: str | None = None


def state(raw: object) -> State:
    """Read one ``before``, ``during`` or ``after`` record: ``{path in /sys or /proc: its text}``."""
    if not isinstance(raw, Mapping):
        return State()
    return State(
        wall_s=_number(raw.get("wall_s")),
        temperature_c=_highest(raw, "/sys/class/thermal/", "/temp", 1e3),
        frequency_mhz=_highest(raw, "/sys/devices/system/cpu/cpufreq/", "/scaling_cur_freq", 1e3),
        limit_mhz=_highest(raw, "/sys/devices/system/cpu/cpufreq/", "/scaling_max_freq", 1e3),
        governor=_first(raw, "/scaling_governor"),
        load=_number(str(raw.get("/proc/loadavg", "")).split(" ")[0]),
        throttled=_first(raw, "get_throttled"),
        clock_source=_first(raw, "/current_clocksource"),
    )


def states(evidence: object, key: str) -> list[State]:
    """The list of states under ``key`` (``during``), or the single one as a list (``before``, ``after``)."""
    raw = content(evidence).get(key)
    if isinstance(raw, list | tuple):
        return [state(item) for item in raw]
    return [state(raw)] if raw is not None else []


def content(evidence: object) -> Mapping[Any, Any]:
    """A cell's evidence, which may still be JSON text (harness/results/table_cache.py); empty where it is neither."""
    found = _parsed(evidence) if isinstance(evidence, str) else evidence
    return found if isinstance(found, Mapping) else {}


@functools.lru_cache(maxsize=8)  # several parts of one cell's evidence are asked for in turn
def _parsed(text: str) -> object:
    return from_json(text)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _highest(raw: Mapping[Any, Any], prefix: str, suffix: str, scale: float) -> float | None:
    found = [_number(v) for k, v in raw.items() if str(k).startswith(prefix) and str(k).endswith(suffix)]
    known = [value / scale for value in found if value is not None]
    return max(known) if known else None


def _first(raw: Mapping[Any, Any], suffix: str) -> str | None:
    return next((str(v) for k, v in sorted(raw.items(), key=lambda i: str(i[0])) if str(k).endswith(suffix)), None)
