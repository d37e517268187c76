"""The weathers of ``benchmarks.weathers``: what disturbs this machine while runs are measured."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness.records.cell import Canary, Cell
from harness.results import store

BUSY = "while True: pass"
RESTLESS = """
import random, sys, time
chance = random.Random(sys.argv[1])
while True:
    end = time.monotonic() + chance.uniform(1, 4)
    while time.monotonic() < end:
        pass
    time.sleep(chance.uniform(1, 4))
"""
#: Microseconds of processor time in each period, in the weather with a quota.
QUOTA, PERIOD = 1000, 1500
#: How much longer all takes in a run of the weather ``clock``.
LONGER = 4 / 3


class Sky:
    """A condition imposed on the machine; this base class imposes none."""

    def before_run(self, chance: random.Random) -> bool:
        """Called before each run; whether the run is in a weather that others are not in."""
        return False

    def after_run(self, folder: Path) -> None:
        """Called after each run that is in the weather."""


class Clock(Sky):
    """A processor that is slower in some runs: their stored times are made longer."""

    def before_run(self, chance: random.Random) -> bool:
        return chance.random() < 0.5

    def after_run(self, folder: Path) -> None:
        for cell in store.readable_cells(folder):
            store.write_cell(folder, _longer(cell))


def _longer(cell: Cell) -> Cell:
    """A cell as a slower processor would have measured it."""
    slowed = {name: tuple(round(ns * LONGER) for ns in getattr(cell, name)) for name in ("latency_ns", "warmup_ns")}
    rounds = tuple(
        each.model_copy(update={"before": _longer_look(each.before), "after": _longer_look(each.after)})
        for each in cell.rounds
    )
    return cell.model_copy(update={**slowed, "rounds": rounds})


def _longer_look(look: Canary | None) -> Canary | None:
    if look is None:
        return None
    return Canary(compute=round(look.compute * LONGER), memory=round(look.memory * LONGER), form=look.form)


class Quota(Sky):
    """A cgroup that contains this process, and so the runner, or not, by chance before each run."""

    def __init__(self, group: Path, outside: Path) -> None:
        self._group, self._outside = group, outside

    def before_run(self, chance: random.Random) -> bool:
        inside = chance.random() < 0.5
        self.enter(inside)
        return inside

    def enter(self, inside: bool) -> None:
        place = self._group if inside else self._outside
        (place / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


@contextmanager
def weather(name: str) -> Iterator[Sky | None]:
    """Provide the weather until the ``with`` block ends; None where this machine can't have it."""
    programs = {"busy": [[BUSY]], "restless": [[RESTLESS, "one"], [RESTLESS, "other"]]}.get(name, [])
    with ExitStack() as stack:
        for words in programs:
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", *words]))
            stack.callback(process.kill)
        yield stack.enter_context(_quota()) if name == "quota" else Clock() if name == "clock" else Sky()


@contextmanager
def _quota() -> Iterator[Quota | None]:
    """A quota by cgroup 1 or 2, whichever exists; None where none can be written."""
    for root, limits in (
        (Path("/sys/fs/cgroup/cpu"), {"cpu.cfs_period_us": f"{PERIOD}", "cpu.cfs_quota_us": f"{QUOTA}"}),
        (Path("/sys/fs/cgroup"), {"cpu.max": f"{QUOTA} {PERIOD}"}),
    ):
        group = root / f"harness-weathers-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        made = Quota(group, root)
        try:
            for name, value in limits.items():
                (group / name).write_text(value, encoding="ascii")
        except OSError:
            group.rmdir()
            continue
        try:
            yield made
        finally:
            made.enter(inside=False)
            group.rmdir()
        return
    yield None
