"""A run over many loopback boards, some of which die during it; its time and the controller's memory."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.made.farm import Farm, fleet
from benchmarks.made.runs import DeviceRecorder, execute, measured, running, work


@dataclass(frozen=True)
class FleetRun:
    """The outcome of a run over many boards; the controller is this process."""

    seconds: float
    peak_bytes: int
    statuses: dict[str, list[str]]


def peak_bytes() -> int:
    """This process's peak memory since the kernel last reset it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found
    return int(found[1]) * 1024


def run_fleet(
    folder: Path, boards: int, cells: int, cell_s: float, dead: int = 0, extra: tuple[dict[str, object], ...] = ()
) -> tuple[FleetRun, DeviceRecorder]:
    """Run ``cells`` cells on each of ``boards`` loopback boards, and on the ``extra`` entries of devices.yaml.

    The boards' runner waits ``cell_s`` seconds instead of computing: 64 boards' work does not fit on one machine, but
    the controller's does. ``dead`` boards end in their third cell; then they come back and the run is resumed.
    """
    names = [f"b{number:02}" for number in range(boards)]
    farm = Farm(folder, names)
    try:
        for number, name in enumerate(names):
            die = "if cells == 3: time.sleep(3600)" if number < dead else ""
            farm.places[name].python(f"{die}\ntime.sleep({cell_s})")
        threads = tuple(range(1, cells + 1))
        devices = farm.fleet(runtimes=["litert"])
        if extra:
            devices = fleet(*(farm.entry(name, runtimes=["litert"]) for name in names), *extra)
        making = work(devices, folder / "results", threads=threads)
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the kernel resets the peak
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
        return FleetRun(took, peak, {name: told.how(name) for name in told.cells}), told
    finally:
        farm.stop()
