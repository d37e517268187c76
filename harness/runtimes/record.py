"""The records that describe a runtime, its delegates, and the programs that make their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: The variants of artifacts that a runtime takes unless it says otherwise.
ALL_VARIANTS = ("fp32", "fp16", "dynamic", "int8")


@dataclass(frozen=True)
class Tensor:
    """One input or output of a network: its name, the shape that is run (0: only a run can tell), and element type."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Source:
    """An artifact as a converter takes it: a file, the SHA-256 of its content, and what its manifest says of it."""

    path: Path
    sha256: str
    format: str
    variant: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Converted:
    """What a converter made: the file (None if it failed), its SHA-256, and the converter's whole log.

    ``why`` is its own reason where it failed.
    """

    model: Path | None
    sha256: str
    log: str
    why: str = ""


@dataclass(frozen=True)
class Converter:
    """A program on the controller that makes the file which a board runs, from an artifact.

    It compiles a network for an accelerator, or writes a runtime's own form of it.

    Attributes:
        target: what the file is for, for people: ``the Edge TPU``.
        program: returns the program's name, with its release where that is pinned.
        converted: makes the file, or gives up once its second argument returns true; returns None if the program is
            not installed.
        required: whether the board can do nothing with the artifact itself. Where it can, a network that is not
            converted is run as it is, and the verdict says what ran.

    ``converted`` raises ProvisionError where a program that the harness brings along can't be fetched.
    """

    target: str
    program: Callable[[], str]
    converted: Callable[[Source, Callable[[], bool]], Converted | None]
    required: bool = False


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
    compiler: Converter | None = None


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
        formats: formats of the artifacts that it reads, or that its converter does: ``tflite``, ``onnx``.
        variants: variants of the artifacts that it takes.
        converter: writes the runtime's own form of an artifact; None if the runtime reads artifacts as they are.
        delegates: the delegates that it can use.
        stands_in_for: the runtime that this one replaces on a board for which that one is not published; None for none.
        same_as: delegates in its proof that count as another: ``{"xnnpack": "cpu"}``.
        distribution: its name on the package index; "" where that is ``name``.
    """

    name: str
    title: str
    module: str
    formats: tuple[str, ...]
    variants: tuple[str, ...] = ALL_VARIANTS
    converter: Converter | None = None
    delegates: tuple[Delegate, ...] = (CPU,)
    stands_in_for: str | None = None
    same_as: Mapping[str, str] = field(default_factory=dict)
    distribution: str = ""

    @property
    def package(self) -> str:
        """Its name on the package index."""
        return self.distribution or self.name
