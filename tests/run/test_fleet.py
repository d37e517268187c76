"""Many boards at once: every cell ends, two dead boards cost only their own cells, --resume completes the rest.

``benchmarks/fleet.py`` does the same with 64 boards and a QEMU board among them, and compares times and memory.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.support.board_fixtures import Farm, Told, execute, measured, running, work
from tests.support.sshd_fixtures import SSHD


@dataclass(frozen=True)
class Fleet:
    """What a run over many boards came to; the controller is this process."""

    seconds: float
    peak_bytes: int
    statuses: dict[str, list[str]]


def peak_bytes() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def run_fleet(
    folder: Path, boards: int, cells: int, cell_s: float, dead: int = 0, extra: tuple[dict[str, object], ...] = ()
) -> tuple[Fleet, Told]:
    """Run ``cells`` cells on each of ``boards`` loopback boards whose runner waits instead of computing (64 boards'
    work does not fit on one machine; the controller's does). ``dead`` boards end in their third cell; then they come
    back and the run is resumed."""
    names = [f"b{number:02}" for number in range(boards)]
    farm = Farm(folder, names)
    try:
        for number, name in enumerate(names):
            die = "if cells == 3: time.sleep(3600)" if number < dead else ""
            farm.places[name].python(f"{die}\ntime.sleep({cell_s})")
        threads = tuple(range(1, cells + 1))
        devices = farm.fleet(runtimes=["litert"])
        if extra:
            from tests.support.board_fixtures import fleet

            devices = fleet(*(farm.entry(name, runtimes=["litert"]) for name in names), *extra)
        making = work(devices, folder / "results", threads=threads)
        Path("/proc/self/clear_refs").write_text("5")  # the kernel starts a new peak
        started = time.monotonic()
        with running(making) as (told, _):
            for number in range(dead):
                while farm.places[names[number]].cells_started() < 3:
                    time.sleep(0.1)
                farm.kill(names[number])
        took, peak = time.monotonic() - started, peak_bytes()
        for number in range(dead):
            farm.places[names[number]].python("time.sleep(0.1)")
            farm.start(names[number])
            farm.wait(names[number])
        if dead:
            _, again = execute(devices, folder / "results", resume=making.folder.name)
            assert set(again.cells) == set(names[:dead])
            assert all(measured(cell) for found in again.cells.values() for cell in found)
        return Fleet(took, peak, {name: told.how(name) for name in told.cells}), told
    finally:
        farm.stop()


@pytest.mark.slow
def test_twelve_boards_of_which_two_die(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if SSHD is None:
        pytest.skip("no sshd here")
    from harness.remote import connect

    monkeypatch.setattr(connect, "RECONNECT_S", (0.1, 0.2))
    found, told = run_fleet(tmp_path, boards=12, cells=4, cell_s=0.5, dead=2)
    assert sum(map(len, found.statuses.values())) == 48
    for number, name in enumerate(sorted(found.statuses)):
        if number < 2:
            assert found.statuses[name][2:] == ["FAILED unreachable"] * 2
        else:
            assert all(measured(cell) for cell in told.cells[name])


@pytest.mark.slow
def test_a_fleet_is_done_sooner_than_by_a_loop(cache: Path) -> None:
    """The short form of the comparison with other tools. With 8 boards that work for 3 s a loop needs 24 s at least:
    that leaves a busy machine room, and a run that did one board after the other none. (The report, which takes longest
    here, is left out.)"""
    if SSHD is None:
        pytest.skip("no sshd here")
    words = ["--boards", "8", "--seconds", "3", "--rounds", "1", "--no-ansible"]
    done = subprocess.run(
        [sys.executable, "benchmarks/fleet_overhead.py", *words], cwd=REPOSITORY, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = re.search(r"boards' part / ssh in a loop: (\d+\.\d+)", done.stdout)
    assert found, done.stdout
    assert float(found[1]) < 1, done.stdout
