"""What a worker does: one task by the code of a build, in the worker's own process.

Its lines travel to the controller as they are said. A worker that is killed leaves the last checkpoint of its training
in the build cache, where the next one goes on.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.cluster.alike import differing, versions
from harness.core.errors import ClusterError, HarnessError
from harness.data.dataset import Dataset
from harness.records.manifest import Manifest, Step
from harness.training import pipeline
from harness.training.job import TrainingJob, make, start_names_anew, train_network
from harness.training.sweep.tasks import Kind

#: How many threads one operation of TensorFlow uses. Sums are ordered by them, so they are part of a number.
THREADS = "TF_NUM_INTRAOP_THREADS"
#: Seeds, names of layers and what converters print to are a process's, so a worker of many threads does one by one.
_ALONE = threading.Lock()


@dataclass(frozen=True)
class Order:
    """One task as it is sent.

    Attributes:
        job: without images, which all tasks share, and whose progress nobody hears.
        title: the task's name for people.
        topic: of the events that carry lines of progress.
        threads: of one operation of TensorFlow on the controller.
        versions: of the controller's packages.
        mark: a file in the controller's cache, by which a worker knows whether it is the same one here.
    """

    kind: Kind
    job: TrainingJob
    title: str
    topic: str
    threads: int
    versions: Mapping[str, str]
    mark: Path


@dataclass(frozen=True)
class Result:
    """What came of a task.

    Attributes:
        chain: the steps that led to the network.
        record: the manifest of its files.
        files: content by name.
        failed: why there is nothing else here.
    """

    chain: tuple[Step, ...] = ()
    record: Manifest | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    failed: str = ""


def unheard(_line: str) -> None:
    """The progress of a job on its way."""


def stripped(job: TrainingJob) -> TrainingJob:
    """A job without its images."""
    return replace(job, dataset=replace(job.dataset, images=job.dataset.images[:0]), progress=unheard)


def held(dataset: Dataset) -> Dataset:
    """The images as a task's result: workers fetch them from each other, and lost ones are had from this task again."""
    return dataset


def threads() -> int:
    """Threads of one operation of TensorFlow in this process, as the environment sets them or TensorFlow would."""
    asked = os.environ.get(THREADS, "")
    return int(asked) if asked.isascii() and asked.isdigit() and int(asked) else len(os.sched_getaffinity(0))


def perform(order: Order, dataset: Dataset) -> Result:
    """Do one task. What goes wrong is in the result, since not every exception can travel."""
    from distributed import get_worker

    worker = get_worker()

    def say(line: str) -> None:
        worker.log_event(order.topic, {"title": order.title, "line": line})

    try:
        with _ALONE:
            _check(order)
            say(f"begins on {worker.address}, process {os.getpid()}")
            if not order.mark.exists():
                say(f"{order.mark.parent} here is another folder than the controller's, so its state stays here")
            return _performed(order, replace(order.job, dataset=dataset, progress=say))
    except HarnessError as error:
        return Result(failed=str(error))
    except Exception as error:  # TensorFlow and converters raise nearly anything
        if os.environ.get("HARNESS_DEBUG"):
            raise
        return Result(failed=f"{type(error).__name__}: {' '.join(str(error).split())[:500]}")


def _check(order: Order) -> None:
    """Refuse to compute other numbers than the controller would.

    Raises:
        ClusterError: this worker came later than the others and has other versions, or it computes with other threads.
    """
    if other := differing(order.versions, versions(tuple(order.versions))):
        raise ClusterError(f"its worker has {other}", fix="install the same versions there")
    before = os.environ.setdefault(THREADS, str(order.threads))  # TensorFlow reads it when it is first used
    if before != str(order.threads):
        raise ClusterError(
            f"its worker has {THREADS}={before}, and here it is {order.threads}",
            fix="start the workers anew, without that variable",
        )


def _performed(order: Order, job: TrainingJob) -> Result:
    if order.kind == "train":
        start_names_anew()
        return Result(chain=tuple(train_network(job, job.network)[1]))
    if order.kind == "trial":
        return Result(chain=tuple(make(job)[1]))
    with tempfile.TemporaryDirectory(prefix="harness-build-") as folder:
        here = replace(job, models=Path(folder))
        record = pipeline.exported(here)
        made = here.models / job.network.name
        files = {artifact.filename: (made / artifact.filename).read_bytes() for artifact in record.artifacts}
    return Result(chain=record.chain[:-1], record=record, files=files)
