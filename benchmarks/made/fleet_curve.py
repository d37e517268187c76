"""What a fleet costs its controller as it grows: time and processor time for each board, and memory.

Boards are separate SSH servers on loopback, and their runner waits instead of computing. So the harness's own work is
real (logins, leases, checks of content, orders, answers, judgement, one file a cell), while the network between, and
inference, are not there. Each point is measured in a process of its own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from benchmarks.made.checkout import REPOSITORY, environment
from benchmarks.made.farm import Farm
from benchmarks.made.fleet_run import peak_bytes

#: How ``--on`` is written in the table.
HERE = "one controller"


@dataclass(frozen=True)
class Point:
    """One run over a fleet. Times are in seconds.

    Attributes:
        plan_s: the run is planned.
        wall_s: from the first board's turn to the last cell that was stored.
        cpu_s: processor time of the controller in ``wall_s``, its compiled and native code included.
        workers_s: the same of the workers, together.
        peak: the controller's memory at its highest, in bytes.
        workers_peak: that of the largest worker.
        measured: how many boards have their cell.
    """

    boards: int
    on: str
    plan_s: float
    wall_s: float
    cpu_s: float
    workers_s: float
    peak: int
    workers_peak: int
    measured: int


def measure(devices: Path, on: str, folder: Path) -> Point:
    """Run one small cell on each listed board, in this process or by workers that it starts."""
    from benchmarks.made.runs import DeviceRecorder, measured, work
    from harness.config.devices import load

    fleet, told = load(devices), DeviceRecorder()
    started = time.monotonic()
    run = work(fleet, folder)
    plan_s = time.monotonic() - started
    with crew(on) as (who, others):
        before, began, cpu = others(), time.monotonic(), cpu_s()
        run.execute(told, crew=who)
        wall_s, cpu, after = time.monotonic() - began, cpu_s() - cpu, others()
    arrived = [cell for cells in told.cells.values() for cell in cells]
    for line in [] if len(arrived) == len(fleet.devices) else told.messages[-20:]:
        print(line, file=sys.stderr)
    return Point(
        boards=len(fleet.devices),
        on=on,
        plan_s=plan_s,
        wall_s=wall_s,
        cpu_s=cpu,
        workers_s=sum(used for used, _ in after.values()) - sum(used for used, _ in before.values()),
        peak=peak_bytes(),
        workers_peak=max((peak for _, peak in after.values()), default=0),
        measured=sum(map(measured, arrived)),
    )


def cpu_s() -> float:
    """Processor time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def used() -> tuple[float, int]:
    """Processor time and peak memory of the process that calls it; workers are asked for theirs."""
    return cpu_s(), peak_bytes()


@contextmanager
def crew(on: str) -> Iterator[tuple]:
    """Provide who measures, and a function that asks the workers what they have used."""
    from harness.run.turns import Here

    if on == HERE:
        yield Here(), dict
        return
    from harness.run.workers.crew import on_cluster

    with on_cluster(on, lambda _: None) as workers:
        yield workers, lambda: dict(workers.client.run(used))


def points(counts: Sequence[int], ways: Sequence[str], seconds: float, script: str) -> Iterator[Point]:
    """Measure each number of boards each way, smallest first; a first run that isn't counted fills the cache."""
    warm = True
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="fo-") as folder:  # short, since paths of sockets are limited
            names = [f"b{number:04}" for number in range(count)]
            farm = Farm(Path(folder) / "farm", names)
            try:
                for place in farm.places.values():
                    place.python(f"time.sleep({seconds})")
                devices = Path(folder) / "devices.yaml"
                entries = [farm.entry(name, runtimes=["litert"]) for name in names]
                devices.write_text(yaml.safe_dump({"devices": entries}), encoding="utf-8")
                for way in [*([HERE] if warm else []), *ways]:
                    point = in_a_process(devices, way, script)
                    if not warm:
                        yield point
                    warm = False
            finally:
                farm.stop()


def in_a_process(devices: Path, way: str, script: str) -> Point:
    """A point that is measured in a process of its own, which calls :func:`print_point`."""
    command = [sys.executable, script, "--point", str(devices), way]
    done = subprocess.run(command, env=environment(), cwd=REPOSITORY, stdout=subprocess.PIPE, check=True)
    return Point(**json.loads(done.stdout.splitlines()[-1]))


def print_point(devices: Path, way: str) -> None:
    """Measure one point, for :func:`in_a_process`."""
    with tempfile.TemporaryDirectory(prefix="fo-") as folder:
        point = measure(devices, way, Path(folder) / "results")
    print(json.dumps(asdict(point)))


def table(found: Sequence[Point], seconds: float) -> str:
    """The points as Markdown. Overhead is the time beyond the boards' own work, which they do all at once."""
    columns = (
        "boards", "measured by", "s", "beyond the boards' work, s per board", "controller: processor s per board",
        "workers: processor s per board", "controller's peak, MB", "largest worker's peak, MB",
    )  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for point in found:
        n = point.boards
        values: Mapping[str, str] = {
            "boards": str(n), "by": point.on, "s": f"{point.wall_s:.1f}", "over": f"{(point.wall_s - seconds) / n:.3f}",
            "cpu": f"{point.cpu_s / n:.3f}", "workers": f"{point.workers_s / n:.3f}" if point.workers_s else "-",
            "peak": f"{point.peak / 1e6:.0f}",
            "largest": f"{point.workers_peak / 1e6:.0f}" if point.workers_peak else "-",
        }  # fmt: skip
        lines.append(f"| {' | '.join(values.values())} |")
        if point.measured != n:
            lines.append(f"\n{n - point.measured} of {n} boards were not measured\n")
    return "\n".join(lines)


def machine() -> str:
    """What the points were measured on."""
    return f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}"
