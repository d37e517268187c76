"""64 boards of one controller: ``python benchmarks/fleet.py [--boards 64] [--cells 10] [--seconds 6] [--no-qemu]``.

Compares the controller's memory with 64 and with 4 boards, and the run's time with the time that one board takes by
itself ("own time": the same cells on one board, alone). The loopback boards' runner waits instead of computing, since
64 boards' work does not fit on this machine; one QEMU board really computes. Two boards die during the run, which is
then resumed. Each size runs in a separate process, so that memory is comparable. Needs a quiet machine and five
minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))
QEMU = {"name": "qemu", "board": "raspberry-pi-4", "emulate": True, "runtimes": ["litert"]}


def one(boards: int, cells: int, seconds: float, dead: int, qemu: bool) -> dict[str, object]:
    """Run once in a separate process."""
    words = [str(boards), str(cells), str(seconds), str(dead), str(int(qemu))]
    done = subprocess.run([sys.executable, __file__, "--one", *words], stdout=subprocess.PIPE, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def measure(boards: int, cells: int, seconds: float, dead: int, qemu: bool) -> None:
    from benchmarks.made.fleet_run import run_fleet
    from harness.core.paths import cache_dir

    with tempfile.TemporaryDirectory() as folder:
        own, shared = Path(folder) / "cache", cache_dir()
        own.mkdir()
        for name in ("images", "wheels"):
            (shared / name).mkdir(parents=True, exist_ok=True)
            (own / name).symlink_to(shared / name)
        os.environ["HARNESS_CACHE"] = str(own)
        found, told = run_fleet(Path(folder) / "fleet", boards, cells, seconds, dead, (QEMU,) if qemu else ())
        measured = sum(bool(cell.latency_ns) for every in told.cells.values() for cell in every)
        ended = sum(map(len, found.statuses.values()))
        failed = sorted(name for name, how in found.statuses.items() if any(h.startswith("FAILED") for h in how))
    print(
        json.dumps(
            {"s": found.seconds, "peak": found.peak_bytes, "ended": ended, "measured": measured, "failed": failed}
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=64)
    parser.add_argument("--cells", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--no-qemu", action="store_true")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        boards, cells, seconds, dead, qemu = options.one
        measure(int(boards), int(cells), float(seconds), int(dead), qemu == "1")
        return
    qemu = not options.no_qemu
    alone = one(1, options.cells, options.seconds, 0, False)
    few = one(4, options.cells, options.seconds, 0, False)
    many = one(options.boards - qemu, options.cells, options.seconds, 2, qemu)
    print("| boards | cells that ended | measured | boards with FAILED cells | time, s | controller's peak, MB |")
    print("|---|---|---|---|---|---|")
    for boards, run in ((1, alone), (4, few), (options.boards, many)):
        failed = ", ".join(run["failed"]) or "-"  # type: ignore[arg-type]
        print(
            f"| {boards} | {run['ended']} | {run['measured']} | {failed} | {run['s']:.1f} | {run['peak'] / 1e6:.0f} |"  # type: ignore[operator, str-format]
        )
    print(f"\npeak with {options.boards} / peak with 4: {many['peak'] / few['peak']:.2f} (wanted: <= 2)")  # type: ignore[operator]
    print(f"time / one board's own time: {many['s'] / alone['s']:.2f} (wanted: <= 1.25)")  # type: ignore[operator]


if __name__ == "__main__":
    main()
