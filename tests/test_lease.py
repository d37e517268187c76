"""One controller at a time, and none for ever."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from harness.errors import ConnectionLostError, LeaseError
from harness.lease import Lease
from harness.transport.base import Connection
from harness.transport.local import LocalConnection
from harness.transport.ssh import SshConnection
from tests.sshd_fixtures import Sshd
from tests.test_transport import target


@pytest.fixture(params=["local", "ssh"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Connection, Connection]:
    """Two controllers' connections to one board."""
    if request.param == "local":
        return LocalConnection("here", tmp_path / "r"), LocalConnection("here", tmp_path / "r")
    sshd: Sshd = request.getfixturevalue("sshd")
    return SshConnection(target(sshd)), SshConnection(target(sshd))


def test_the_second_is_told_who_has_it(pair: tuple[Connection, Connection]) -> None:
    first, second = pair
    with Lease(first), pytest.raises(LeaseError, match=r"in use by .*@.* pid \d+"):
        Lease(second)
    with Lease(second):
        pass
    for connection in pair:
        connection.close()


def test_waiting_helps(pair: tuple[Connection, Connection]) -> None:
    first, second = pair
    lease = Lease(first)
    timer = threading.Timer(1.0, lease.close)
    timer.start()
    with Lease(second, wait_s=20):
        pass
    timer.join()
    for connection in pair:
        connection.close()


def test_a_controller_that_vanished_loses_it(sshd: Sshd) -> None:
    first = SshConnection(target(sshd))
    Lease(first)
    first.close()  # as if it had been killed: nothing is said to the board
    with Lease(SshConnection(target(sshd)), wait_s=10):
        pass


def test_silence_ends_it_by_the_boards_clock(tmp_path: Path) -> None:
    board = LocalConnection("here", tmp_path / "r")
    lease = Lease(board)
    lease._held.write(b"0.3\n")
    with Lease(board, wait_s=10):
        time.sleep(0.1)
        with pytest.raises(ConnectionLostError):
            lease.renew(1)
    lease.close()
