"""A cable that is pulled, and a board that loses power. Nobody says goodbye: only silence tells."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.made.farm import Farm, fleet
from benchmarks.made.runs import measured, running, work
from benchmarks.made.sshd import SSHD
from harness.remote import connect, target
from tests.support.faults_fixtures import THREE, WAIT, Record, go, needs_root, note, until, waiting

pytestmark = [pytest.mark.slow]
NUMBER = itertools.count()


@dataclass
class Cable:
    """A board in a network namespace of its own, at the other end of a virtual cable."""

    farm: Farm
    namespace: str

    def set(self, state: str) -> None:
        subprocess.run(["ip", "netns", "exec", self.namespace, "ip", "link", "set", "board", state], check=True)


@pytest.fixture
def cable(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cable]:
    if SSHD is None or shutil.which("ip") is None:
        pytest.skip("no sshd or no ip here")
    monkeypatch.setattr(target, "SILENCE_S", 4)
    monkeypatch.setattr(connect, "RECONNECT_S", (0.5, 1.0, 2.0, 4.0))
    # the kernel removes a namespace some time after it was told to, so each test has its own names
    own = f"{os.getpid()}x{next(NUMBER)}"
    name, near = f"harness-{own}", f"hx{own}"[:15]

    def ip(*words: str, check: bool = True) -> None:
        subprocess.run(["ip", *words], check=check, capture_output=True)

    try:
        ip("netns", "add", name)
        ip("link", "add", near, "type", "veth", "peer", "name", "board", "netns", name)
        ip("addr", "add", "10.213.7.1/30", "dev", near)
        ip("link", "set", near, "up")
        ip("-n", name, "addr", "add", "10.213.7.2/30", "dev", "board")
        ip("-n", name, "link", "set", "board", "up")
    except subprocess.CalledProcessError as error:
        ip("netns", "del", name, check=False)
        pytest.skip(f"no network namespaces: {error.stderr.decode()[:100]}")
    try:
        farm = Farm(tmp_path, ["bad"], address="10.213.7.2", netns=name)
        farm.places["bad"].python(WAIT)
        try:
            yield Cable(farm, name)
        finally:
            farm.stop()
    finally:
        ip("netns", "del", name)


@needs_root
def test_the_network_is_cut_and_back(cable: Cable, tmp_path: Path, record_property: Record) -> None:
    boards = cable.farm.fleet(runtimes=["litert"])
    with running(work(boards, tmp_path / "results", **THREE)) as (told, _):
        until(waiting(cable.farm))
        cable.set("down")
        until(lambda: any("connecting again" in message for message in told.messages))
        cable.set("up")
    assert [measured(cell) for cell in told.cells["bad"]] == [True] * 3, told.said("bad")
    assert cable.farm.places["bad"].cells_started() == 4
    note(record_property, "network cut and back", "the board's end of a veth cable set down in a cell, up again once "
         "the controller has noticed", "the half-open lease is taken over, the stale runner ended; measured again: 3 "
         "of 3")  # fmt: skip


@needs_root
def test_the_network_is_cut_briefly(cable: Cable, tmp_path: Path, record_property: Record) -> None:
    boards = cable.farm.fleet(runtimes=["litert"])
    with running(work(boards, tmp_path / "results", **THREE)) as (told, _):
        until(waiting(cable.farm))
        cable.set("down")
        time.sleep(1)
        cable.set("up")
        go(cable.farm)
    assert [measured(cell) for cell in told.cells["bad"]] == [True] * 3
    note(record_property, "network cut for a second", "the same, for 1 s", "3 of 3 cells")


@needs_root
def test_the_network_is_cut_for_good(cable: Cable, tmp_path: Path, record_property: Record) -> None:
    boards = cable.farm.fleet(runtimes=["litert"])
    with running(work(boards, tmp_path / "results", **THREE)) as (told, thread):
        until(waiting(cable.farm))
        cable.set("down")
        started = time.monotonic()
        thread.join(120)
        took = time.monotonic() - started
    assert measured(told.cells["bad"][0])
    assert told.how("bad")[1:] == ["FAILED unreachable"] * 2
    assert took < 90
    note(record_property, "network cut for good", "the same, never up again (silence limit 4 s here, 20 s in use)",
         f"the finished cell stays, 2 cells FAILED unreachable, {took:.0f} s after the cut")  # fmt: skip


@pytest.mark.qemu
def test_a_board_is_powered_off(
    tmp_path: Path, cache: Path, record_property: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.emulate import requirements
    from tests.support.emulate_fixtures import boards_of

    if requirements():
        pytest.skip(f"missing: {requirements()}")
    monkeypatch.setattr(connect, "RECONNECT_S", (0.1, 0.2, 0.4))
    boards = fleet({"name": "pi4", "board": "raspberry-pi-4", "emulate": True, "runtimes": ["litert"]})
    with running(work(boards, tmp_path / "results", **THREE)) as (told, _):
        assert told.ended.acquire(timeout=900)  # the first cell; on a fresh machine the image is built before it
        assert told.started.acquire(timeout=60)
        assert told.started.acquire(timeout=60)  # the second has begun
        (pid,) = boards_of(cache)
        os.kill(pid, signal.SIGKILL)
    assert told.how("pi4")[0] == "VALID", told.said("pi4")
    assert told.how("pi4")[1:] == ["FAILED emulator"] * 2
    note(record_property, "board powered off in a cell", "a QEMU Raspberry Pi 4 ended by kill -9 in its second cell",
         "the finished cell stays VALID; 2 cells FAILED emulator, 'has ended'")  # fmt: skip
