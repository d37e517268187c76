"""A board's state at one moment, parsed.

A runner sends ``{path in /proc or /sys, or command: its text}``, and a cell stores that raw text. This module is the
only one that parses it. Boards and files from elsewhere are not trusted: a missing or malformed value becomes None.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

#: Fields of the "cpu" line of /proc/stat (proc(5)).
TICK_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")

_STALLED = re.compile(r"^some .*\btotal=(\d{1,18})", re.MULTILINE)


@dataclass(frozen=True)
class RunnerUse:
    """The resources that the runner has used since it began.

    Attributes:
        cpu_ns: processor time of all its threads.
        waited_ns: time in which its threads were ready to run but had no processor.
        involuntary_switches: number of involuntary context switches.
        continued: number of times that it was continued after a stop (SIGCONT).
        idle_longest_ns, idle_usual_ns: time within one inference in which it neither ran nor waited for a processor:
            the longest, and the median.
    """

    cpu_ns: int | None = None
    waited_ns: int | None = None
    involuntary_switches: int | None = None
    continued: int | None = None
    idle_longest_ns: int | None = None
    idle_usual_ns: int | None = None


@dataclass(frozen=True)
class BoardState:
    """The state of a board at one moment.

    Attributes:
        texts: the raw texts by path or command. Board families parse their own commands from it.
        wall_s: the board's wall clock, in seconds since 1970.
        monotonic_ns: a clock that stops while the machine sleeps; ``boottime_ns`` does not stop.
        temperature_c: temperature of the hottest thermal zone, in degrees Celsius.
        frequency_mhz: frequency of the fastest core cluster; ``limit_mhz`` is the highest that a cluster may reach.
        governors: frequency governors by path.
        load: load average over one minute.
        clock_source: the kernel's clock source.
        memory_stall_us: time since boot in which some task waited for memory (Linux, Documentation/accounting/psi).
        ticks: processor time of the whole machine since boot, for each of :data:`TICK_FIELDS`, in 1/100 s.
        runner: the resources that the runner has used.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    wall_s: float | None = None
    monotonic_ns: int | None = None
    boottime_ns: int | None = None
    temperature_c: float | None = None
    frequency_mhz: float | None = None
    limit_mhz: float | None = None
    governors: Mapping[str, str] = field(default_factory=dict)
    load: float | None = None
    clock_source: str | None = None
    memory_stall_us: int | None = None
    ticks: tuple[int, ...] | None = None
    runner: RunnerUse = field(default_factory=RunnerUse)

    @classmethod
    def parse(cls, raw: object) -> BoardState:
        """Parse one raw state. A value that is no mapping gives an empty state."""
        if not isinstance(raw, Mapping):
            return cls()
        texts = {str(key): str(value) for key, value in raw.items() if value is not None}
        thermal = [number(t) for p, t in texts.items() if p.startswith("/sys/class/thermal/") and p.endswith("/temp")]
        return cls(
            texts=texts,
            wall_s=number(texts.get("wall_s", "")),
            monotonic_ns=whole(texts.get("monotonic_ns", "")),
            boottime_ns=whole(texts.get("boottime_ns", "")),
            temperature_c=max((value / 1e3 for value in thermal if value is not None), default=None),
            frequency_mhz=_fastest(texts, "/scaling_cur_freq"),
            limit_mhz=_fastest(texts, "/scaling_max_freq"),
            governors={path: text for path, text in texts.items() if path.endswith("/scaling_governor")},
            load=number(texts.get("/proc/loadavg", "").split(" ")[0]),
            clock_source=next((text for path, text in texts.items() if path.endswith("/current_clocksource")), None),
            memory_stall_us=_stalled(texts.get("/proc/pressure/memory", "")),
            ticks=_ticks(texts.get("/proc/stat cpu", "")),
            runner=RunnerUse(
                cpu_ns=whole(texts.get("self cpu_ns", "")),
                waited_ns=whole(texts.get("self waited_ns", "")),
                involuntary_switches=whole(texts.get("self involuntary_switches", "")),
                continued=whole(texts.get("self continued", "")),
                idle_longest_ns=whole(texts.get("self idle_longest_ns", "")),
                idle_usual_ns=whole(texts.get("self idle_usual_ns", "")),
            ),
        )

    @property
    def governor(self) -> str | None:
        """The first core cluster's governor; None if there is none."""
        return self.governors[min(self.governors)] if self.governors else None


def number(text: str) -> float | None:
    """A finite number in ASCII digits; None for another text."""
    try:
        value = float(text) if text.isascii() else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def whole(text: str) -> int | None:
    """A non-negative whole number of at most 19 digits; None for another text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _fastest(texts: Mapping[str, str], ending: str) -> float | None:
    """The highest frequency of all core clusters, in MHz, because the runner keeps the fastest core busy."""
    frequencies_khz = (whole(text) for path, text in texts.items() if path.endswith(ending) and len(text) < 10)
    return max((khz / 1e3 for khz in frequencies_khz if khz is not None), default=None)


def _stalled(text: str) -> int | None:
    match = _STALLED.search(text)
    return int(match[1]) if match else None


def _ticks(line: str) -> tuple[int, ...] | None:
    name, *words = line.split() or [""]
    if name != "cpu" or len(words) < len(TICK_FIELDS):
        return None
    ticks = [whole(word) for word in words[: len(TICK_FIELDS)]]
    return tuple(tick for tick in ticks if tick is not None) if None not in ticks else None
