"""Runs all devices: each in its own thread, one cell at a time on each, with every finished cell stored at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.config.devices import Device, Fleet
from harness.records.cell import RunInfo
from harness.run import resume as resuming
from harness.run.attempt import LATE_S, Underway, late_jobs
from harness.run.context import Context
from harness.run.conversion import Conversions
from harness.run.device import DeviceTurn
from harness.run.golden.all import Goldens
from harness.run.golden.reference import Referee
from harness.run.halt import Halt
from harness.run.ledger import Ledger
from harness.run.outcome import Outcome, Watcher
from harness.run.plan import CellJob, Options, groups, rounds_of
from harness.run.schedule import new_schedule, resumed_schedule

#: How often the main thread checks for an interruption, in seconds.
LOOK_OUT_S = 0.2


@dataclass(frozen=True)
class Faked:
    """The inputs that a test fakes; such cells are INVALID by name.

    Attributes:
        inject_slowdown: the share by which the runner slows itself, to prove that a slowdown is found.
        state_root: a folder on the boards whose files replace those of /proc and /sys.
    """

    inject_slowdown: float = 0.0
    state_root: str = ""


class Run:
    """One run. The constructor plans it (and touches nothing if it raises); :meth:`execute` measures.

    Attributes:
        schedule: what is to be done.

    Args:
        fleet: all listed devices; the options choose among them.
        models: the folder of artifacts.
        results: the folder of runs.
        resume: a run to resume, by its name or path; then its own options count.

    Raises:
        UsageError, MissingModelError, ArtifactError, StoreError: the run can't be planned.
    """

    def __init__(
        self,
        fleet: Fleet,
        options: Options,
        *,
        models: Path,
        results: Path,
        resume: str | None = None,
        faked: Faked = Faked(),
    ) -> None:
        if resume is None:
            self._ledger = Ledger(new_schedule(fleet, options, models), results)
        else:
            earlier = resuming.reopen(results, resume)
            self._ledger = Ledger(resumed_schedule(earlier, fleet, models), results, earlier)
        self.schedule = self._ledger.schedule
        self._faked = faked
        self._halt = Halt()

    @property
    def notes(self) -> list[str]:
        """Information for a person before anything is measured."""
        return self.schedule.notes

    @property
    def info(self) -> RunInfo:
        """The run as recorded in ``run.json``."""
        return self._ledger.info

    @property
    def folder(self) -> Path:
        """The folder of its results."""
        return self._ledger.folder

    @property
    def again(self) -> str:
        """The argument of ``--resume`` that continues this run."""
        return self._ledger.again

    def execute(self, watcher: Watcher, interrupted: Callable[[], bool] = lambda: False) -> Outcome:
        """Measure everything that is not finished yet.

        Args:
            interrupted: called several times a second; when it returns true, every board is released.

        Raises:
            StoreError: results can't be written (what was written stays), or another process works on this run.
            KeyboardInterrupt: it was interrupted, and every board has been released.
        """
        self._halt.interrupted = interrupted
        conversions = Conversions(lambda: self._halt.ending)
        underway = Underway(self._ledger, self._halt, watcher, goldens=Goldens(), conversions=conversions)
        with self._ledger.opened():
            watcher.planned(self.schedule.plan)
            self._together(watcher, [partial(self._first, underway)])
            devices = self.schedule.fleet.devices
            self._together(watcher, [partial(self._group, underway, group) for group in groups(devices)])
            self._together(watcher, [partial(self._late_round, underway)])
            return self._ledger.outcome()

    def stop(self) -> None:
        """End all device threads by closing the connections under the commands that they wait for."""
        self._halt.stop()

    def _together(self, watcher: Watcher, tasks: Sequence[Callable[[], None]]) -> None:
        """Run all tasks at once, each in its own thread. The calling thread checks for an interruption meanwhile."""
        with ThreadPoolExecutor(max_workers=max(1, len(tasks))) as pool:
            waiting = {pool.submit(task) for task in tasks}
            try:
                while waiting:
                    done, waiting = wait(waiting, timeout=LOOK_OUT_S, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                    self._look_out(watcher)
            except BaseException:
                self.stop()
                raise

    def _look_out(self, watcher: Watcher) -> None:
        if self._halt.interrupted():
            watcher.device("run", "interrupted: letting the boards go; once more ends it at once")
            raise KeyboardInterrupt

    def _first(self, underway: Underway) -> None:
        """Let this machine answer and convert first, while nothing is measured that it could disturb."""
        due = [job for device in self.schedule.fleet.devices for job in self._ledger.due(device.name)]
        underway.conversions.ahead(due, partial(underway.watcher.device, "conversion"))
        referee = Referee(partial(underway.watcher.device, "golden outputs"), self._halt.note)
        underway.goldens.make(referee, [(job, self.schedule.tests[job.inputs]) for job in due])

    def _group(self, underway: Underway, group: Sequence[Sequence[Device]]) -> None:
        """Measure the steps one after the other, the devices of one step side by side."""
        for step in group:
            with ThreadPoolExecutor(max_workers=len(step)) as pool:
                for future in [
                    pool.submit(self._turn(underway, device, self._ledger.due(device.name)).take) for device in step
                ]:
                    future.result()

    def _late_round(self, underway: Underway) -> None:
        """Measure once more what other programs disturbed on this machine, for :data:`LATE_S` seconds in all."""
        until = time.monotonic() + LATE_S
        for device in self.schedule.fleet.devices:
            if not device.local or self._halt.stopped:
                continue
            if jobs := late_jobs(self._ledger, device.name):
                underway.watcher.device(device.name, f"measuring {len(jobs)} cells again that other programs disturbed")
                self._turn(underway, device, jobs, until).take()

    def _turn(
        self, underway: Underway, device: Device, jobs: list[CellJob], late_until: float | None = None
    ) -> DeviceTurn:
        options = self.schedule.options
        context = Context(
            run=self.info.run,
            device=device,
            probe=None,
            inject_slowdown=self._faked.inject_slowdown,
            state_root=self._faked.state_root,
            mlperf=options.mlperf,
            profile_ops=options.profile_ops,
            estimate=bool(options.estimate) or options.profile_ops,
            rounds=rounds_of(device, options),
            precision=options.precision,
            budget_s=options.budget_s,
        )
        return DeviceTurn(underway, device, jobs, context, late_until=late_until)
