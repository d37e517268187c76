"""Golden outputs: what a network answers to fixed inputs, and how a board's answer to them differs."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, StringConstraints

from harness.records.base import Count, Lean, Record, Text

HEX64 = r"^[0-9a-f]{64}$"
Sha256 = Annotated[str, StringConstraints(pattern=HEX64)]
#: The name of a file beside a manifest: never a path.
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
#: No network has more inputs or outputs.
MAX_TENSORS = 256

_Share = Annotated[float, Field(ge=0)]


class InputsRecord(Lean):
    """The inputs that a network without a data set is run with.

    Attributes:
        kind: ``seeded``: random values; ``given``: the user's file.
        seed: of the random values.
        n: samples.
        sha256: of the values; None where the seed gives them.
        file: the file beside the manifest; None where the seed gives the values.
    """

    _later = frozenset({"file", "sha256"})

    kind: Annotated[str, StringConstraints(pattern=r"^(seeded|given)$")]
    seed: Annotated[int, Field(ge=0, le=1 << 53)] | None = None
    n: Annotated[Count, Field(ge=1)]
    sha256: Sha256 | None = None
    file: FileName | None = None


class Golden(Record):
    """The outputs that an artifact gave here to fixed inputs, kept in a file beside the manifest.

    Attributes:
        file: its name; its ``sha256``.
        inputs_sha256: of the inputs, as in :class:`InputsRecord`.
        runtime, version, machine: what made it, such as ``litert``, ``2.3.0``, ``x86_64``.
        samples: inputs whose outputs it has, the first ones.
    """

    file: FileName
    sha256: Sha256
    inputs_sha256: Sha256
    runtime: Text
    version: Text
    machine: Text
    samples: Annotated[Count, Field(ge=1)]


class Reference(Record):
    """What made the golden outputs, and the hash of these outputs."""

    runtime: Text
    version: Text | None = None
    machine: Text
    sha256: Sha256


class TensorDifference(Record):
    """How far one output tensor lies from the golden one, over all samples that came back.

    Attributes:
        name, dtype: of the tensor.
        max_abs: the largest difference of any element; of an integer tensor in whole steps.
        max_rel: ``max_abs`` as a share of the largest magnitude in the golden tensor, in real values where it is
            quantised.
        rms_rel: root mean square of all differences, as a share of the golden tensor's.
        cosine: of the angle between both tensors as vectors; None where one of them is zero.
        tolerance, rms_tolerance: the limits of ``max_rel`` and ``rms_rel``; None where there is none.
    """

    name: Text
    dtype: Text
    max_abs: _Share
    max_rel: _Share
    rms_rel: _Share = 0.0
    cosine: Annotated[float, Field(ge=-1.000001, le=1.000001)] | None = None
    tolerance: _Share | None = None
    rms_tolerance: _Share | None = None

    @property
    def excess(self) -> float:
        """How many times its limit the difference is, by the figure that exceeds it most; over 1 is too much."""
        figures = ((self.max_rel, self.tolerance), (self.rms_rel, self.rms_tolerance))
        return max((_times(value, limit) for value, limit in figures if limit is not None), default=0.0)


def _times(value: float, limit: float) -> float:
    return value / limit if limit else (math.inf if value else 0.0)


class OutputsCheck(Record):
    """The comparison of a board's outputs with golden ones.

    Attributes:
        reference: what made the golden outputs.
        samples: compared inputs, the first ones of the cell's.
        tensors: one entry for each output, in the order of the file.
        same_top1: of ``samples``, those with the same most probable class; None where the network is no classifier.
    """

    reference: Reference
    samples: Annotated[Count, Field(ge=1)]
    tensors: Annotated[tuple[TensorDifference, ...], Field(min_length=1, max_length=MAX_TENSORS)]
    same_top1: Count | None = None

    @property
    def worst(self) -> TensorDifference:
        """The tensor that is furthest beyond (or nearest to) its limit."""
        return max(self.tensors, key=lambda tensor: (tensor.excess, tensor.max_rel))
