"""Runs all devices, each in its own thread or on a worker, one cell at a time on each; each cell is stored at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

from harness.config.devices import Fleet
from harness.records.cell import RunInfo
from harness.results import storage
from harness.results.storage import Storage
from harness.run import resume as resuming
from harness.run.attempt import Underway
from harness.run.conversion import Conversions
from harness.run.golden.all import Goldens
from harness.run.golden.reference import Referee
from harness.run.halt import Halt
from harness.run.ledger import Ledger
from harness.run.outcome import Outcome, Watcher
from harness.run.plan import Options
from harness.run.schedule import new_schedule, resumed_schedule
from harness.run.turns import HERE, NOT_FAKED, Crew, Turns
from harness.run.turns import Faked as Faked

#: How often the main thread checks for an interruption, in seconds.
LOOK_OUT_S = 0.2


class Run:
    """One run. The constructor plans it (and touches nothing if it raises); :meth:`execute` measures.

    Attributes:
        schedule: what is to be done.

    Args:
        fleet: all listed devices; the options choose among them.
        models: the folder of artifacts.
        results: where runs are kept; a folder, or another storage.
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
        results: Path | Storage,
        resume: str | None = None,
        faked: Faked = NOT_FAKED,
    ) -> None:
        place = storage.at(results)
        if resume is None:
            self._ledger = Ledger(new_schedule(fleet, options, models), place)
        else:
            earlier = resuming.reopen(place, resume)
            self._ledger = Ledger(resumed_schedule(earlier, fleet, models), place, earlier)
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

    def execute(self, watcher: Watcher, interrupted: Callable[[], bool] = lambda: False, crew: Crew = HERE) -> Outcome:
        """Measure everything that is not finished yet.

        Args:
            interrupted: called several times a second; when it returns true, every board is released.
            crew: who measures.

        Raises:
            UsageError: nobody of the crew can measure some device; nothing has been touched.
            StoreError: results can't be written (what was written stays), or another process works on this run.
            KeyboardInterrupt: it was interrupted, and every board has been released.
        """
        crew.check(self.schedule.fleet)
        self._halt.interrupted = interrupted
        conversions = Conversions(lambda: self._halt.ending)
        underway = Underway(self._ledger, self._halt, watcher, goldens=Goldens(), conversions=conversions)
        turns = Turns(underway, self.info.run, self._faked)
        with self._ledger.opened(partial(watcher.device, "results")):
            watcher.planned(self.schedule.plan)
            self._together(watcher, [partial(self._first, underway)])
            self._together(watcher, crew.main(turns, self._ledger))
            self._together(watcher, crew.late(turns, self._ledger))
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
