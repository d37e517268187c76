"""Dropbear, the SSH server of small boards (Yocto, Buildroot, OpenWrt): it takes short commands only."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.strangers import Stranger, World
from harness.doctor.probe import PROBE
from harness.remote.probe import agent_call
from harness.remote.shell import Frame
from harness.runtimes.wheels import table
from tests.strange.cases import only
from tests.strange.conftest import Board

#: Dropbear's MAX_CMD_LEN, and what a home folder with a long name may take of it.
MOST, LONG = 9000, "/home/ubuntu/" + "x" * 100


def test_no_command_is_too_long() -> None:
    names = [f"wheel:{wheel.sha256}" for bundle in table() for wheel in bundle.wheels]
    for command, *args in (("probe",), ("check", "me@here pid 1", "token", "30000", *names), ("have", *names[:20])):
        argv, _ = agent_call(command, LONG, *args)
        assert len(Frame().command(argv)) < MOST
    assert len(Frame().command(["sh", "-c", PROBE], {"HARNESS_DIR": LONG, "HARNESS_GPU": "none"})) < MOST


@pytest.fixture(scope="module")
def dropbear(world: World) -> Iterator[tuple[str, int]]:
    program = shutil.which("dropbear", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        pytest.skip("no dropbear here (tools/system-packages sshd)")
    key = world.folder / "dropbear-key"
    subprocess.run(["dropbearkey", "-t", "ed25519", "-f", str(key)], check=True, capture_output=True)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with Path(world.folder / "dropbear-log").open("wb") as log:
        process = subprocess.Popen([program, "-F", "-E", "-r", str(key), "-p", f"127.0.0.1:{port}"], stderr=log)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield "127.0.0.1", port
    process.kill()
    process.wait()


def test_a_cell_on_a_board_with_dropbear(dropbear: tuple[str, int], world: World, board: Board) -> None:
    stranger: Stranger = world.stranger()
    board.account.authorize(stranger.make_key())
    host, port = dropbear
    device = {"name": "small", "host": host, "port": port, "user": board.account.name, "runtimes": ["litert"]}
    accept = ["-o", "StrictHostKeyChecking=accept-new", "-p", str(port), f"{board.account.name}@{host}", "true"]
    assert stranger.ssh(*accept).returncode == 0
    devices = stranger.list_boards(device)
    found = only(stranger.doctor(devices))
    assert found.healthy, found
    measured = only(stranger.measure(devices))
    assert measured.healthy, measured
