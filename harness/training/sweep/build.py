"""``harness build --on``: the controller's half. It sends tasks, hears their lines, and alone writes below ``models``.

Importing this module imports neither TensorFlow nor Dask.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cluster.alike import check_alike, versions
from harness.cluster.connect import check_address, connected
from harness.core.errors import ArtifactError, BuildError, ClusterError, UsageError
from harness.core.files import sha256_bytes, write_atomic
from harness.records import manifest as manifests
from harness.records.manifest import Manifest, Step
from harness.training import pipeline
from harness.training.job import Progress, TrainingJob
from harness.training.manifest_merge import with_trial
from harness.training.options import BuildOptions
from harness.training.sweep import worker
from harness.training.sweep.tasks import Task, has_manifest, tasks_of
from harness.training.sweep.worker import Order, Result

if TYPE_CHECKING:
    from distributed import Client, Future

KILLED = "its worker died each time it was tried"


@dataclass(frozen=True)
class Swept:
    """What came of a sweep.

    Attributes:
        manifests: of networks all of whose tasks were done, as stored, in the order asked for.
        failed: why, by the title of a task.
    """

    manifests: tuple[Manifest, ...]
    failed: Mapping[str, str]

    def check(self) -> None:
        """Say what failed.

        Raises:
            BuildError: something did.
        """
        if self.failed:
            each = "; ".join(f"{title}: {why}" for title, why in self.failed.items())
            raise BuildError(f"FAILED {each}", fix="the same command again goes on with what is missing")


def build(options: BuildOptions, *, on: str, cache: Path, progress: Progress) -> Swept:
    """Do what :func:`harness.training.pipeline.build` does, with the trainings spread over a Dask cluster.

    A task that fails takes those with it that start from its training; the others go on.

    Args:
        options: the user's options.
        on: ``local:N``, or the address of a scheduler.
        cache: folder for training state; workers go on there where others were killed, so all should share it.
        progress: receives lines to show.

    Raises:
        UsageError: as there, or a target can't be measured beside other trainings.
        MissingExtraError: the [cluster] extra is not installed.
        ClusterError: the cluster can't be used.
        DataError: the data can't be used.
        StoreError: files or manifests can't be written.
    """
    check_address(on)
    if options.targets.latency_ratio is not None:
        raise UsageError("--target-latency-ratio: a latency beside other trainings means nothing", fix="leave --on out")
    builds = pipeline.planned(options, cache=cache, progress=progress)
    with connected(on, progress) as client, _marked(cache) as mark:
        _check_workers(client, on)
        return _Sweep(client, {jobs[0].network.name: jobs for jobs in builds}, mark, progress).run()


@contextlib.contextmanager
def _marked(cache: Path) -> Iterator[Path]:
    """A file in the cache by which workers know it again."""
    mark = cache / f".sweep-{secrets.token_hex(8)}"
    write_atomic(mark, b"", durable=False)
    try:
        yield mark
    finally:
        mark.unlink(missing_ok=True)


def _check_workers(client: Client, on: str) -> None:
    check_alike(client, pipeline.LIBRARIES)
    for address, threads in client.nthreads().items():
        if threads != 1:
            raise ClusterError(
                f"--on {on}: worker {address} would train {threads} networks in one process",
                fix="dask worker ADDRESS --nworkers N --nthreads 1",
            )


@dataclass
class _Network:
    """One network's manifest while its tasks end, in whatever order.

    Attributes:
        jobs: all of them.
        record: its manifest as stored; None until its files are there.
        exported: the job that its files are of, where this sweep made them.
        trials: accuracies that wait for the manifest.
    """

    jobs: Sequence[TrainingJob]
    record: Manifest | None
    exported: TrainingJob | None = None
    trials: list[tuple[TrainingJob, Step]] = field(default_factory=list)

    @classmethod
    def of(cls, jobs: Sequence[TrainingJob]) -> _Network:
        """Where folds are to be trained, with the manifest that is there."""
        first = jobs[0]
        there = first.split.scheme == "subject" and has_manifest(first)
        return cls(jobs, manifests.load(first.models, first.network.name) if there else None)

    def take(self, task: Task, result: Result) -> None:
        """Store what a task made."""
        job = task.job
        if result.record is not None:
            _write(job, result)
            self.record, self.exported = pipeline.recorded(job, result.record), job
        if task.kind == "trial" or job.split.scheme == "subject" or len(self.jobs) > 1:
            self.trials.append((job, result.chain[-1]))
        while self.record is not None and self.trials:
            trained, last = self.trials.pop(0)
            self.record = with_trial(self.record, trained, last)

    def finished(self) -> Manifest:
        """The manifest with what is measured on a quiet machine, so after all trainings."""
        assert self.record is not None
        if self.exported is not None:
            after = pipeline.with_zeroed(self.exported, self.record)
            if after is not self.record:
                manifests.save(self.exported.models, after)
            self.record = after
        return self.record


def _write(job: TrainingJob, result: Result) -> None:
    """Write a network's files where its manifest will be."""
    assert result.record is not None
    for artifact in result.record.artifacts:
        content = result.files[artifact.filename]
        if sha256_bytes(content) != artifact.sha256:
            raise ArtifactError(f"{job.network.name}/{artifact.filename}: arrived otherwise than it was made")
        write_atomic(job.models / job.network.name / artifact.filename, content)


