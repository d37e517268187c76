"""A device made ready: reached (or booted), probed, and given the runner, a runtime and the files it needs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from harness.boards.coral import check_compiler_log
from harness.config.devices import Device
from harness.core.errors import ConnectionLostError, EmulatorError, ProvisionError, TransportError, UnreachableError
from harness.core.paths import cache_dir
from harness.core.safetext import clean
from harness.records.cell import Reason
from harness.remote import place
from harness.remote.base import Connection
from harness.remote.lease import Lease
from harness.remote.local import LocalConnection
from harness.remote.probe import Probe, probe, send, send_s, stored
from harness.remote.runner_file import runner_file, runner_sha256
from harness.remote.ssh import SshConnection
from harness.remote.target import SshTarget, ssh_target
from harness.run.images import TestSet
from harness.run.measure import Prepared
from harness.run.plan import Job
from harness.runtimes import onboard as own
from harness.runtimes import registry, wheels
from harness.runtimes.registry import RUNTIMES
from harness.runtimes.wheels import Platform

_T = TypeVar("_T")
Say = Callable[[str], None]
#: Waits for so many seconds; true when there is no point in going on.
Wait = Callable[[float], bool]

#: The board stays ours for so long while it looks through its store, or while wheels are fetched; in seconds.
LOOK_S = 600.0

#: What every emulated board is, before it is booted.
EMULATED = Platform("3.11", "aarch64", (2, 36))

#: Pauses between attempts to reach a board: at the start, and after its connection broke (it may be booting again).
CONNECT_S = (1.0, 2.0)
RECONNECT_S = (1.0, 2.0, 4.0, 8.0, 15.0)


@dataclass(eq=False)
class Session:
    """An open device. ``connect`` opens a fresh connection to the same board (after one broke).

    ``sent`` counts bytes of artifacts (models, images, wheels, runner) sent in this session.
    """

    device: Device
    connection: Connection
    connect: Callable[[], Connection]
    lease: Lease
    probe: Probe
    say: Say
    wait: Wait
    sent: dict[str, int] = field(default_factory=dict)
    #: the connection broke, or something may have been left running: reconnect before the next cell
    suspect: bool = False
    #: the folders that a runtime and what it needs are in on the board
    _packages: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def reconnect(self) -> None:
        """Replace a broken connection and take the lease again, which ends what the old connection left running.

        Raises:
            BoardError: the board stays away, or is not the one it was.
        """
        self.close()
        self.connection, self.lease = patiently(self._again, RECONNECT_S, self.wait)
        self.suspect = False

    def _again(self) -> tuple[Connection, Lease]:
        connection = self.connect()
        try:
            return connection, Lease(connection, wait_s=30, in_line=self.wait, token=self.lease.token)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Let the board go; never raises."""
        self.lease.close()
        self.connection.close()

    def resolve(self, jobs: list[Job]) -> tuple[list[Job], list[Reason]]:
        """Drop the jobs whose runtime was not asked for by name and does not exist for this board, with the reason;
        give those for an Edge TPU their compiled networks."""
        fits = wheels.available(self.probe.platform)
        kept, dropped = [], {}
        for job in jobs:
            given = self.device.runtimes is not None or job.delegate in own.DELEGATES
            if not given and self.runtime_for(job) not in fits:
                try:
                    wheels.choose(job.runtime, self.probe.platform)
                except ProvisionError as error:
                    dropped[job.runtime] = Reason(code="no-runtime", text=f"{self.device.name}: {error}")
                continue
            kept.append(self._compiled(job))
        if jobs and not kept:
            raise ProvisionError("; ".join(reason.text for reason in dropped.values()))
        return kept, list(dropped.values())

    def _compiled(self, job: Job) -> Job:
        """The job with its network compiled for its delegate, if that needs it. Where it can't be done the job stays as
        it is: it runs on the CPU then, and its verdict says so."""
        compiler = registry.compiler(job.delegate)
        if compiler is None:
            return job
        found = compiler.compiled(job.shipped.path, job.shipped.artifact.sha256)
        if found is None:
            label = job.shipped.label
            self.say(f"{compiler.program()} is not installed here: {label} is not compiled for {compiler.target}")
            return job
        for check in check_compiler_log(found.log):
            self.say(f"{job.shipped.label}: {check.text}")
        if found.model is None:
            return job
        size = found.model.stat().st_size
        artifact = job.shipped.artifact.model_copy(update={"sha256": found.sha256, "bytes": size})
        return replace(job, shipped=replace(job.shipped, artifact=artifact, path=found.model))

    def runtime_for(self, job: Job) -> str:
        """The runtime that will run a job here: another may stand in, unless the runtime was asked for by name."""
        if self.device.runtimes is not None:
            return job.runtime
        return registry.fitting(job.runtime, wheels.available(self.probe.platform))

    def deploy(self, jobs: list[Job], tests: dict[int | None, TestSet]) -> None:
        """Put everything these jobs need on the board; what is there already (by content hash) is not sent again.

        Raises:
            ProvisionError, TransportError: see :mod:`harness.remote.probe`.
        """
        files: dict[str, Path] = {f"object:{runner_sha256()}": runner_file(), **artifacts(jobs)}
        for job in jobs:
            test = tests[job.samples]
            files[f"object:{test.file_sha256}"] = test.file
        self.lease.renew(LOOK_S)
        for runtime in sorted({self.runtime_for(job) for job in jobs if job.delegate not in own.DELEGATES}):
            bundle = wheels.choose(runtime, self.probe.platform)
            for wheel, path in zip(bundle.wheels, wheels.fetch(bundle, progress=self.say), strict=True):
                files[f"wheel:{wheel.sha256}"] = path
            self._packages[runtime] = tuple(f"{self.connection.root}/wheels/{wheel.sha256}" for wheel in bundle.wheels)
        self.lease.renew(LOOK_S)
        here = stored(self.connection, list(files))
        missing = {name: path for name, path in files.items() if name not in here}
        total = sum(path.stat().st_size for path in missing.values())
        if missing:
            check_space(self.connection, self.probe, total)
            self.say(f"sending {len(missing)} files, {total / 1e6:.1f} MB")
        for name, path in missing.items():
            self.lease.renew(send_s(path.stat().st_size))
            self.sent[name] = send(self.connection, name, path)
        for runtime, folders in self._packages.items():
            sent = any(f"wheel:{folder.rpartition('/')[2]}" in missing for folder in folders)
            if sent or (self.device.emulate and not self._compiled_there(folders)):
                self._first_import(runtime, folders)

    def _compiled_there(self, folders: Sequence[str]) -> bool:
        """Whether Python's compiled files lie beside every package; a board's storage may come without them."""
        look = 'for f do set -- "$f"/*/__pycache__; [ -e "$1" ] || exit 1; done'
        return self.connection.run(["sh", "-c", look, "sh", *folders], timeout_s=LOOK_S).returncode == 0

    def _first_import(self, runtime: str, folders: tuple[str, ...]) -> None:
        """Python compiles a module when it is first imported. That is not the first cell's to do: its memory would lie
        elsewhere than in all later ones, and an emulated Jetson Nano counts 0.06 % fewer instructions in it. What may
        be wrong with the runtime is for the runner to say."""
        self.lease.renew(LOOK_S)
        program = f"import sys; sys.path[:1] = sys.argv[1:]; import numpy, {RUNTIMES[runtime].module}"
        self.connection.run(["python3", "-s", "-c", program, *folders], timeout_s=LOOK_S)

    def prepared(self, job: Job, test: TestSet) -> Prepared:
        """Where things lie on the board for a job."""
        objects = f"{self.connection.root}/objects"
        runtime = self.runtime_for(job)
        ours = job.delegate not in own.DELEGATES
        return Prepared(
            runner=f"{objects}/{runner_sha256()}",
            model=f"{objects}/{job.shipped.artifact.sha256}",
            inputs=f"{objects}/{test.file_sha256}",
            packages=self._packages[runtime] if ours else own.packages(self.connection.home, self.probe.python),
            runtime=runtime,
        )


