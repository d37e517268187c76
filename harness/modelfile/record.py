"""What a model file says of itself, and what a board can say of itself: the records of this room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.modelfile.source import Source
from harness.records.manifest import Format, NodeMacs, TensorSpec, Variant


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a format's reader finds in a file.

    Attributes:
        variant: numbers of weights and activations: ``int8`` where both are integers, ``dynamic`` where only weights
            are, ``fp16`` where weights are 16-bit floats, else ``fp32``.
        inputs: without those that have a value in the file. Shapes are the ones to run, so no dimension is dynamic.
        outputs: a size is 0 where only a run can tell it, and ``declared`` has it open; the shape is (0,) where not
            even the number of dimensions is known.
        operators: how often each operator occurs, bodies of control flow included.
        parameters: number of values in constant tensors of at least one dimension, of floats or of integers that stand
            for floats.
        macs: multiply-accumulates of one inference with these shapes; None where they can't be counted.
        macs_missing: the reason where ``macs`` is None, else "".
        versions: ``opset`` and ``ir`` of ONNX (other sets of operators by their domains), ``schema`` of TFLite.
        operator_versions: the highest version of each operator (TFLite only).
        custom: operators that are not part of the format: custom and Flex operators, and those of other domains.
        min_runtime: the oldest TensorFlow Lite that runs it, by the file's metadata; "" where it doesn't say.
        notes: what a user should know and what prevents nothing, one line each.
        nodes: its operators in the order of execution (TFLite only).
        merged: the file with its weights in it, where they are kept in other files.
    """

    variant: Variant
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: Mapping[str, int]
    parameters: int | None
    macs: int | None
    macs_missing: str
    versions: Mapping[str, int]
    operator_versions: Mapping[str, int] = field(default_factory=dict)
    custom: tuple[str, ...] = ()
    min_runtime: str = ""
    notes: tuple[str, ...] = ()
    nodes: tuple[NodeMacs, ...] = ()
    merged: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class FileFormat:
    """One format of model files.

    Attributes:
        name: as in manifests; the usual ending of file names is the same with a dot.
        title: for people.
        begins: whether the first bytes of a file are this format's.
        read: the reader of the content, given the shapes that were chosen by the inputs' names.
    """

    name: Format
    title: str
    begins: Callable[[bytes], bool]
    read: Callable[[Source, bytes, Mapping[str, tuple[int, ...]]], Contents]


@dataclass(frozen=True, kw_only=True)
class ModelFile(Contents):
    """A network in one file, as read and checked.

    Attributes:
        path: the file that the user named.
        embedded: the one file that is sent to boards. It is ``path`` itself, unless the network keeps its weights in
            other files; then it is a copy in the cache that holds them all.
        format: by the content, whatever the file's name ends in.
        sha256: of ``embedded``, as is ``bytes``, its size.
    """

    path: Path
    embedded: Path
    format: Format
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Target:
    """A board's way to run a network.

    Attributes:
        runtime: a name of :data:`harness.runtimes.registry.RUNTIMES`.
        version: the release of that runtime that the board gets, e.g. ``1.10.0``; "" where it is unknown, and then
            versions are not compared.
        delegate: a name of :data:`harness.runtimes.registry.DELEGATES`.
        memory_bytes: the board's memory; None where it is unknown.
    """

    runtime: str
    version: str = ""
    delegate: str = "cpu"
    memory_bytes: int | None = None
