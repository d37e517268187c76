"""The file of golden outputs: a line of JSON, and the outputs as raw bytes behind it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from harness.core.errors import ArtifactError, RunnerError
from harness.core.files import sha256_bytes, write_atomic
from harness.records.answer import OutputsAnswer
from harness.records.base import Record, Text
from harness.records.golden import Reference, Sha256
from harness.records.order import OUTPUTS_LIMIT
from harness.results import jsonfile
from harness.run.golden.outputs import Outputs, check

_HEAD_LIMIT = 32 << 20


class GoldenHead(Record):
    """What made golden outputs, and from which files.

    Attributes:
        stable: whether two passes over the same inputs gave the same bytes.
        outputs_sha256: of the outputs of all samples, also where not all are kept.
        latency_ns: median of an inference on this machine, in nanoseconds.
    """

    schema_version: Literal[1] = 1
    runtime: Text
    version: Text | None
    machine: Text
    model_sha256: Sha256
    inputs_sha256: Sha256
    stable: bool
    outputs_sha256: Sha256
    outputs: OutputsAnswer
    latency_ns: Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class GoldenOutputs:
    """Golden outputs with what made them."""

    head: GoldenHead
    outputs: Outputs

    @property
    def reference(self) -> Reference:
        """What made them, for a cell's record."""
        head = self.head
        return Reference(
            runtime=head.runtime, version=head.version, machine=head.machine, sha256=head.outputs_sha256
        )  # fmt: skip

    def content(self) -> bytes:
        """The bytes of their file."""
        return self.head.model_dump_json().encode() + b"\n" + self.outputs.data


def save(path: Path, golden: GoldenOutputs) -> None:
    """Write the file atomically."""
    write_atomic(path, golden.content())


def load(path: Path, sha256: str | None = None) -> GoldenOutputs:
    """Read a file of golden outputs.

    Args:
        sha256: the hash that it must have.

    Raises:
        ArtifactError: it is missing, damaged or another one.
        StoreError: it can't be read.
    """
    data = jsonfile.read(path, _HEAD_LIMIT + OUTPUTS_LIMIT)
    if sha256 is not None and sha256_bytes(data) != sha256:
        raise ArtifactError(f"{path}: is not the file its manifest names (SHA-256 differs)", fix="harness add again")
    line, _, block = data.partition(b"\n")
    try:
        head = GoldenHead.model_validate_json(line)
        check(head.outputs)
    except (ValidationError, RunnerError) as error:
        raise ArtifactError(f"{path}: holds no golden outputs", fix="remove it") from error
    if len(block) != head.outputs.bytes or sha256_bytes(block) != head.outputs.sha256:
        raise ArtifactError(f"{path}: is damaged", fix="remove it")
    return GoldenOutputs(head, Outputs(head.outputs, block))
