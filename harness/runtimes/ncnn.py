"""ncnn. Its networks are converted by pnnx, its own converter. It has no step that quantises an ONNX file."""

from __future__ import annotations

from collections.abc import Callable

from harness.runtimes.record import Converted, Converter, Runtime, Source


def _program() -> str:
    from harness.runtimes.pnnx import program

    return program()


def _converted(source: Source, stopped: Callable[[], bool]) -> Converted | None:
    from harness.runtimes.pnnx import converted  # it asks the table of wheels, which needs the registry

    return converted(source, stopped)


RUNTIME = Runtime(
    name="ncnn",
    title="ncnn",
    module="ncnn",
    formats=("onnx",),
    variants=("fp32", "fp16"),
    converter=Converter("ncnn", _program, _converted, required=True),
)
