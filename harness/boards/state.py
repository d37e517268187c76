"""What a board said of its own state at one moment, understood.

A runner sends ``{path in /proc or /sys, or a command: its text}``, and that raw text is what a cell stores. Everything
that reads it reads it here. A board is not trusted, and neither is a file somebody sends: whatever is missing or odd is
None.
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
    """What the runner itself has used since it began.

    Attributes:
        cpu_ns: processor time of all its threads.
        waited_ns: how long its threads stood ready to run while others had the processor.
        involuntary_switches: how often it was made to give its processor away.
        continued: how often it had been stopped and was told to go on.
        idle_longest_ns, idle_usual_ns: time within one inference in which it neither worked nor waited for a processor:
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
    """A board at one moment.

    Attributes:
        texts: what it said, by path or command; board families read their own commands there.
        wall_s: its own wall clock, in seconds since 1970.
        monotonic_ns: its clock that stands still while the machine sleeps; ``boottime_ns`` goes on meanwhile.
        temperature_c: its hottest thermal zone, in degrees Celsius.
        frequency_mhz: what its fastest core cluster runs at; ``limit_mhz`` what that one may reach.
        governors: frequency governors by path.
        load: load average over a minute.
        clock_source: what the kernel takes the time from.
        memory_stall_us: how long some task has waited for memory since boot (Linux, Documentation/accounting/psi).
        ticks: processor time of the whole machine since boot, of each of :data:`TICK_FIELDS`, in 1/100 s.
        runner: what the runner has used.
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
        """Understand one raw state. What is no mapping is a state in which the board said nothing."""
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
        """The first core cluster's governor."""
        return self.governors[min(self.governors)] if self.governors else None


def number(text: str) -> float | None:
    """A finite number in ASCII digits; None for anything else."""
    try:
        value = float(text) if text.isascii() else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def whole(text: str) -> int | None:
    """A whole number of at most 19 digits, not negative; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _fastest(texts: Mapping[str, str], ending: str) -> float | None:
    """The highest frequency of all core clusters, in MHz: the runner keeps the fastest core busy."""
    read = (whole(text) for path, text in texts.items() if path.endswith(ending) and len(text) < 10)
    return max((khz / 1e3 for khz in read if khz is not None), default=None)


def _stalled(text: str) -> int | None:
    match = _STALLED.search(text)
    return int(match[1]) if match else None


def _ticks(line: str) -> tuple[int, ...] | None:
    name, *words = line.split() or [""]
    if name != "cpu" or len(words) < len(TICK_FIELDS):
        return None
    ticks = [whole(word) for word in words[: len(TICK_FIELDS)]]
    return tuple(tick for tick in ticks if tick is not None) if None not in ticks else None
