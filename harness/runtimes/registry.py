"""The registered runtimes: one file for each, and one line here."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module

from harness.runtimes.record import Converter, Delegate, Runtime

#: Files of this folder, the preferred runtime of each format first.
_FILES = (
    "litert",
    "tflite",
    "onnxruntime",
    "openvino",
    "ncnn",
    "mnn",
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


def converters(runtime: str, delegate: str) -> tuple[Converter, ...]:
    """The programs that make the file for a runtime and a delegate, in order; empty if artifacts run as they are."""
    both = (RUNTIMES[runtime].converter, DELEGATES[delegate].compiler)
    return tuple(converter for converter in both if converter is not None)


def plainly_reading(fmt: str) -> tuple[str, ...]:
    """As :func:`reading`, without the runtimes that need a converter."""
    return tuple(name for name in reading(fmt) if RUNTIMES[name].converter is None)


def refused(name: str, variant: str) -> str | None:
    """Why a runtime takes no artifact of a variant; None if it does."""
    runtime = RUNTIMES[name]
    if variant in runtime.variants:
        return None
    return f"{runtime.title} takes {' and '.join(runtime.variants)} alone, and this is {variant}"
