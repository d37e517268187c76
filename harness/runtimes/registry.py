"""The registered runtimes: one file for each, and one line here."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module

from harness.runtimes.record import Compiler, Delegate, Runtime

#: Files of this folder, the preferred runtime of each format first.
_FILES = (
    "litert",
    "tflite",
    "onnxruntime",
    "openvino",
)


def _registered(files: Collection[str]) -> dict[str, Runtime]:
    runtimes: dict[str, Runtime] = {}
    for file in files:
        if file in runtimes:
            raise TypeError(f"harness/runtimes/registry.py: '{file}' is listed twice")
        runtime = import_module(f"harness.runtimes.{file}").RUNTIME
        if not isinstance(runtime, Runtime) or runtime.name != file:
            raise TypeError(f"harness/runtimes/{file}.py: RUNTIME must be a Runtime of that name")
        runtimes[file] = runtime
    return runtimes


RUNTIMES: dict[str, Runtime] = _registered(_FILES)
DELEGATES: dict[str, Delegate] = {
    delegate.name: delegate for runtime in RUNTIMES.values() for delegate in runtime.delegates
}


def reading(fmt: str) -> tuple[str, ...]:
    """Names of the runtimes that read a format; those that stand in for another come last."""
    able = [runtime for runtime in RUNTIMES.values() if fmt in runtime.formats]
    return tuple(runtime.name for runtime in sorted(able, key=lambda runtime: runtime.stands_in_for is not None))


def possible(delegate: str, fmt: str) -> bool:
    """Whether a runtime that reads the format can use the delegate."""
    return any(delegate == known.name for name in reading(fmt) for known in RUNTIMES[name].delegates)


def stand_ins(name: str) -> tuple[str, ...]:
    """Names of the runtimes that can replace this one."""
    return tuple(runtime.name for runtime in RUNTIMES.values() if runtime.stands_in_for == name)


def fitting(name: str, published: Collection[str]) -> str:
    """The runtime to use for a requested one: itself, or a published stand-in if it is not published."""
    if name in published:
        return name
    return next((other for other in stand_ins(name) if other in published), name)


def compiler(delegate: str) -> Compiler | None:
    """The compiler for a delegate; None if networks need no compiling."""
    return DELEGATES[delegate].compiler