def artifacts(jobs: Sequence[Job]) -> dict[str, Path]:
    """The models of these jobs: the store's name of each, and the file here."""
    return {f"object:{job.shipped.artifact.sha256}": job.shipped.path for job in jobs}


def storage(jobs: Sequence[Job], say: Say) -> dict[str, Path]:
    """What a new emulated board's storage may hold from the start: runtimes and models. The runner and the images go
    over SSH in any case. Empty where a runtime can't be had: what deploys says why."""
    found = artifacts(jobs)
    try:
        for runtime in sorted({job.runtime for job in jobs if job.delegate not in own.DELEGATES}):
            bundle = wheels.choose(runtime, EMULATED)
            for wheel, path in zip(bundle.wheels, wheels.fetch(bundle, progress=say), strict=True):
                found[f"wheel:{wheel.sha256}"] = path
    except ProvisionError:
        return {}
    return found


def measured(job: Job, sha256: str) -> bool:
    """Whether a cell of this job measured that file: the artifact, or what its delegate's compiler makes of it."""
    if sha256 == job.shipped.artifact.sha256:
        return True
    compiler = registry.compiler(job.delegate)
    made = compiler.compiled(job.shipped.path, job.shipped.artifact.sha256) if compiler else None
    return made is not None and made.sha256 == sha256


def patiently(connect: Callable[[], _T], pauses: Sequence[float], wait: Wait) -> _T:
    """Connect, and again after each pause while nobody answers. Another host key or a refused login is never retried.

    Raises:
        TransportError: the last attempt's.
    """
    for pause in pauses:
        try:
            return connect()
        except (UnreachableError, ConnectionLostError):
            if wait(pause):
                raise
    return connect()


