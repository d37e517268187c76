"""A prepared device: reached (or booted), probed, and supplied with the runner, a runtime and the files it needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.boards.coral import check_compiler_log
from harness.config.devices import Device
from harness.core.errors import ProvisionError
from harness.modelfile.boards import platform_like
from harness.records.cell import Reason
from harness.remote.base import Command, Connection
from harness.remote.connect import ReachedBoard, Reaching, Say, Wait, check_space, reached
from harness.remote.lease import Lease
from harness.remote.probe import Probe, send, send_s, stored
from harness.remote.runner_file import runner_file, runner_sha256
from harness.run.forks import Forks
from harness.run.images import TestSet
from harness.run.measure import Prepared
from harness.run.plan import CellJob, InputsKey
from harness.runtimes import onboard, registry, wheels
from harness.runtimes.registry import RUNTIMES

#: How long the lease lasts while the board checks its store, or while wheels are fetched; in seconds.
LOOK_S = 600.0


@dataclass(eq=False)
class Session:
    """An open device and the files that were put on it.

    ``sent`` counts bytes of artifacts (models, images, wheels, runner) sent in this session.
    """

    device: Device
    board: ReachedBoard
    say: Say
    sent: dict[str, int] = field(default_factory=dict)
    #: the folders on the board that hold a runtime and its dependencies
    #: measure the rounds of cells that a process of its own has measured once
    forks: Forks = field(default_factory=Forks)
    _packages: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def connection(self) -> Connection:
        """The current connection; :meth:`ReachedBoard.reconnect` replaces it."""
        return self.board.connection

    @property
    def lease(self) -> Lease:
        """The lease of the current connection."""
        return self.board.lease

    @property
    def probe(self) -> Probe:
        """The board's description."""
        return self.board.probe

    def resolve(self, jobs: list[CellJob]) -> tuple[list[CellJob], list[Reason]]:
        """Drop the jobs whose runtime was not requested by name and doesn't exist for this board, with the reason; give
        those for an Edge TPU their compiled networks.
        """
        available = wheels.available(self.probe.platform)
        kept, dropped = [], {}
        for job in jobs:
            given = self.device.runtimes is not None or job.delegate in onboard.DELEGATES
            if not given and self.runtime_for(job) not in available:
                try:
                    wheels.choose(job.runtime, self.probe.platform)
                except ProvisionError as error:
                    dropped[job.runtime] = Reason(code="no-runtime", text=f"{self.device.name}: {error}")
                continue
            kept.append(self._compiled(job))
        if jobs and not kept:
            raise ProvisionError("; ".join(reason.text for reason in dropped.values()))
        return kept, list(dropped.values())

    def _compiled(self, job: CellJob) -> CellJob:
        """The job with its network compiled for its delegate, if needed. If that is impossible the job stays as it is:
        it runs on the CPU then, and its verdict says so.
        """
        compiler = registry.compiler(job.delegate)
        if compiler is None:
            return job
        label = job.shipped.label
        compiled = compiler.compiled(job.shipped.path, job.shipped.artifact.sha256)
        if compiled is None:
            self.say(f"{compiler.program()} is not installed here: {label} is not compiled for {compiler.target}")
            return job
        for check in check_compiler_log(compiled.log):
            self.say(f"{label}: {check.text}")
        if compiled.model is None:
            return job
        size = compiled.model.stat().st_size
        artifact = job.shipped.artifact.model_copy(update={"sha256": compiled.sha256, "bytes": size})
        before = job.shipped.artifact, job.shipped.path
        shipped = replace(job.shipped, artifact=artifact, path=compiled.model, compiled_from=before)
        return replace(job, shipped=shipped)

    def runtime_for(self, job: CellJob) -> str:
        """The runtime that will run a job here. Another one may replace it, unless it was requested by name."""
        return runtime_on(job, wheels.available(self.probe.platform))

    def deploy(self, jobs: list[CellJob], tests: Mapping[InputsKey, TestSet]) -> None:
        """Put everything these jobs need on the board; files that are there already (by content hash) are not sent
        again.

        Raises:
            ProvisionError, TransportError: see :mod:`harness.remote.probe`.
        """
        files: dict[str, Path] = {f"object:{runner_sha256()}": runner_file(), **artifacts(jobs)}
        for job in jobs:
            test = tests[job.inputs]
            files[f"object:{test.file_sha256}"] = test.file
        self.lease.renew(LOOK_S)
        for runtime in sorted({self.runtime_for(job) for job in jobs if job.delegate not in onboard.DELEGATES}):
            bundle = wheels.choose(runtime, self.probe.platform)
            for wheel, path in zip(bundle.wheels, wheels.fetch(bundle, progress=self.say), strict=True):
                files[f"wheel:{wheel.sha256}"] = path
            self._packages[runtime] = tuple(f"{self.connection.root}/wheels/{wheel.sha256}" for wheel in bundle.wheels)
        self.lease.renew(LOOK_S)
        sent = self._send_missing(files)
        for runtime, folders in self._packages.items():
            new = any(f"wheel:{folder.rpartition('/')[2]}" in sent for folder in folders)
            if new or (self.device.emulate and not self._compiled_there(folders)):
                self._first_import(runtime, folders)

    def _send_missing(self, files: Mapping[str, Path]) -> set[str]:
        """Send the files that the board lacks; returns the names of those that were sent."""
        present = stored(self.connection, list(files))
        missing = {name: path for name, path in files.items() if name not in present}
        total = sum(path.stat().st_size for path in missing.values())
        if missing:
            check_space(self.connection, self.probe, total)
            self.say(f"sending {len(missing)} files, {total / 1e6:.1f} MB")
        for name, path in missing.items():
            self.lease.renew(send_s(path.stat().st_size))
            self.sent[name] = send(self.connection, name, path)
        return set(missing)

    def _compiled_there(self, folders: Sequence[str]) -> bool:
        """Whether Python's compiled files lie beside every package; a board's storage may come without them."""
        look = 'for f do set -- "$f"/*/__pycache__; [ -e "$1" ] || exit 1; done'
        return self.connection.run(Command(["sh", "-c", look, "sh", *folders], LOOK_S)).returncode == 0

    def _first_import(self, runtime: str, folders: tuple[str, ...]) -> None:
        """Import a runtime once, so that Python compiles its modules before the first cell.

        Otherwise the memory layout of the first cell would differ from that of all later ones: an emulated Jetson Nano
        counts 0.06 % fewer instructions in it. If a runtime can't be imported, the runner reports it.
        """
        self.lease.renew(LOOK_S)
        program = f"import sys; sys.path[:1] = sys.argv[1:]; import numpy, {RUNTIMES[runtime].module}"
        self.connection.run(Command(["python3", "-s", "-c", program, *folders], LOOK_S))

    def prepared(self, job: CellJob, test: TestSet) -> Prepared:
        """The paths on the board for a job."""
        objects = f"{self.connection.root}/objects"
        runtime = self.runtime_for(job)
        ours = job.delegate not in onboard.DELEGATES
        return Prepared(
            runner=f"{objects}/{runner_sha256()}",
            model=f"{objects}/{job.shipped.artifact.sha256}",
            inputs=f"{objects}/{test.file_sha256}",
            packages=self._packages[runtime] if ours else onboard.packages(self.connection.home, self.probe.python),
            runtime=runtime,
        )


