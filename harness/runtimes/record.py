"""The records that describe a runtime, its delegates and their compilers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Compiled:
    """A compiled network: the file (None if the compiler failed), its SHA-256, and the compiler's whole log."""

    model: Path | None
    sha256: str
    log: str


@dataclass(frozen=True)
class Compiler:
    """A program on the controller that compiles networks for an accelerator.

    Attributes:
        target: the accelerator, for people: ``the Edge TPU``.
        program: returns the program's name.
        compiled: takes a network's file and its SHA-256; returns None if the compiler is not installed.
    """

    target: str
    program: Callable[[], str]
    compiled: Callable[[Path, str], Compiled | None]


@dataclass(frozen=True)
class Delegate:
    """The part of a runtime that computes: a delegate of TFLite, or an execution provider of ONNX Runtime.

    Attributes:
        name: the value of ``delegates:`` in devices.yaml.
        onboard: whether the runtime must come from the board's own system, so that no wheel is sent.
        compiler: compiles networks for the delegate; None if they need no compiling.
    """

    name: str
    onboard: bool = False
    compiler: Compiler | None = None


CPU = Delegate("cpu")


@dataclass(frozen=True)
class Runtime:
    """A program library that executes networks on a board.

    Its on-board half, ``harness/ondevice/runner/runtimes/<name>.py``, loads a model, runs it, and proves which delegate
    ran. Its wheels are rows of wheels.json.

    Attributes:
        name: the value of ``runtimes:`` in devices.yaml; identifies cells.
        title: the name for people.
        module: the Python module that the runner imports.
        formats: formats of the artifacts that it reads: ``tflite``, ``onnx``.
        delegates: the delegates that it can use.
        stands_in_for: the runtime that this one replaces on a board for which that one is not published; None for none.
        same_as: delegates in its proof that count as another: ``{"xnnpack": "cpu"}``.
        distribution: its name on the package index; "" where that is ``name``.
    """

    name: str
    title: str
    module: str
    formats: tuple[str, ...]
    delegates: tuple[Delegate, ...] = (CPU,)
    stands_in_for: str | None = None
    same_as: Mapping[str, str] = field(default_factory=dict)
    distribution: str = ""

    @property
    def package(self) -> str:
        """Its name on the package index."""
        return self.distribution or self.name
