"""LiteRT, the present name of TensorFlow Lite."""

from __future__ import annotations

from harness.runtimes.edgetpu_compiler import EDGETPU
from harness.runtimes.record import CPU, Runtime

RUNTIME = Runtime(
    name="litert",
    title="LiteRT",
    module="ai_edge_litert.interpreter",
    formats=("tflite",),
    delegates=(CPU, EDGETPU),
    same_as={"xnnpack": "cpu"},  # XNNPACK is LiteRT's usual CPU path, so it is no fallback
    distribution="ai-edge-litert",
)
