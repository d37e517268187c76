"""ONNX Runtime. Its GPU builds belong to the board's CUDA and TensorRT."""

from __future__ import annotations

from harness.runtimes.record import CPU, Delegate, Runtime

RUNTIME = Runtime(
    name="onnxruntime",
    title="ONNX Runtime",
    module="onnxruntime",
    formats=("onnx",),
    delegates=(CPU, Delegate("cuda", onboard=True), Delegate("tensorrt", onboard=True)),
)