@contextmanager
def open_session(
    device: Device,
    say: Say,
    wait: Wait,
    jobs: Sequence[Job] = (),
    opened: Callable[[Connection], object] = lambda _connection: None,
) -> Iterator[Session]:
    """Reach a device, booting it if it is emulated; everything is closed (and the emulated board ended) on the way out.

    ``jobs``: what is to be measured; a new emulated board's storage is filled for it. ``opened`` is told of each
    connection, so that it can be closed under whatever waits for it.

    Raises:
        EmulatorError, TransportError, ProvisionError.
    """
    with connecting(device, say, jobs=jobs, ended=lambda: wait(0)) as connect:

        def noted() -> Connection:
            connection = connect()
            opened(connection)
            return connection

        session = _opened(device, noted, say, wait)
        try:
            yield session
        finally:
            session.close()


def _opened(device: Device, connect: Callable[[], Connection], say: Say, wait: Wait) -> Session:
    """Connected, probed and leased; from the beginning once more where the connection breaks meanwhile."""

    def attempt() -> Session:
        connection = connect()
        try:
            seen = look(connection, device)  # first: where there is no Python, it says so
            lease = Lease(connection, wait_s=5, in_line=wait)
            return Session(device, connection, connect, lease, seen, say, wait)
        except BaseException:
            connection.close()
            raise

    return patiently(attempt, CONNECT_S, wait)


def look(connection: Connection, device: Device) -> Probe:
    """What a board is, and whether a run has what it needs there: Python, and a folder to write to and load from.

    Raises:
        ProvisionError, PlaceError, TransportError: it has not.
    """
    return usable(connection, device, probe(connection))


def usable(connection: Connection, device: Device, seen: Probe) -> Probe:
    """The board as described, if a runtime can be loaded from the harness's folder or none of ours is needed.

    Raises:
        PlaceError: else.
    """
    if seen.no_exec is not None and not own.DELEGATES.issuperset(device.delegates):
        raise place.no_exec(connection.label, connection.root, seen.no_exec)
    return seen


def check_space(connection: Connection, seen: Probe, size: int) -> None:
    """Whether files of so many bytes in all can be sent and unpacked.

    Raises:
        ProvisionError: there is not enough space.
    """
    needed = 4 * size + (64 << 20)
    if seen.disk_free_bytes < needed:
        raise ProvisionError(
            f"{connection.label}: needs {needed >> 20} MiB of disk, has {seen.disk_free_bytes >> 20} MiB",
            fix=f"free space under {clean(connection.root)}, or name another folder with 'dir:' in devices.yaml",
        )


@contextmanager
def connecting(
    device: Device,
    say: Say,
    *,
    timeout_s: float = 20.0,
    jobs: Sequence[Job] = (),
    ended: Callable[[], bool] = lambda: False,
) -> Iterator[Callable[[], Connection]]:
    """A function that opens connections to a device. An emulated board is up until the ``with`` block ends.

    Raises:
        EmulatorError: it can't be booted. The function itself raises TransportError.
    """
    with ExitStack() as stack:
        yield _connector(device, say, stack, timeout_s, jobs, ended)


def _connector(
    device: Device, say: Say, stack: ExitStack, timeout_s: float, jobs: Sequence[Job], ended: Callable[[], bool]
) -> Callable[[], Connection]:
    if device.local:
        root = Path(device.dir).expanduser() if device.dir else cache_dir() / "local" / device.name
        # The base interpreter, not the controller's environment: the board's runtime must come from the store alone.
        python = str(getattr(sys, "_base_executable", sys.executable))
        return lambda: LocalConnection(device.name, root, python=python)
    if device.emulate:
        from harness.emulate import boot

        contents = storage(jobs, say) if jobs else {}  # by hash: what a new board's storage holds at once
        board = stack.enter_context(
            boot(
                device.name, device.family, clock=device.effective_clock, progress=say, contents=contents, ended=ended
            )
        )  # fmt: skip
        target = SshTarget(
            device.name,
            board.host,
            board.user,
            board.port,
            board.identity_file,
            board.known_hosts,
            use_ssh_config=False,
        )

        def reach() -> Connection:
            ended = EmulatorError(f"{device.name}: the emulated board has ended")
            if not board.alive():  # never comes back, so not worth waiting for
                raise ended
            try:
                return SshConnection(target, connect_timeout_s=timeout_s)
            except TransportError as error:
                if board.alive():
                    raise
                raise ended from error  # while we knocked; the complaint is about what was tidied up with it

        return reach
    if device.host is None:
        raise ProvisionError(f"{device.name}: has no address")
    target = ssh_target(device)
    return lambda: SshConnection(target, folder=device.dir, connect_timeout_s=timeout_s)