def artifacts(jobs: Sequence[CellJob]) -> dict[str, Path]:
    """The models of these jobs: the store's name of each, and the local file."""
    return {f"object:{job.shipped.artifact.sha256}": job.shipped.path for job in jobs}


def runtime_on(job: CellJob, published: Collection[str]) -> str:
    """The runtime that will run a job where these are published. Another one may replace the job's, unless it was
    requested by name.
    """
    return job.runtime if job.device.runtimes is not None else registry.fitting(job.runtime, published)


def storage(jobs: Sequence[CellJob], say: Say) -> dict[str, Path]:
    """The initial contents of a new emulated board's storage: runtimes and models.

    The runner and the images are sent over SSH in any case. Empty where a runtime can't be downloaded; the deployment
    says why, and also which runtime does not exist for the board.
    """
    contents = artifacts(jobs)
    system = jobs[0].device.emulated_system
    assert system is not None, "only emulated boards' storage can be filled beforehand"
    platform = platform_like(system)
    published = wheels.available(platform)
    runtimes = {runtime_on(job, published) for job in jobs if job.delegate not in onboard.DELEGATES}
    for runtime in sorted(runtimes):
        try:
            bundle = wheels.choose(runtime, platform)
        except ProvisionError:
            continue
        try:
            for wheel, path in zip(bundle.wheels, wheels.fetch(bundle, progress=say), strict=True):
                contents[f"wheel:{wheel.sha256}"] = path
        except ProvisionError:
            return {}
    return contents


def measured(job: CellJob, sha256: str) -> bool:
    """Whether a cell of this job measured that file: the artifact, or the delegate compiler's output for it."""
    if sha256 == job.shipped.artifact.sha256:
        return True
    compiler = registry.compiler(job.delegate)
    made = compiler.compiled(job.shipped.path, job.shipped.artifact.sha256) if compiler else None
    return made is not None and made.sha256 == sha256


@contextmanager
def open_session(
    device: Device,
    say: Say,
    wait: Wait,
    *,
    jobs: Sequence[CellJob] = (),
    opened: Callable[[Connection], object] = lambda _connection: None,
    plugin: str | None = None,
) -> Iterator[Session]:
    """Reach a device, booting it if it is emulated. On exit everything is closed and an emulated board is shut down.

    Args:
        jobs: the cells to measure; a new emulated board's storage is filled for them.
        opened: receives each connection, so that it can be closed while something waits on it.
        plugin: the plugin that an emulated board's QEMU loads.

    Raises:
        EmulatorError, TransportError, ProvisionError, LeaseError.
    """
    reaching = Reaching(
        say,
        contents=lambda: storage(jobs, say) if jobs else {},
        ended=lambda: wait(0),
        plugin=plugin,
        opened=opened,
    )
    with reached(device, reaching, wait) as board:
        session = Session(device, board, say)
        try:
            yield session
        finally:
            session.forks.end()
