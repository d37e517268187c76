"""The golden outputs of all jobs of a run, made before anything is measured: later they would disturb this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from harness.core.errors import HarnessError
from harness.run.golden.comparer import Comparer
from harness.run.golden.file import GoldenOutputs, load
from harness.run.golden.reference import Asked, Referee, missing
from harness.run.plan import CellJob
from harness.run.testset import TestSet

#: Files that are answered at the same time, at most.
WORKERS = 4


@dataclass
class Goldens:
    """Golden outputs, or why there are none, by the hashes of artifact and inputs."""

    _known: dict[tuple[str, str], GoldenOutputs | str] = field(default_factory=dict)
    _comparers: dict[str, Comparer] = field(default_factory=dict)

    def make(self, referee: Referee, jobs: Iterable[tuple[CellJob, TestSet]]) -> None:
        """Make those of these jobs."""
        asked = {one.key: (one, job) for job, test in jobs for one in [_asked(job, test)]}
        with ThreadPoolExecutor(max_workers=min(WORKERS, os.cpu_count() or 1)) as pool:
            made = pool.map(lambda pair: _golden(referee, *pair), asked.values())
            self._known.update(zip(asked, made, strict=True))

    def comparer(self, job: CellJob, test: TestSet) -> Comparer | None:
        """What compares a job's outputs; None where no golden outputs were asked for."""
        golden = self._known.get(_asked(job, test).key)
        if golden is None:
            if test.judge is None:
                return None
            golden = "no golden outputs were asked for"
        if job.cell not in self._comparers:
            self._comparers[job.cell] = Comparer(
                golden=golden,
                artifact=_asked(job, test).artifact,
                limits=job.device.thresholds,
                classifier=bool(test.info.classes),
                judge=test.judge,
            )
        return self._comparers[job.cell]


def _asked(job: CellJob, test: TestSet) -> Asked:
    artifact, path = job.shipped.artifact, job.shipped.path
    if job.shipped.original:
        artifact, path = job.shipped.original.artifact, job.shipped.original.path
    return Asked(path=path, artifact=artifact, test=test, classes=len(test.info.classes))


def _golden(referee: Referee, asked: Asked, job: CellJob) -> GoldenOutputs | str:
    stored = job.shipped.artifact.golden
    try:
        if stored and job.shipped.golden and stored.inputs_sha256 == asked.test.file_sha256:
            return load(job.shipped.golden, stored.sha256)
        return referee.golden(asked)
    except HarnessError as error:
        return missing(error)
