"""Each registered runtime against its own bare loop: the harness and a dozen lines, by turns in one run.

    python -m benchmarks.bare_loops [--runtime litert,openvino] [--model resvgg19-pruned] [--variant fp32]

For each runtime that is published for this machine: the network's file in the first format that the runtime reads, the
same Python, packages, inputs and one thread for both, each turn a process of its own (see ``benchmarks/loops.py``).

Exits with 1 unless the median of the ratios lies within 0.98 and 1.02 for every runtime.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.loops import LOOPS, opened, race
from harness.core.errors import ProvisionError
from harness.runtimes.registry import RUNTIMES


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--runtime", default=",".join(RUNTIMES))
    parser.add_argument("--model", default="resvgg19-pruned")
    parser.add_argument("--variant", default="fp32")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--runs", type=int, default=400)
    options = parser.parse_args()
    good = []
    for runtime in options.runtime.split(","):
        files = [options.models / options.model / f"{options.variant}.{fmt}" for fmt in RUNTIMES[runtime].formats]
        file = next((file for file in files if file.is_file()), None)
        if runtime not in LOOPS or file is None:
            print(f"{runtime}: {'no such file' if runtime in LOOPS else 'no loop in benchmarks/loops.py'}")
            good.append(False)
            continue
        try:
            shipped = opened(file, shapes=[], inputs=None)
            good.append(race(shipped, runtime, rounds=options.rounds, runs=options.runs))
        except ProvisionError as error:
            print(f"{runtime}: left out: {error}")
    promised = all(good) and bool(good)
    print(
        f"{sum(good)} of {len(good)} runtimes within 0.98 to 1.02: {'as promised' if promised else 'NOT as promised'}"
    )
    return 0 if promised else 1


if __name__ == "__main__":
    sys.exit(main())
