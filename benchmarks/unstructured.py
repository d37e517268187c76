"""What zeroing single weights gives: ``python -m benchmarks.unstructured [--models models] [--model resvgg19]``.

The comparison with pruning by channels. The smallest weights of all convolutions and dense layers together, by
magnitude as the file holds them (batch normalisation folded in), are set to zero in the TFLite file itself, without
tuning after. Scales stay as they were: they come from the largest weights. Prints size as stored and zipped, accuracy
on the validation and the test images with LiteRT, and the median latency of one thread here. Needs the [train] extra.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data import sources
from harness.data.dataset import Dataset, Split
from harness.data.splits import split

SHARES = (0.0, 0.5, 0.7, 0.8, 0.9)
KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
Weights = tuple[npt.NDArray[Any], npt.NDArray[np.float32]]


def weights(content: bytearray) -> list[Weights]:
    """Of each layer: the codes inside ``content``, writable, and what their magnitudes stand for."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAsModel(content, 0)
    graph, found = model.Subgraphs(0), {}
    wanted = {getattr(schema.BuiltinOperator, kind) for kind in KINDS}
    for k in range(graph.OperatorsLength()):
        operator = graph.Operators(k)
        if model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode() not in wanted:
            continue
        number = operator.Inputs(1)
        tensor = graph.Tensors(number)
        whole = tensor.Type() == schema.TensorType.INT8
        raw = model.Buffers(tensor.Buffer()).DataAsNumpy()
        codes = raw.view(np.int8 if whole else np.float32).reshape(tensor.ShapeAsNumpy())
        size = np.abs(codes.astype(np.float32))
        if whole:
            scales = tensor.Quantization().ScaleAsNumpy()
            shape = [1] * codes.ndim
            shape[tensor.Quantization().QuantizedDimension()] = -1
            size *= scales.reshape(shape) if len(scales) > 1 else scales[0]
        found[number] = (codes, size)
    return list(found.values())


def zeroed(content: bytes, share: float) -> tuple[bytes, float]:
    """The file with this share of all weights, the smallest, at zero; and the share that is zero."""
    changed = bytearray(content)
    layers = weights(changed)
    every = np.concatenate([size.ravel() for _, size in layers])
    limit = np.partition(every, round(share * every.size))[round(share * every.size)] if share else -1.0
    for codes, size in layers:
        codes[size < limit] = 0
    return bytes(changed), float(np.mean(np.concatenate([codes.ravel() == 0 for codes, _ in layers])))


def row(content: bytes, share: float, label: str, dataset: Dataset, parts: Split) -> tuple[str, ...]:
    from harness.export import runtimes

    changed, zeros = zeroed(content, share)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "changed.tflite"
        path.write_bytes(changed)
        right = [runtimes.accuracy(path, dataset.images[p], dataset.labels[p]) for p in (parts.validation, parts.test)]
        took = latency_ns(path, dataset.images[parts.test])
    zipped = len(gzip.compress(changed, 6, mtime=0))
    return (
        label, f"{share:.0%}", f"{zeros:.1%}", f"{len(changed) / 1e6:.1f}", f"{zipped / 1e6:.2f}",
        f"{right[0]:.3f}", f"{right[1]:.3f}", f"{took / 1e6:.1f}",
    )  # fmt: skip


def latency_ns(path: Path, images: npt.NDArray[np.uint8]) -> float:
    """Median nanoseconds of one inference, one thread."""
    from ai_edge_litert.interpreter import Interpreter

    from harness.export.runtimes import quantise, tensor_specs

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    taken, times = interpreter.get_input_details()[0]["index"], []
    for image in quantise(images, tensor_specs(path)[0]):
        interpreter.set_tensor(taken, image[None])
        started = time.perf_counter_ns()
        interpreter.invoke()
        times.append(time.perf_counter_ns() - started)
    return float(np.median(times))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="resvgg19")
    parser.add_argument("--variants", default="fp32,int8")
    options = parser.parse_args()
    dataset = sources.load("synthetic")
    parts, rows = split(dataset), []
    for variant in options.variants.split(","):
        content = (options.models / options.model / f"{variant}.tflite").read_bytes()
        for share in SHARES:
            rows.append(row(content, share, variant, dataset, parts))
            print(" ".join(rows[-1]), file=sys.stderr, flush=True)
    head = ("variant", "pruned", "zeros", "MB", "MB zipped", "validation", "test", "latency here, ms")
    for line in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(line)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
