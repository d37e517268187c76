"""A prepared device: reached (or booted), probed, and supplied with the runner, a runtime and the files it needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

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
from harness.runtimes.releases import UNLISTED, Releases
from harness.runtimes.requested import Requested

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
    releases: Releases
    sent: dict[str, int] = field(default_factory=dict)
    #: measure the rounds of cells that a process of its own has measured once
    forks: Forks = field(default_factory=Forks)
    #: the folders on the board that hold a runtime and its dependencies
    _packages: dict[Requested, tuple[str, ...]] = field(default_factory=dict)
    #: why a runtime that was requested by name can't be sent; None where it can
    _lacking: dict[Requested, ProvisionError | None] = field(default_factory=dict)

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
        """Drop the jobs whose runtime was not requested by name and doesn't exist for this board, with the reason."""
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
            kept.append(job)
        if jobs and not kept:
            raise ProvisionError("; ".join(reason.text for reason in dropped.values()))
        return kept, list(dropped.values())

    def runtime_for(self, job: CellJob) -> str:
        """The runtime that will run a job here. Another one may replace it, unless it was requested by name."""
        return runtime_on(job, wheels.available(self.probe.platform))

    def requested_for(self, job: CellJob) -> Requested:
        """:meth:`runtime_for`, with the release where one was asked for."""
        return Requested(self.runtime_for(job), job.release)

    def lacking(self, job: CellJob) -> ProvisionError | None:
        """Why nothing can be sent of a job's runtime, which was requested by name; None where it can be sent."""
        if self.device.runtimes is None or job.delegate in onboard.DELEGATES:
            return None
        wanted = self.requested_for(job)
        if wanted not in self._lacking:
            self.lease.renew(LOOK_S)
            self._lacking[wanted] = None
            try:
                self.releases.bundle(wanted, self.probe.platform, self.say)
            except ProvisionError as error:
                self._lacking[wanted] = error
        return self._lacking[wanted]

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
        ours = [job for job in jobs if job.delegate not in onboard.DELEGATES]
        for wanted in sorted({self.requested_for(job) for job in ours}, key=str):
            bundle = self.releases.bundle(wanted, self.probe.platform, self.say)
            for wheel, path in zip(bundle.wheels, wheels.fetch(bundle, progress=self.say), strict=True):
                files[f"wheel:{wheel.sha256}"] = path
            self._packages[wanted] = tuple(f"{self.connection.root}/wheels/{wheel.sha256}" for wheel in bundle.wheels)
        self.lease.renew(LOOK_S)
        sent = self._send_missing(files)
        for wanted, folders in self._packages.items():
            new = any(f"wheel:{folder.rpartition('/')[2]}" in sent for folder in folders)
            if new or (self.device.emulate and not self._compiled_there(folders)):
                self._first_import(wanted.name, folders)

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
            packages=(
                self._packages[self.requested_for(job)]
                if ours
                else onboard.packages(self.connection.home, self.probe.python)
            ),
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


def storage(jobs: Sequence[CellJob], say: Say, releases: Releases = UNLISTED) -> dict[str, Path]:
    """The initial contents of a new emulated board's storage: runtimes and models.

    The runner and the images are sent over SSH in any case. A runtime that can't be obtained is left out; the
    deployment says why.
    """
    contents = artifacts(jobs)
    system = jobs[0].device.emulated_system
    assert system is not None, "only emulated boards' storage can be filled beforehand"
    platform = platform_like(system)
    published = wheels.available(platform)
    requested = {
        Requested(runtime_on(job, published), job.release) for job in jobs if job.delegate not in onboard.DELEGATES
    }
    for wanted in sorted(requested, key=str):
        with suppress(ProvisionError):
            bundle = releases.bundle(wanted, platform, say)
            for wheel, path in zip(bundle.wheels, wheels.fetch(bundle, progress=say), strict=True):
                contents[f"wheel:{wheel.sha256}"] = path
    return contents


@dataclass(frozen=True)
class Work:
    """What a session is opened for: the cells to measure, and where the releases that they ask for come from.

    ``token`` is that of a lease which an earlier process of the run may still hold; None where there was none.
    """

    jobs: Sequence[CellJob] = ()
    releases: Releases = UNLISTED
    token: str | None = None


@contextmanager
def open_session(
    device: Device,
    say: Say,
    wait: Wait,
    *,
    work: Work = Work(),
    opened: Callable[[Connection], object] = lambda _connection: None,
    plugin: str | None = None,
) -> Iterator[Session]:
    """Reach a device, booting it if it is emulated. On exit everything is closed and an emulated board is shut down.

    Args:
        work: what will be measured; a new emulated board's storage is filled for it.
        opened: receives each connection, so that it can be closed while something waits on it.
        plugin: the plugin that an emulated board's QEMU loads.

    Raises:
        EmulatorError, TransportError, ProvisionError, LeaseError.
    """
    reaching = Reaching(
        say,
        contents=lambda: storage(work.jobs, say, work.releases) if work.jobs else {},
        ended=lambda: wait(0),
        plugin=plugin,
        opened=opened,
        token=work.token,
    )
    with reached(device, reaching, wait) as board:
        session = Session(device, board, say, work.releases)
        try:
            yield session
        finally:
            session.forks.end()
