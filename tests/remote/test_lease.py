"""One controller at a time, and none for ever."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness.core.errors import ConnectionLostError, LeaseError
from harness.remote.base import Command, Connection
from harness.remote.lease import Lease
from harness.remote.local import LocalConnection
from harness.remote.ssh import SshConnection
from tests.support.loopback import target
from tests.support.sshd_fixtures import Sshd


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


#: A board's calendar, off by so many seconds.
OFF = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(id, t);
    if (id == CLOCK_REALTIME) t->tv_sec += SECONDS;
    return r;
}
"""


@pytest.mark.parametrize("years", [-10, 10])
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_calendar_that_is_years_off_changes_nothing(sshd: Sshd, years: int) -> None:
    """A Pi without a battery wakes up in another year, and may be put right in the middle of a lease."""
    (sshd.folder / "off.c").write_text(OFF)
    library = sshd.folder / "off.so"
    seconds = f"-DSECONDS=({years * 365 * 86400}L)"
    subprocess.run(["cc", seconds, "-shared", "-fPIC", "-o", library, sshd.folder / "off.c", "-ldl"], check=True)
    python = shutil.which("python3", path=os.defpath) or shutil.which("python3")
    off = sshd.bin / "python3"
    off.write_text(f'#!/bin/sh\nLD_PRELOAD={library} exec {python} "$@"\n')
    off.chmod(0o755)
    first, second, third = (SshConnection(target(sshd)) for _ in range(3))
    said = first.run(Command(["python3", "-c", "import time; print(time.time())"], timeout_s=30)).stdout
    assert abs(float(said) - time.time()) > 9 * 365 * 86400
    with Lease(first) as lease:
        lease.renew(60)
        with pytest.raises(LeaseError, match="in use by"):
            Lease(second)
        off.unlink()  # the clock is put right
        with pytest.raises(LeaseError, match="in use by"):
            Lease(third)
        lease.renew(60)
    with Lease(second, wait_s=10):
        pass
    for connection in (first, second, third):
        connection.close()
