"""Thirteen faults, each really produced. No finished cell is lost, no wrong number becomes VALID, other cells go on.

``python benchmarks/faults.py`` prints the table. Boards are loopback sshds with a stand-in for the runner where the
controller, the network or the lease is on trial; the real runner where its own end is. The emulated board, network
namespaces, mounts and control groups need root (or QEMU): without, those tests are skipped and say so.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from benchmarks.made.checkout import environment
from benchmarks.made.farm import Farm
from benchmarks.made.runs import execute, measured, running, work
from benchmarks.made.sshd import make_key
from harness.core.errors import StoreError
from harness.core.files import sha256_file
from harness.remote import connect
from harness.results import store
from harness.run import attempt
from tests.conftest import MODELS
from tests.support.faults_fixtures import (
    THREE,
    WAIT,
    Record,
    devices,
    farm,
    go,
    needs_root,
    note,
    short_pauses,
    until,
    waiting,
)

__all__ = ["farm", "short_pauses"]  # fixtures


def test_sshd_killed_and_back(
    farm: Farm, tmp_path: Path, record_property: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "RECONNECT_S", (0.25,) * 60)  # a busy machine may need seconds to start the server
    farm.places["bad"].python(WAIT)
    with running(work(devices(farm), tmp_path / "results", **THREE)) as (told, _):
        until(waiting(farm))
        farm.kill("bad")
        go(farm)
        time.sleep(0.3)
        farm.start("bad")
    assert [measured(cell) for cell in told.cells["bad"]] == [True] * 3
    assert farm.places["bad"].cells_started() == 4  # the one that was cut is measured again, from its beginning
    assert [measured(cell) for cell in told.cells["good"]] == [True] * 3
    note(record_property, "sshd killed", "kill -9 of server and sessions in a cell; started again 0.3 s later",
         "reconnected; the cell measured again; 3 of 3 cells")  # fmt: skip


@pytest.mark.slow
def test_sshd_killed_for_good(farm: Farm, tmp_path: Path, record_property: Record) -> None:
    farm.places["bad"].python(WAIT)
    with running(work(devices(farm), tmp_path / "results", **THREE)) as (told, _):
        until(waiting(farm))
        farm.kill("bad")
    assert told.how("bad")[1:] == ["FAILED unreachable"] * 2
    assert measured(told.cells["bad"][0])
    assert [measured(cell) for cell in told.cells["good"]] == [True] * 3
    note(record_property, "sshd killed for good", "kill -9 of server and sessions in a cell, never started again",
         "the finished cell stays; 2 cells FAILED unreachable; the other board 3 of 3")  # fmt: skip


def test_an_upload_is_corrupted(farm: Farm, tmp_path: Path, record_property: Record) -> None:
    damage = """
