"""How long a reproduction will take on this machine, stage by stage, with what is done counted off."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.reproduce.stages import Stage
from harness.training.networks.registry import Network
from harness.training.pace import Pace
from harness.training.workload import portions

#: Seconds of exporting, judging and recording a network, besides those for each million parameters.
EXPORT_S, EXPORT_S_MILLION = 25.0, 4.0
#: Seconds of a cell on the wall clock, with its five rounds; seven files a network.
CELL_S, FILES = 4.0, 7
BASIS = (
    "by training steps timed on this machine; pruned networks by their multiply-accumulates, exporting and measuring "
    "by what they took elsewhere"
)


@dataclass(frozen=True)
class Line:
    """A stage, and the seconds that are left of it; 0 where it is done. ``begun``: some of it is done."""

    title: str
    left_s: float
    begun: bool = False


def machine() -> str:
    """This machine, as far as its speed goes."""
    return f"{platform.node()}, {platform.machine()}, {os.cpu_count()} processors"


def timed_networks(stages: Sequence[Stage]) -> list[Network]:
    """The networks whose training steps must be timed: those trained from scratch, in the order of the stages."""
    from harness.training.networks import registry

    wanted: dict[str, Network] = {}
    for network in (stage.job.network for stage in stages):
        for name in (network.pruned_from or network.name, network.pruning.teacher if network.pruned_from else None):
            if name:
                wanted.setdefault(name, registry.get(name))
    return list(wanted.values())


def lines(stages: Sequence[Stage], pending: Sequence[Stage], pace: Pace | None) -> list[Line]:
    """One line a training, in order. What two stages share, such as a pruned network's parent, counts once.

    Args:
        stages: all of them.
        pending: those that are not done.
        pace: of this machine; None where nothing is pending.
    """
    known: set[tuple[Path, str]] = set()
    found = []
    for stage in stages:
        mine = [part for part in portions(stage.job, pace) if (part.folder, part.pattern) not in known] if pace else []
        known |= {(part.folder, part.pattern) for part in mine}
        if pace is None or stage not in pending:
            found.append(Line(stage.title, 0.0))
            continue
        left_s, total_s = sum(part.left_s for part in mine), sum(part.total_s for part in mine)
        found.append(Line(stage.title, left_s + _export_s(stage, pace), begun=left_s < total_s))
    return found


def measuring(networks: int, measured: int) -> Line:
    """The last stage, measuring on this machine and the report; ``measured`` cells are done."""
    left = max(0, FILES * networks - measured)
    what = "1 network" if networks == 1 else f"{networks} networks"
    return Line(f"measuring {what} on this machine, report and claims", CELL_S * left, begun=measured > 0)


def _export_s(stage: Stage, pace: Pace) -> float:
    if not stage.exports:
        return 0.0
    rate = pace.rates.get(stage.job.network.name)
    return EXPORT_S + EXPORT_S_MILLION * (rate.parameters / 1e6 if rate else 0.0)


def words(found: Sequence[Line]) -> list[str]:
    """The plan for people: a line a stage, and one for the whole."""
    width = max(len(duration(line.left_s)) for line in found)
    shown = []
    for number, line in enumerate(found, 1):
        time = duration(line.left_s) if line.left_s else "done"
        shown.append(f"{number:3}  {time:>{width}}  {line.title}" + (" (begun)" if line.begun else ""))
    return [*shown, f"together about {duration(sum(line.left_s for line in found))}"]


def duration(seconds: float) -> str:
    """Seconds in words for an estimate: ``40 s``, ``12 min``, ``7 h 20 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"
