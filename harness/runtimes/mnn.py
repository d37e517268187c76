"""MNN. Its networks are converted by mnnconvert, which comes in the same wheel."""

from __future__ import annotations

from collections.abc import Callable

from harness.runtimes.record import Converted, Converter, Runtime, Source


def _program() -> str:
    from harness.runtimes.mnnconvert import program

    return program()


def _converted(source: Source, stopped: Callable[[], bool]) -> Converted | None:
    from harness.runtimes.mnnconvert import converted  # it asks the table of wheels, which needs the registry

    return converted(source, stopped)


RUNTIME = Runtime(
    name="mnn",
    title="MNN",
    module="MNN",
    formats=("onnx", "tflite"),
    variants=("fp32", "fp16"),
    converter=Converter("MNN", _program, _converted, required=True),
)
