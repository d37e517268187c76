"""The effect of zeroing single weights: ``python -m benchmarks.unstructured [--models models] [--model resvgg19]``.

It is the comparison for pruning by channels (``harness/training/compress/magnitude.py``). Prints size as stored and
compressed, accuracy on the validation and the test images with LiteRT, and the latency of one thread on this machine
over that of the file without zeroed weights, measured alternately. With ``--record`` the rows of the int8 file go into
the network's manifest instead, for the report; nothing is trained. Needs the [train] extra.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.core.files import sha256_file
from harness.data import registry
from harness.data.spec import SYNTHETIC
from harness.data.splits import split
from harness.training.export import zeroed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="resvgg19")
    parser.add_argument("--variants", default="fp32,int8", help="those whose file isn't there are left out")
    parser.add_argument("--record", action="store_true", help="into the manifest")
    options = parser.parse_args()
    dataset = registry.load(SYNTHETIC)
    parts = split(dataset)
    if options.record:
        zeroed.record(models=options.models, name=options.model, dataset=dataset, split=parts, progress=print)
        return 0
    head = ("variant", "zeroed", "MB", "MB zipped", "validation", "test", "latency ratio")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for variant in options.variants.split(","):
        path = options.models / options.model / f"{variant}.tflite"
        if not path.exists():
            print(f"{path}: not there, left out", file=sys.stderr)
            continue
        print(f"{path}: {sha256_file(path)[:12]}", file=sys.stderr)
        for row in zeroed.rows(path, dataset, parts, (0.0, *zeroed.SHARES)):
            shown = (
                variant, f"{row.share:.0%}", f"{row.bytes / 1e6:.1f}", f"{row.gzip_bytes / 1e6:.2f}",
                f"{row.validation_accuracy:.3f}", f"{row.accuracy:.3f}", f"{row.latency_ratio:.3f}",
            )  # fmt: skip
            print(f"| {' | '.join(shown)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
