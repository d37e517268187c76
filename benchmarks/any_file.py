"""The harness against a bare loop over the same model file, whatever it is: measured by turns in one run.

    python -m benchmarks.any_file FILE [--shape input=1x512] [--inputs own.npz] [--runtime openvino] [--rounds 9]

Each turn is a separate process with the same Python, runtime and number of threads, over the same inputs: the runner as
the harness ships it, and a dozen lines that load the file and time ``invoke`` of TFLite or ``run`` of ONNX Runtime. The
order changes from round to round, and the ratio is that of one round's medians, so that a drift affects both alike.

ONNX Runtime's ``run`` also converts inputs and outputs between numpy and the runtime, some microseconds of Python that
are no part of the network; the harness binds them outside of the clock (``run_with_iobinding``). Both loops are shown.

Exits with 1 unless the median of the ratios lies within 0.98 and 1.02 for the loop that times the same call.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.loops import LOOPS, opened, race


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--shape", action="append", default=[])
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--runtime", choices=LOOPS, help="the first that reads the format")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    shipped = opened(options.file, shapes=options.shape, inputs=options.inputs)
    return 0 if race(shipped, options.runtime, rounds=options.rounds, runs=options.runs) else 1


if __name__ == "__main__":
    sys.exit(main())