class _Sweep:
    """The tasks of one build on one cluster."""

    def __init__(
        self, client: Client, builds: Mapping[str, Sequence[TrainingJob]], mark: Path, progress: Progress
    ) -> None:
        self.client, self.mark, self.say = client, mark, progress
        self.networks = {name: _Network.of(jobs) for name, jobs in builds.items()}
        self.waiting = tasks_of(list(builds.values()))
        self.topic = f"harness-build-{secrets.token_hex(8)}"
        self.versions = versions(pipeline.LIBRARIES)
        self.running: dict[str, tuple[Task, Future]] = {}
        self.done: set[Path] = set()
        self.broken: dict[Path, str] = {}
        self.failed: dict[Task, str] = {}

    def run(self) -> Swept:
        """Do all tasks."""
        from distributed import as_completed

        with self._heard(), self._none_left():
            self.images = self._sent_images()
            completed = as_completed(self._ready(), loop=self.client.loop)
            for future in completed:
                task, _ = self.running.pop(future.key)
                self._settle(task, future)
                future.release()
                completed.update(self._ready())
        failed = {task.job.network.name for task in self.failed}
        whole = [network for name, network in self.networks.items() if name not in failed]
        why = {task.title: text for task, text in self.failed.items()}
        return Swept(tuple(network.finished() for network in whole), why)

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        """Show the lines of workers."""

        def hear(event: tuple[float, Mapping[str, str]]) -> None:
            title, line = event[1]["title"], event[1]["line"]
            self.say(line if line.startswith(title) else f"{title}: {line}")

        self.client.subscribe_topic(self.topic, hear)
        try:
            yield
        finally:
            with contextlib.suppress(OSError, RuntimeError):  # the cluster may be gone
                self.client.unsubscribe_topic(self.topic)

    @contextlib.contextmanager
    def _none_left(self) -> Iterator[None]:
        """Call tasks back that nobody waits for any more."""
        try:
            yield
        finally:
            if self.running:
                with contextlib.suppress(OSError, RuntimeError):
                    self.client.cancel([future for _, future in self.running.values()], force=True)

    def _sent_images(self) -> Future:
        """The images, sent once. They are a task's result, so a worker that dies with them loses nothing."""
        dataset = next(iter(self.networks.values())).jobs[0].dataset
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self.client.submit(worker.held, dataset, key=f"{self.topic}-images", pure=False)

    def _ready(self) -> list[Future]:
        """Tasks whose turn has come, sent; those whose turn can't come any more have failed."""
        while lost := [task for task in self.waiting if self.broken.keys() & set(task.needs)]:
            for task in lost:
                self.waiting.remove(task)
                self._fail(task, f"starts from {next(self.broken[need] for need in task.needs if need in self.broken)}")
        now = [task for task in self.waiting if self.done.issuperset(task.needs)]
        self.waiting = [task for task in self.waiting if task not in now]
        return [self._send(task) for task in now]

    def _send(self, task: Task) -> Future:
        order = Order(
            kind=task.kind,
            job=worker.stripped(task.job),
            title=task.title,
            topic=self.topic,
            threads=worker.threads(),
            versions=self.versions,
            mark=self.mark,
        )
        key = f"{task.kind} {task.title}-{secrets.token_hex(4)}"
        future = self.client.submit(worker.perform, order, self.images, key=key, pure=False)
        self.running[key] = task, future
        return future

    def _settle(self, task: Task, future: Future) -> None:
        """Store what a task that has ended made, or note why it failed."""
        if (wrong := self._wrong(future)) is not None:
            self._fail(task, wrong)
            return
        if task.makes is not None:
            self.done.add(task.makes)
        if task.kind != "train":
            self.networks[task.job.network.name].take(task, future.result())

    def _wrong(self, future: Future) -> str | None:
        """Why a task that has ended has no result; None where it has one."""
        from distributed import KilledWorker

        if future.status == "finished":
            failed: str = future.result().failed
            return failed or None
        if future.cancelled():
            return "the cluster is gone"
        error = future.exception()
        if os.environ.get("HARNESS_DEBUG") and not isinstance(error, KilledWorker):
            raise error
        return KILLED if isinstance(error, KilledWorker) else f"{type(error).__name__}: {error}"

    def _fail(self, task: Task, why: str) -> None:
        self.failed[task] = why
        if task.makes is not None:
            self.broken[task.makes] = f"{task.title}, which failed"
        self.say(f"{task.title}: FAILED: {why}")
