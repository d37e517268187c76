"""Disturbances of a measurement, derived from a board's states: other programs, memory, frequency.

The functions are pure: states in, numbers out; None where a board reported nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.boards.state import TICK_FIELDS, BoardState
from harness.run.verdict.states import CellStates

#: The kinds of processor time that are work, rather than idle, waiting for a disk or stolen. User time includes guest
#: time.
_WORK = ("user", "nice", "system", "irq", "softirq")


@dataclass(frozen=True)
class Interference:
    """Shares of the timed passes, 0 to 1; see :class:`harness.config.thresholds.Thresholds` for what each is.

    ``switches_per_s``: how often the scheduler took the processor from the runner. ``elapsed_s``: the passes' length.
    """

    elapsed_s: float
    waited: float | None = None
    others: float | None = None
    stolen: float | None = None
    memory_stall: float | None = None
    switches_per_s: float | None = None


def between(start: BoardState, end: BoardState, threads: int) -> Interference | None:
    """The interference between two states; None where they carry no clock or are of the same moment.

    ``threads``: the number used by the runtime; waiting is counted per thread.
    """
    elapsed_ns = _passed(start.monotonic_ns, end.monotonic_ns)
    if not elapsed_ns or elapsed_ns <= 0:
        return None
    waited_ns = _passed(start.runner.waited_ns, end.runner.waited_ns)
    switches = _passed(start.runner.involuntary_switches, end.runner.involuntary_switches)
    stalled_us = _passed(start.memory_stall_us, end.memory_stall_us)
    others, stolen = _processor(start, end)
    return Interference(
        elapsed_s=elapsed_ns / 1e9,
        waited=_share(None if waited_ns is None else waited_ns / elapsed_ns / threads),
        others=_share(others),
        stolen=_share(stolen),
        memory_stall=_share(None if stalled_us is None else stalled_us * 1000 / elapsed_ns),
        switches_per_s=None if switches is None else switches / elapsed_ns * 1e9,
    )


@dataclass(frozen=True)
class Stops:
    """The times at which the runner stood still, from before the model was loaded to the end of the timed passes.

    ``suspended_s``: how long the machine slept, by the clock that runs on during sleep. ``continued``: how often the
    process was continued after a stop. ``idle_s``: the longest time, within one inference of the warm-up or the passes
    and what belongs to it, in which it neither worked nor waited for a processor, beyond ten times the usual.
    """

    suspended_s: float | None = None
    continued: int | None = None
    idle_s: float | None = None


def stops(states: CellStates) -> Stops:
    """When the runner stood still; None where the board reported nothing."""
    before, end = states.before, states.end
    with_sleep = _passed(before.boottime_ns, end.boottime_ns)
    awake = _passed(before.monotonic_ns, end.monotonic_ns)
    idle = [seconds for state in (states.start, end) if (seconds := _idle_s(state)) is not None]
    return Stops(
        suspended_s=None if with_sleep is None or awake is None else round(max(with_sleep - awake, 0) / 1e9, 3),
        continued=_passed(before.runner.continued, end.runner.continued),
        idle_s=max(idle, default=None),
    )


def _idle_s(state: BoardState) -> float | None:
    longest, usual = state.runner.idle_longest_ns, state.runner.idle_usual_ns
    return None if longest is None or usual is None else round(max(longest - 10 * usual, 0) / 1e9, 3)


def _processor(start: BoardState, end: BoardState) -> tuple[float | None, float | None]:
    """Shares of the machine's processor time: that of other processes, and that kept by the hypervisor."""
    runner_ns = _passed(start.runner.cpu_ns, end.runner.cpu_ns)
    if start.ticks is None or end.ticks is None or runner_ns is None:
        return None, None
    spent = dict(
        zip(TICK_FIELDS, (after - before for before, after in zip(start.ticks, end.ticks, strict=True)), strict=True)
    )
    total = sum(spent.values())
    if total < 20:  # ticks of 10 ms; fewer are too coarse
        return None, None
    work = sum(spent[name] for name in _WORK) - runner_ns / 1e9 * 100
    return max(work, 0.0) / total, spent["steal"] / total


def _passed(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _share(value: float | None) -> float | None:
    return None if value is None else round(min(max(value, 0.0), 1.0), 4)


def frequency_drop(states: Iterable[BoardState]) -> tuple[float, float] | None:
    """(highest, lowest) frequency of the fastest core over some states, in MHz, or of its limit if that fell more.

    None where the board reports neither.
    """
    known = list(states)
    falls = []
    for series in ([state.frequency_mhz for state in known], [state.limit_mhz for state in known]):
        known_mhz = [mhz for mhz in series if mhz is not None]
        if known_mhz and max(known_mhz) > 0:
            falls.append((max(known_mhz), min(known_mhz)))
    return min(falls, key=lambda fall: fall[1] / fall[0]) if falls else None
