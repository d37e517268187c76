"""OpenVINO, which reads TFLite and ONNX files as they are and has kernels of its own for x86 and for ARM."""

from __future__ import annotations

from harness.runtimes.record import Runtime

RUNTIME = Runtime(name="openvino", title="OpenVINO", module="openvino", formats=("tflite", "onnx"))