if command == "receive":
    if sys.argv[5].startswith("object") and count("received") == 1:
        data = bytearray(sys.stdin.buffer.read())
        data[len(data) // 2] ^= 1
        import subprocess
        sys.exit(subprocess.run(["{python}"] + sys.argv[1:], input=bytes(data)).returncode)
if command == "have":
    names = [n for n in sys.argv[5:] if n.startswith("wheel")]
    root = sys.argv[4]
    names += [n for n in sys.argv[5:] if os.path.exists(os.path.join(root, "objects", n[7:]))]
    sys.exit(print(json.dumps({"have": names})))
"""
    farm.places["bad"].python("time.sleep(0.1)", agent=damage.replace("{python}", sys.executable))
    _, told = execute(devices(farm), tmp_path / "results")
    assert measured(told.cells["bad"][0])
    assert any("sending again" in message and "SHA-256" in message for message in told.messages)
    objects = farm.places["bad"].root / "objects"
    assert all(sha256_file(path) == path.name for path in objects.iterdir())
    note(record_property, "upload corrupted", "one bit of the first file flipped on its way to the board's disk",
         "found by SHA-256 on the board, sent again; the cell is measured")  # fmt: skip


@pytest.mark.slow
def test_an_upload_is_corrupted_every_time(farm: Farm, tmp_path: Path, record_property: Record) -> None:
    damage = """
if command == "receive":
    sys.stdin.buffer.read()
    sys.exit(print(json.dumps({"error": "ValueError: arrived with SHA-256 0", "errno": None})))
if command == "have":
    sys.exit(print(json.dumps({"have": []})))
"""
    farm.places["bad"].python(agent=damage)
    _, told = execute(devices(farm), tmp_path / "results")
    assert told.how("bad") == ["FAILED transfer"]
    assert sum("sending again" in message for message in told.messages) == attempt.RETRIES
    note(record_property, "upload corrupted every time", "as above, for every file", "FAILED transfer after 3 attempts")


def test_the_host_key_changes_on_the_way(farm: Farm, tmp_path: Path, record_property: Record) -> None:
    farm.places["bad"].python(WAIT)
    make_key(farm.folder / "impostor")
    with running(work(devices(farm), tmp_path / "results", **THREE)) as (told, _):
        until(waiting(farm))
        farm.kill("bad")
        farm.start("bad", host_key="impostor")
    assert measured(told.cells["bad"][0])
    assert told.how("bad")[1:] == ["FAILED host-key"] * 2
    assert "CHANGED" in told.said("bad")
    assert farm.places["bad"].cells_started() == 2
    note(record_property, "host key changed", "the server replaced by one with another key, in a cell",
         "refused, not retried, nothing sent to it; 2 cells FAILED host-key; the finished one stays")  # fmt: skip


@pytest.mark.slow
def test_two_controllers(farm: Farm, tmp_path: Path, record_property: Record) -> None:
    farm.places["bad"].python(WAIT)
    with running(work(devices(farm, "bad"), tmp_path / "one", **THREE)) as (first, _):
        until(waiting(farm))
        outcome, second = execute(devices(farm, "bad"), tmp_path / "two")
        go(farm)
    assert second.how("bad") == ["FAILED lease"]
    assert f"pid {os.getpid()}" in second.said("bad")
    assert [measured(cell) for cell in first.cells["bad"]] == [True] * 3
    _, third = execute(devices(farm, "bad"), tmp_path / "two", resume=outcome.run)
    assert measured(third.cells["bad"][0])
    note(record_property, "two controllers on one board", "a second run while the first is in a cell",
         "the second waits 5 s, then FAILED lease, naming user, host and pid; --resume measures it later")  # fmt: skip


@pytest.mark.slow
def test_the_controller_is_killed(farm: Farm, tmp_path: Path, record_property: Record) -> None:
    farm.places["bad"].python(WAIT)
    (tmp_path / "devices.yaml").write_text(yaml.safe_dump({"devices": [farm.entry("bad", runtimes="litert")]}))
    command = [
        sys.executable, "-m", "harness", "run", "--devices", str(tmp_path / "devices.yaml"), "--models", str(MODELS),
        "--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports"), "--quick",
        "--model", "mobilenet-v3-small", "--variant", "int8", "--threads", "1,2,3",
    ]  # fmt: skip
    with subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL) as process:
        until(waiting(farm))
        process.kill()
    folder = store.find_run(tmp_path / "results", "latest")
    before = {path.name: path.read_bytes() for path in store.cell_paths(folder)}
    assert len(before) == 1
    assert not list((folder / "cells").glob(".*"))
    go(farm)
    _, told = execute(devices(farm, "bad"), tmp_path / "results", resume=folder.name)
    assert [measured(cell) for cell in told.cells["bad"]] == [True, True]
    after = {path.name: path.read_bytes() for path in store.cell_paths(folder)}
    assert len(after) == 3
    assert all(after[name] == content for name, content in before.items())
    note(record_property, "controller killed -9, then --resume", "kill -9 of `harness run` in the second cell",
         "the finished cell is kept byte for byte; the board is free at once; --resume does the rest")  # fmt: skip


@needs_root
@pytest.mark.slow
def test_the_controllers_disk_is_full(farm: Farm, tmp_path: Path, record_property: Record) -> None:
    results = tmp_path / "results"
    results.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(results)], check=True)
    try:
        farm.places["bad"].python(WAIT)
        making = work(devices(farm, "bad"), results, **THREE)
        with pytest.raises(StoreError, match="No space left"), running(making):
            fill_when(waiting(farm), results / "filler", lambda: go(farm))
        cells = list(store.read_cells(making.folder))
        assert [measured(cell) for cell in cells] == [True]
        (results / "filler").unlink()
        _, told = execute(devices(farm, "bad"), results, resume=making.folder.name)
        assert [measured(cell) for cell in told.cells["bad"]] == [True, True]
        assert len(list(store.read_cells(making.folder))) == 3
    finally:
        subprocess.run(["umount", str(results)], check=True)
    note(record_property, "controller's disk full", "results on a 1 MiB tmpfs, filled to the last byte in a cell",
         "the run ends with the reason (exit 1), finished cells are whole; --resume after freeing space")  # fmt: skip


def fill_when(ready: Callable[[], bool], path: Path, then: Callable[[], None]) -> None:
    """Write until there is no space left, in a cell."""
    until(ready)
    with path.open("wb", buffering=0) as handle:
        for size in (65536, 1):
            with contextlib.suppress(OSError):
                while True:
                    handle.write(b"x" * size)
    then()
