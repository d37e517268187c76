"""What disturbed a measurement, worked out from a board's states: other programs, memory, frequency.

Pure: states in (:class:`harness.records.answer.Evidence`), numbers out; None where a board did not tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.records.answer import Evidence

#: Fields of the "cpu" line of /proc/stat (proc(5)), in ticks: work, and what is none. Guest time is in user already.
_WORK = (0, 1, 2, 5, 6)
_STEAL = 7
_FIELDS = 8


@dataclass(frozen=True)
class Interference:
    """Shares of the timed passes, 0 to 1; see :class:`harness.config.thresholds.Thresholds` for what each is.

    ``switches_per_s``: how often the runner was made to give its processor away. ``elapsed_s``: the passes' length.
    """

    elapsed_s: float
    waited: float | None = None
    others: float | None = None
    stolen: float | None = None
    memory_stall: float | None = None
    switches_per_s: float | None = None


def between(start: Mapping[str, str], end: Mapping[str, str], threads: int) -> Interference | None:
    """What happened between two states; None where they carry no clock or are the same moment.

    ``threads``: how many the runtime used; waiting is counted per thread.
    """
    elapsed = _difference(start, end, "monotonic_ns")
    if not elapsed or elapsed <= 0:
        return None
    waited = _difference(start, end, "self waited_ns")
    switches = _difference(start, end, "self involuntary_switches")
    stall = _stall(end.get("/proc/pressure/memory", "")), _stall(start.get("/proc/pressure/memory", ""))
    stalled = None if stall[0] is None or stall[1] is None else (stall[0] - stall[1]) * 1000 / elapsed
    others, stolen = _processor(start, end)
    return Interference(
        elapsed_s=elapsed / 1e9,
        waited=_share(None if waited is None else waited / elapsed / threads),
        others=_share(others),
        stolen=_share(stolen),
        memory_stall=_share(stalled),
        switches_per_s=None if switches is None else switches / elapsed * 1e9,
    )


@dataclass(frozen=True)
class Stops:
    """When the runner stood still, from before the model was loaded to the end of the timed passes.

    ``suspended_s``: the machine slept, by its clock that goes on meanwhile. ``continued``: how often the process had
    been stopped and was told to go on. ``idle_s``: the longest time, within one inference of the warm-up or the passes
    and what belongs to it, in which it neither worked nor waited for a processor, beyond ten times the usual.
    """

    suspended_s: float | None = None
    continued: int | None = None
    idle_s: float | None = None


def stops(evidence: Evidence) -> Stops:
    """When the runner stood still; None where the board did not tell."""
    before, end = evidence.before, evidence.end
    asleep, awake = _difference(before, end, "boottime_ns"), _difference(before, end, "monotonic_ns")
    continued = _difference(before, end, "self continued")
    idle = [found for state in (evidence.start, end) if (found := _idle_s(state)) is not None]
    return Stops(
        suspended_s=None if asleep is None or awake is None else round(max(asleep - awake, 0.0) / 1e9, 3),
        continued=None if continued is None else int(continued),
        idle_s=max(idle, default=None),
    )


def _idle_s(state: Mapping[str, str]) -> float | None:
    try:
        longest, usual = int(state["self idle_longest_ns"]), int(state["self idle_usual_ns"])
    except (KeyError, ValueError):
        return None
    return round(max(longest - 10 * usual, 0) / 1e9, 3)


def _processor(start: Mapping[str, str], end: Mapping[str, str]) -> tuple[float | None, float | None]:
    """Shares of the machine's processor time: other processes' and what the hypervisor kept."""
    first, last = _ticks(start), _ticks(end)
    own_ns = _difference(start, end, "self cpu_ns")
    if first is None or last is None or own_ns is None:
        return None, None
    spent = [after - before for before, after in zip(first, last, strict=True)]
    total = sum(spent)
    if total < 20:  # ticks of 10 ms: fewer tell nothing
        return None, None
    work = sum(spent[i] for i in _WORK) - own_ns / 1e9 * 100
    return max(work, 0.0) / total, spent[_STEAL] / total


def _ticks(state: Mapping[str, str]) -> tuple[int, ...] | None:
    words = state.get("/proc/stat cpu", "").split()
    if len(words) <= _FIELDS or words[0] != "cpu":
        return None
    try:
        return tuple(int(word) for word in words[1 : _FIELDS + 1])
    except ValueError:
        return None


def _stall(text: str) -> int | None:
    """Microseconds in which some task was stalled, since boot (Linux, Documentation/accounting/psi)."""
    match = re.search(r"^some .*\btotal=(\d{1,18})", text, re.MULTILINE)
    return int(match[1]) if match else None


def _difference(start: Mapping[str, str], end: Mapping[str, str], key: str) -> float | None:
    try:
        return float(int(end[key]) - int(start[key]))
    except (KeyError, ValueError):
        return None


def _share(value: float | None) -> float | None:
    return None if value is None else round(min(max(value, 0.0), 1.0), 4)


def frequency_mhz(state: Mapping[str, str], file: str = "scaling_cur_freq") -> float | None:
    """The fastest core's frequency: the runner is single-minded, so that is the one it keeps busy."""
    found = [
        int(text)
        for path, text in state.items()
        if path.endswith("/" + file) and text.isascii() and text.isdigit() and len(text) < 10
    ]
    return max(found) / 1000 if found else None


def frequency_drop(states: Iterable[Mapping[str, str]]) -> tuple[float, float] | None:
    """(highest, lowest) frequency of the fastest core over some states, in MHz, or of its limit if that fell more.

    None where the board tells neither.
    """
    known = list(states)
    pairs = []
    for file in ("scaling_cur_freq", "scaling_max_freq"):
        found = [value for state in known if (value := frequency_mhz(state, file)) is not None]
        if found and max(found) > 0:
            pairs.append((max(found), min(found)))
    return min(pairs, key=lambda pair: pair[1] / pair[0]) if pairs else None
