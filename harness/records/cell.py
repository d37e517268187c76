"""The result of one cell: (device, model, variant, runtime, delegate, threads, split) -> one JSON file.

Half of a cell comes from a board, and boards are not trusted. So the schema is strict: it limits sizes and refuses
unknown keys, NaN and infinities. Statistics are never stored; they are computed from the raw samples.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from harness.core.clock import ClockName
from harness.records.base import Count, Record, Text
from harness.records.base import Nanoseconds as Nanoseconds
from harness.records.canary import Canary as Canary
from harness.records.estimate import Estimate, NoEstimate, OperatorCosts
from harness.records.golden import OutputsCheck
from harness.records.operators import NoTimes, OperatorTimes
from harness.records.samples import MAX_SAMPLES as MAX_SAMPLES
from harness.records.samples import ClassIndex as ClassIndex
from harness.records.samples import Metric as Metric
from harness.records.samples import ModelInfo as ModelInfo
from harness.records.samples import SplitInfo as SplitInfo

#: Version of the cell file. Older files are migrated when read, newer files are refused.
SCHEMA = 3
#: Version of run.json.
RUN_SCHEMA = 1

#: The most rounds a cell may have; ``--precision`` may ask for many.
MAX_ROUNDS = 1000

#: States of the board that the runner keeps of one round: one after each pass, so many at most.
MOST_STATES = 255

Status = Literal["VALID", "INVALID", "FAILED"]


class Reason(Record):
    """The reason why a cell is not VALID: a stable ``code`` for scripts and a ``text`` for people."""

    code: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
    text: Text


class DeviceInfo(Record):
    """The board as the runner saw it.

    ``clock`` gives the unit of the ``_ns`` values. ``wall``: nanoseconds. ``instructions``, on an emulated board: guest
    instructions, because QEMU's ``-icount shift=0`` advances the guest's clock by 1 ns for each.
    """

    name: Text
    board: Text
    emulated: bool
    local: bool = False
    clock: ClockName
    cpu: Text | None = None
    cpu_part: Text | None = None
    cores: Count | None = None
    features: tuple[Text, ...] = ()
    memory_bytes: Count | None = None
    machine: Text | None = None
    os: Text | None = None
    kernel: Text | None = None
    libc: Text | None = None
    python: Text | None = None
    tags: tuple[Text, ...] = ()


class RuntimeInfo(Record):
    """The runtime that executed the model. ``delegate_verified``: the board has proved which delegate ran.

    ``version`` is what the runtime gives itself; of a cell that never got so far, the release that was asked for.
    """

    name: Text
    version: Text | None = None
    delegate: Text
    delegate_applied: Text | None = None
    delegate_verified: bool
    nodes_delegated: Count | None = None
    nodes_total: Count | None = None
    threads: Count


class Round(Record):
    """One process of a cell: its own start, warm-up and samples.

    Attributes:
        started, ended: the controller's time, ISO 8601.
        reasons: why this round is not to be believed; empty when it is.
        samples: how many of the cell's ``latency_ns`` are this round's; rounds follow each other there.
        warmups: the same of ``warmup_ns``.
        before, after: the canary on both sides of the round; None where there was none.
        load_ns, allocate_ns, first_inference_ns, peak_rss_bytes: None where a forked process measured the round, which
            starts otherwise.
        energy_j: of this round's timed inferences.
        evidence: what this round's verdict was reached with, and the busiest other processes.
    """

    started: Text
    ended: Text
    reasons: tuple[Reason, ...] = ()
    samples: Annotated[int, Field(ge=1, le=MAX_SAMPLES)]
    warmups: Annotated[int, Field(ge=0, le=MAX_SAMPLES)]
    load_ns: Nanoseconds | None = None
    allocate_ns: Nanoseconds | None = None
    first_inference_ns: Nanoseconds | None = None
    peak_rss_bytes: Count | None = None
    energy_j: Annotated[float, Field(ge=-1e15, le=1e15)] | None = None
    before: Canary | None = None
    after: Canary | None = None
    evidence: dict[str, Any] = Field(default_factory=dict)


#: Fields that are left out of a file where they are null.
_LATER = ("estimate", "operators", "operator_times", "metric", "outputs")


class Cell(Record):
    """One measured or failed cell. Raw samples are in order; a value that a FAILED cell never reached is null.

    ``rounds`` says which samples belong to one process. ``load_ns``, ``allocate_ns`` and ``first_inference_ns`` are the
    medians over the rounds that have them, ``peak_rss_bytes`` is the highest, ``energy_j`` the sum. A cell of schema 1
    was one round and lists none; see :attr:`round_sizes`.

    ``accuracy`` is the share of right classes, and null where nothing judges them. ``metric`` is the task's own.
    ``predictions`` are empty where the network is no classifier. ``outputs`` compares the board's outputs with golden
    ones.

    ``estimate`` and ``operators`` are estimated cycles, or why there are none. ``operator_times`` has the operators'
    times on the wall clock, or why there are none. All three are left out of the file where nobody asked for them.
    """

    schema_version: Literal[3] = Field(default=3, alias="schema")
    run: Text
    cell: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$")]
    status: Status
    reasons: tuple[Reason, ...] = ()
    device: DeviceInfo
    model: ModelInfo
    split: SplitInfo
    runtime: RuntimeInfo
    load_ns: Nanoseconds | None = None
    allocate_ns: Nanoseconds | None = None
    first_inference_ns: Nanoseconds | None = None
    warmup_ns: Annotated[tuple[Nanoseconds, ...], Field(max_length=MAX_SAMPLES)] = ()
    latency_ns: Annotated[tuple[Nanoseconds, ...], Field(max_length=MAX_SAMPLES)] = ()
    predictions: Annotated[tuple[ClassIndex, ...], Field(max_length=MAX_SAMPLES)] = ()
    accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    metric: Metric | None = None
    outputs: OutputsCheck | None = None
    peak_rss_bytes: Count | None = None
    energy_j: Annotated[float, Field(ge=-1e15, le=1e15)] | None = None
    rounds: Annotated[tuple[Round, ...], Field(max_length=MAX_ROUNDS)] = ()
    evidence: dict[str, Any] = Field(default_factory=dict)
    estimate: Estimate | NoEstimate | None = None
    operators: OperatorCosts | NoEstimate | None = None
    operator_times: OperatorTimes | NoTimes | None = None
    started: Text
    ended: Text
    harness: Text

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    @property
    def runtime_asked(self) -> str:
        """The runtime as the cell's name has it: ``litert``, or ``litert-2.1.0`` where a release was asked for."""
        parts = self.cell.split("+")
        named = parts[3] if len(parts) > 3 and parts[3].startswith(f"{self.runtime.name}-") else ""
        return named or self.runtime.name

    @property
    def estimated_cycles(self) -> int | None:
        """Estimated cycles of one inference on one thread; None where there is no estimate."""
        return self.estimate.cycles if isinstance(self.estimate, Estimate) else None

    @property
    def estimate_clock_hz(self) -> int | None:
        """Nominal clock of the estimate's core."""
        return self.estimate.clock_hz if isinstance(self.estimate, Estimate) else None

    @property
    def estimated_cycles_4_threads(self) -> int | None:
        """Estimated cycles of one inference on four threads; None where there is no such estimate."""
        shared = self.estimate.shared if isinstance(self.estimate, Estimate) else None
        return shared.cycles if shared and shared.threads == 4 else None

    @property
    def estimate_llvm(self) -> str | None:
        """LLVM's version behind the estimate: estimates by two versions are not comparable."""
        return self.estimate.llvm if isinstance(self.estimate, Estimate) else None

    @property
    def operators_json(self) -> str | None:
        """The costs of operators as JSON text; None where there are none."""
        return self.operators.model_dump_json() if isinstance(self.operators, OperatorCosts) else None

    @property
    def operator_times_json(self) -> str | None:
        """The times of operators as JSON text; None where there are none."""
        return self.operator_times.model_dump_json() if isinstance(self.operator_times, OperatorTimes) else None

    @model_serializer(mode="wrap")
    def _without_what_was_not_asked_for(self, serialised: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The fields that came later are written where they have something to say, so that other files stay readable
        for an older harness."""
        fields: dict[str, Any] = serialised(self)
        return {key: value for key, value in fields.items() if value is not None or key not in _LATER}

    @property
    def round_sizes(self) -> tuple[int, ...]:
        """How many of the samples each round has, in order; empty without samples."""
        if self.rounds:
            return tuple(each.samples for each in self.rounds)
        return (len(self.latency_ns),) if self.latency_ns else ()

    @model_validator(mode="after")
    def _complete(self) -> Cell:
        """A VALID cell has every number; a cell that is not VALID says why."""
        if self.status != "VALID" and not self.reasons:
            raise ValueError(f"{self.status} without a reason")
        if self.rounds and sum(self.round_sizes) != len(self.latency_ns):
            raise ValueError("rounds that have another number of samples in all than the cell")
        if self.status == "VALID":
            self._judged()
            if not self.latency_ns or not self.runtime.delegate_verified:
                raise ValueError("VALID without latencies or a verified delegate")
            if len(self.latency_ns) % self.split.n:
                raise ValueError("VALID with another number of samples than the split has")
            if min(self.latency_ns) == 0:
                raise ValueError("VALID with an inference that took no time")
        return self

    def _judged(self) -> None:
        """What labels there are was used; without labels there is no accuracy."""
        labels, classes, n = self.split.labels, self.split.classes, self.split.n
        if len(self.predictions) not in ((n,) if labels and classes else (0, n) if classes else (0,)):
            raise ValueError("VALID with another number of predictions than the split has samples")
        if not labels:
            if self.accuracy is not None or self.metric is not None:
                raise ValueError("VALID with an accuracy or a metric, but without right answers")
            return
        if (self.accuracy is None) if classes else (self.metric is None or self.accuracy is not None):
            raise ValueError("VALID without an accuracy, or without a metric where there are no classes")
        if len(labels) != n:
            raise ValueError("VALID with another number of right answers than the split has images")
        if classes and not all(isinstance(label, int) and label < len(classes) for label in labels):
            raise ValueError("VALID with a right answer that is none of the classes")
        if self.metric is not None and len(self.metric.per_sample) not in (0, n):
            raise ValueError("VALID with another number of metric values than the split has samples")


def cell_id(  # eight parameters, one for each part of the name
    *, device: str, model: str, variant: str, fmt: str, runtime: str, delegate: str, threads: int, split: str
) -> str:
    """The name of a cell's file without ``.json``: readable, valid as a file name, unique within a run.

    ``split`` is the scheme and the start of the split's hash. Parts are joined by ``+``, which no part may contain.
    """
    parts = (device, model, f"{variant}.{fmt}", runtime, delegate, f"t{threads}", split)
    return "+".join(re.sub(r"[^A-Za-z0-9._-]", "-", part) for part in parts)


class RunInfo(Record):
    """``results/<run>/run.json``: the run's plan and options. ``--resume`` and a report need nothing else.

    ``skipped`` lists cells left out on purpose, each with its reason, which the report shows.
    """

    schema_version: Literal[1] = Field(default=1, alias="schema")
    run: Text
    started: Text
    harness: Text
    devices: tuple[Text, ...]
    planned: tuple[Text, ...]
    skipped: tuple[Reason, ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)
