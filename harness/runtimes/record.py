"""What a runtime is, and what may help it on a board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Compiled:
    """What became of a network: the compiled file (None where the compiler gave up) and all that the compiler said."""

    model: Path | None
    sha256: str
    log: str


@dataclass(frozen=True)
class Compiler:
    """A program of the controller's that makes networks fit an accelerator.

    Attributes:
        target: the accelerator, for people: ``the Edge TPU``.
        program: its name.
        compiled: takes a network's file and its SHA-256; returns None where the compiler isn't installed.
    """

    target: str
    program: Callable[[], str]
    compiled: Callable[[Path, str], Compiled | None]


@dataclass(frozen=True)
class Delegate:
    """What computes for a runtime.

    Attributes:
        name: the value of ``delegates:`` in devices.yaml.
        onboard: the runtime that knows it belongs to the board's own system, so no wheel of ours is sent.
        compiler: networks need to be compiled for it.
    """

    name: str
    onboard: bool = False
    compiler: Compiler | None = None


CPU = Delegate("cpu")


@dataclass(frozen=True)
class Runtime:
    """What executes networks on a board. Its other half, ``harness/ondevice/runner/runtimes/<name>.py``, loads a model,
    computes, and proves which delegate did. Its wheels are rows of wheels.json.

    Attributes:
        name: the value of ``runtimes:`` in devices.yaml; identifies cells.
        title: for people.
        module: the runner imports it.
        formats: of the artifacts that it reads: ``tflite``, ``onnx``.
        delegates: what it can use.
        stands_in_for: the runtime in whose place it is taken where that is not published for a board; None for none.
        same_as: delegates of its proof that are another's normal way: ``{"xnnpack": "cpu"}``.
    """

    name: str
    title: str
    module: str
    formats: tuple[str, ...]
    delegates: tuple[Delegate, ...] = (CPU,)
    stands_in_for: str | None = None
    same_as: Mapping[str, str] = field(default_factory=dict)
