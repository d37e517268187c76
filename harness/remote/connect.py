"""A board is reached (or booted), described and leased; and reached again when its connection breaks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harness.config.devices import Device
from harness.core.errors import ConnectionLostError, EmulatorError, ProvisionError, TransportError, UnreachableError
from harness.core.paths import cache_dir
from harness.core.safetext import clean
from harness.remote import place
from harness.remote.base import Connection
from harness.remote.lease import Lease
from harness.remote.local import LocalConnection
from harness.remote.probe import Probe, probe
from harness.remote.ssh import SshConnection
from harness.remote.target import SshTarget, ssh_target
from harness.runtimes import onboard

_T = TypeVar("_T")
Say = Callable[[str], None]
#: Waits for so many seconds; returns true when there is no point in going on.
Wait = Callable[[float], bool]
#: The initial contents of a new emulated board's storage, by the store's names; called only when one is booted.
Contents = Callable[[], Mapping[str, Path]]

#: Pauses between attempts to reach a board: at the start, and after its connection broke, since it may be booting
#: again.
CONNECT_S = (1.0, 2.0)
RECONNECT_S = (1.0, 2.0, 4.0, 8.0, 15.0)
#: How long to wait at the start for another controller's lease, and after a broken connection for our own earlier one,
#: since the board may not have noticed its end yet.
_LEASE_S = 5.0
_LEASE_AGAIN_S = 30.0


def _nobody(_connection: Connection) -> None:
    """Ignore the connection; for callers that need not close it."""


@dataclass(frozen=True)
class Reaching:
    """How a board is reached.

    Attributes:
        say: receives a line for a person at each step.
        timeout_s: how long one attempt to connect may take.
        contents: the initial contents of a new emulated board's storage.
        ended: called now and then while a board boots; when it returns true, waiting stops.
        plugin: the plugin that an emulated board's QEMU loads.
        opened: receives each connection, so that it can be closed while something waits on it.
        token: of a lease that an earlier process of the same run may still hold, and that is taken over from it.
    """

    say: Say
    timeout_s: float = 20.0
    contents: Contents = dict
    ended: Callable[[], bool] = lambda: False
    plugin: str | None = None
    opened: Callable[[Connection], object] = _nobody
    token: str | None = None


@dataclass(eq=False)
class ReachedBoard:
    """A connected, described and leased board. ``connect`` opens a new connection to the same board."""

    connect: Callable[[], Connection]
    connection: Connection
    lease: Lease
    probe: Probe
    wait: Wait
    #: The connection broke, or a program may still be running there: reconnect before the next cell.
    suspect: bool = False

    def reconnect(self) -> None:
        """Replace a broken connection and take the lease again, which ends the programs that the old connection left
        running.

        Raises:
            BoardError: the board can't be reached, or another board answers.
        """
        self.close()
        self.connection, self.lease = patiently(self._again, RECONNECT_S, self.wait)
        self.suspect = False

    def _again(self) -> tuple[Connection, Lease]:
        connection = self.connect()
        try:
            return connection, Lease(connection, wait_s=_LEASE_AGAIN_S, in_line=self.wait, token=self.lease.token)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Release the board; never raises."""
        self.lease.close()
        self.connection.close()


@contextmanager
def reached(device: Device, reaching: Reaching, wait: Wait) -> Iterator[ReachedBoard]:
    """Reach a device, booting it if it is emulated. On exit everything is closed and an emulated board is shut down.

    Raises:
        EmulatorError, TransportError, ProvisionError, LeaseError.
    """
    with connecting(device, reaching) as connect:
        board = _opened(device, connect, wait, reaching.token)
        try:
            yield board
        finally:
            board.close()


def _opened(device: Device, connect: Callable[[], Connection], wait: Wait, token: str | None) -> ReachedBoard:
    """Connect, probe and lease; start over once if the connection breaks meanwhile."""

    def attempt() -> ReachedBoard:
        connection = connect()
        try:
            seen = usable(connection, device, probe(connection))  # first, since it reports a missing Python
            lease = Lease(connection, wait_s=_LEASE_S, in_line=wait, token=token)
            return ReachedBoard(connect=connect, connection=connection, lease=lease, probe=seen, wait=wait)
        except BaseException:
            connection.close()
            raise

    return patiently(attempt, CONNECT_S, wait)


def patiently(connect: Callable[[], _T], pauses: Sequence[float], wait: Wait) -> _T:
    """Connect, and retry after each pause while there is no answer. A changed host key or a refused login is never
    retried.

    Raises:
        TransportError: the error of the last attempt.
    """
    for pause in pauses:
        try:
            return connect()
        except (UnreachableError, ConnectionLostError):
            if wait(pause):
                raise
    return connect()


def usable(connection: Connection, device: Device, seen: Probe) -> Probe:
    """The board's description, if a runtime can be loaded from the harness's folder or if none is needed there.

    Raises:
        PlaceError: no runtime can be loaded from that folder.
    """
    if seen.no_exec is not None and not onboard.DELEGATES.issuperset(device.delegates):
        raise place.no_exec(connection.label, connection.root, seen.no_exec)
    return seen


def check_space(connection: Connection, seen: Probe, size: int) -> None:
    """Make sure that the board has space to receive and unpack files of ``size`` bytes in all.

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
def connecting(device: Device, reaching: Reaching) -> Iterator[Callable[[], Connection]]:
    """Provide a function that opens connections to a device. An emulated board runs until the ``with`` block ends.

    Raises:
        EmulatorError: it can't be booted. The function itself raises TransportError.
    """

    def noted(connect: Callable[[], Connection]) -> Connection:
        connection = connect()
        reaching.opened(connection)
        return connection

    if device.emulate:
        with _emulated(device, reaching) as connect:
            yield lambda: noted(connect)
        return
    connect = _local(device) if device.local else _network(device, reaching.timeout_s)
    yield lambda: noted(connect)


def _local(device: Device) -> Callable[[], Connection]:
    root = Path(device.dir).expanduser() if device.dir else cache_dir() / "local" / device.name
    # The base interpreter, not the controller's environment: the board's runtime must come from the store alone.
    python = str(getattr(sys, "_base_executable", sys.executable))
    return lambda: LocalConnection(device.name, root, python=python)


def _network(device: Device, timeout_s: float) -> Callable[[], Connection]:
    if device.host is None:
        raise ProvisionError(f"{device.name}: has no address")
    target = ssh_target(device)
    return lambda: SshConnection(target, folder=device.dir, connect_timeout_s=timeout_s)


@contextmanager
def _emulated(device: Device, reaching: Reaching) -> Iterator[Callable[[], Connection]]:
    from harness.emulate import Booting, boot

    booting = Booting(
        clock=device.effective_clock,
        os=device.os,
        contents=reaching.contents(),
        plugin=reaching.plugin,
        progress=reaching.say,
        ended=reaching.ended,
    )
    with boot(device.name, device.family, booting) as board:
        target = SshTarget(
            label=device.name,
            host=board.host,
            user=board.user,
            port=board.port,
            identity_file=board.identity_file,
            known_hosts=board.known_hosts,
            use_ssh_config=False,
        )

        def reach() -> Connection:
            ended = EmulatorError(f"{device.name}: the emulated board has ended")
            if not board.alive():  # a board that has ended never answers, so waiting is useless
                raise ended
            try:
                return SshConnection(target, connect_timeout_s=reaching.timeout_s)
            except TransportError as error:
                if board.alive():
                    raise
                # the board ended during the attempt to connect; the other error only reports what was cleaned up with
                # it
                raise ended from error

        yield reach
