"""tflite-runtime, LiteRT's predecessor, for boards with an old Python or a 32-bit system."""

from __future__ import annotations

from harness.runtimes.edgetpu_compiler import EDGETPU
from harness.runtimes.record import CPU, Runtime

RUNTIME = Runtime(
    name="tflite",
    title="tflite-runtime",
    module="tflite_runtime.interpreter",
    formats=("tflite",),
    delegates=(CPU, EDGETPU),
    stands_in_for="litert",
    same_as={"xnnpack": "cpu"},
    distribution="tflite-runtime",
)
