"""Every figure with few and many networks and boards, for a visual check after a change: nothing may overlap or be cut.

    python -m benchmarks.gallery FOLDER [--networks 1,3,30] [--boards 1,3,12] [--plot pareto,latency]

Makes one folder for each combination, e.g. FOLDER/30x12, with every figure as PNG, and a page with --page. The cells
are fabricated (benchmarks/made/cells.py).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.made.cells import make_cell, make_manifest, make_run, matrix
from harness.records.cell import Cell
from harness.records.manifest import Manifest
from harness.report import PLOTS, render

#: Chosen so that every figure has content even with few networks: a compression path, and a rival pruned by us.
VARIANTS = ("fp32", "int8", "fp16", "dynamic")
FIRST = {1: ["resvgg19-pruned"], 3: ["resvgg19", "resvgg19-pruned", "mobilenet-v3-small-pruned"]}


def cells(networks: int, boards: int) -> list[Cell]:
    """Two variants on every board; several thread counts, heat and energy where that fits."""
    made = []
    for number, cell in enumerate(
        matrix(FIRST.get(networks, networks), boards, VARIANTS if networks in FIRST else VARIANTS[:2])
    ):
        for threads in (1, 2, 4) if number % 12 == 0 else (1,):
            state = {
                "wall_s": str(1e9 + number * 60),
                "/sys/class/thermal/thermal_zone0/temp": str(45_000 + 300 * (number % 90)),
                "/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": str(1_500_000 - 1000 * (number % 90)),
            }
            made.append(make_cell(
                cell.model.name, cell.model.variant, cell.device, threads=threads, energy_j=0.5 + number,
                accuracy=cell.accuracy or 0.0,
                latency_ns=tuple(round(value / threads**0.8) for value in cell.latency_ns), bytes_=cell.model.bytes,
                evidence={"before": state, "during": [state], "after": state},
            ))  # fmt: skip
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--networks", default="1,3,30")
    parser.add_argument("--boards", default="1,3,12")
    parser.add_argument("--plot", default="")
    parser.add_argument("--page", action="store_true", help="also index.html, and every figure as SVG")
    asked = parser.parse_args()
    for networks in map(int, asked.networks.split(",")):
        for boards in map(int, asked.boards.split(",")):
            with tempfile.TemporaryDirectory() as name:
                run = make_run(Path(name), cells(networks, boards))
                manifests: dict[str, Manifest] = {
                    name: make_manifest(name) for name in ("resvgg19-pruned", "mobilenet-v3-small-pruned")
                }
                plots = None if asked.page else asked.plot.split(",") if asked.plot else list(PLOTS)
                out = asked.folder / f"{networks}x{boards}"
                render([run], out, manifests=manifests, plots=plots, formats=("svg", "png") if asked.page else ("png",))
                print(out, flush=True)


if __name__ == "__main__":
    main()
