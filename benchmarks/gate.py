"""How often the gate trips when nothing changed (A/A), and how often it catches a slowdown that is there (A/B).

    python -m benchmarks.gate wall [--comparisons 200] [--slower 0.10] [--gate 3%]
    python -m benchmarks.gate instructions [--comparisons 20] [--slower 0.03] [--gate 1%]

``wall`` measures here; ``instructions`` boots an emulated Raspberry Pi 4 for each run. A/A compares each run of a build
with the next run of the same build. For A/B the runner spins for the given share after each inference, inside what it
times; every A/B comparison is of a plain run with a slowed run. All go through the code of ``harness compare --gate``.

Ends with 1 if A/A trips in more than 5 %, or A/B is caught in less than 95 % (``wall``) or 100 % (``instructions``).
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.common import BOARD, LOCAL, measure, table
from harness.compare import compare, parse_gate

DEFAULTS = {"wall": (200, 0.10, "3%", 0.95), "instructions": (20, 0.03, "1%", 1.0)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clock", choices=tuple(DEFAULTS))
    parser.add_argument("--comparisons", type=int)
    parser.add_argument("--slower", type=float)
    parser.add_argument("--gate")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="mobilenet-v3-small")
    parser.add_argument("--variant", default="int8")
    options = parser.parse_args()
    count, slower, gate_text, wanted = DEFAULTS[options.clock]
    count, slower = options.comparisons or count, options.slower or slower
    gate = parse_gate(options.gate or gate_text)
    device, quick = (LOCAL, True) if options.clock == "wall" else (BOARD, False)
    with tempfile.TemporaryDirectory() as name:
        results = Path(name)

        def run(share: float) -> tuple[Path, float]:
            folder, cell = measure(
                device, options.model, options.variant, results, models=options.models, slower=share, quick=quick
            )
            return folder, float(statistics.median(cell.latency_ns))

        plain = [run(0.0)]
        slowed = []
        for number in range(count):
            plain.append(run(0.0))
            slowed.append(run(slower))
            print(f"\r{number + 1} of {count}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        pairs = {"A/A": list(itertools.pairwise(plain)), "A/B": list(zip(plain, slowed, strict=False))}
        found = {name: [compare(a[0], b[0], gate) for a, b in couples] for name, couples in pairs.items()}
    tripped = {name: sum(result.tripped for result in results) for name, results in found.items()}
    refused = sum(pair.verdict == "refused" for results in found.values() for one in results for pair in one.pairs)
    rows = [
        (name, f"{slower if name == 'A/B' else 0:.0%}", count, tripped[name], f"{tripped[name] / count:.1%}",
         _range([b[1] / a[1] for a, b in couples]))
        for name, couples in pairs.items()
    ]  # fmt: skip
    table(("comparison", "slower by", "comparisons", "gate tripped", "share", "ratio of medians, 5 % to 95 %"), rows)
    print(f"\nclock: {options.clock}, gate: {gate:.1%}, {options.model} {options.variant}")
    good = tripped["A/A"] <= 0.05 * count and tripped["A/B"] >= wanted * count and not refused
    print("as promised" if good else f"NOT as promised ({refused} comparisons refused)")
    return 0 if good else 1


def _range(ratios: list[float]) -> str:
    ordered = sorted(ratios)
    cut = len(ordered) // 20
    return f"{ordered[cut]:.4f} to {ordered[-1 - cut]:.4f}"


if __name__ == "__main__":
    sys.exit(main())
