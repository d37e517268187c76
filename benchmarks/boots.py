"""The instruction clock over several boots of an emulated board: the same artifact must give the same count.

    python -m benchmarks.boots [--boots 5] [--board raspberry-pi-4]

Exits with 1 if the medians differ by more than 0.1 %.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.common import BOARD, one_run, table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boots", type=int, default=5)
    parser.add_argument("--board", default="raspberry-pi-4")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="mobilenet-v3-small")
    parser.add_argument("--variant", default="int8")
    parser.add_argument("--quick", action="store_true", help="20 images instead of all")
    options = parser.parse_args()
    medians: list[float] = []
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for boot in range(options.boots):
            device = {**BOARD, "board": options.board}
            _, cell = one_run(
                device, options.model, options.variant, Path(name), models=options.models, quick=options.quick
            )
            medians.append(float(statistics.median(cell.latency_ns)))
            extremes = f"{min(cell.latency_ns):,} to {max(cell.latency_ns):,}"
            rows.append((boot + 1, f"{medians[-1]:,.0f}", extremes, len(cell.latency_ns)))
    table(("boot", "median, instructions", "lowest to highest", "inferences"), rows)
    apart = max(medians) / min(medians) - 1
    print(f"\n{options.model} {options.variant} on {options.board}: medians within {apart:.5%}")
    return 0 if apart <= 0.001 else 1


if __name__ == "__main__":
    sys.exit(main())
