"""The answer of a runner: its schema and its limits. It comes from a board, so it is hostile until checked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

from harness.core import untrusted
from harness.core.errors import RunnerError
from harness.core.safetext import plain
from harness.records.cell import MAX_SAMPLES, Canary, Nanoseconds
from harness.records.golden import HEX64, MAX_TENSORS
from harness.records.order import OUTPUTS_LIMIT
from harness.records.tensor import MAX_RANK

#: A larger result file is refused. This is enough for 1e6 samples of about 10 digits, and the evidence.
RESULT_LIMIT = 32 << 20
_Short = Annotated[str, Field(max_length=2000)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    schema_version: Literal[1] = Field(alias="schema")
    cell: str
    machine: _Short
    python: _Short
    cpuinfo: Annotated[tuple[_Short, ...], Field(max_length=64)]
    #: implementation and resolution of the clock that was read, for people
    clock: Annotated[dict[_Short, Annotated[int, Field(ge=0, le=10**12)] | _Short], Field(max_length=8)]


class RunnerFailure(_Answer):
    """The runner's reason why there is no measurement."""

    status: Literal["error"]
    code: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    text: Annotated[str, Field(max_length=20_000)]


class Kernel(BaseModel):
    """``count`` layers of one type that the same kernel computed in the same precision, in the runtime's own words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layer: _Short
    kernel: _Short
    precision: _Short
    count: Annotated[int, Field(ge=1, le=1_000_000)]


class Delegate(BaseModel):
    """The delegate or execution provider that the runtime reports, and how many nodes ran on it.

    Attributes:
        precision_asked: the element type in which layers with weights were to compute, in numpy's words (``float32``,
            ``bfloat16``, ``int8``); None where the runtime was not told, or can't be.
        precisions: how many layers with weights computed in which type; empty where the runtime does not say.
        threads: how many threads the runtime says that it computed with; None where it does not say.
        kernels: all layers as they were executed; empty where the runtime does not say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    applied: _Short | None
    how: _Short
    nodes_total: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    nodes_delegated: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    nodes_left: Annotated[tuple[_Short, ...], Field(max_length=64)] = ()
    precision_asked: _Short | None = None
    precisions: Annotated[dict[_Short, Annotated[int, Field(ge=1, le=1_000_000)]], Field(max_length=16)] = {}
    threads: Annotated[int, Field(ge=0, le=100_000)] | None = None
    kernels: Annotated[tuple[Kernel, ...], Field(max_length=256)] = ()


#: A board's state at one moment: {path in /proc or /sys, or command: its text}.
State = Annotated[dict[_Short, Annotated[str, Field(max_length=5000)]], Field(max_length=1000)]


class BusyProcess(BaseModel):
    """Another process that used processor time during the cell; ``cpu_s`` is in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    pid: Annotated[int, Field(ge=0, le=1 << 31)]
    name: _Short
    cpu_s: Annotated[float, Field(ge=0, le=1e9)]


class Evidence(BaseModel):
    """The board's states, and the ``busiest`` other processes.

    States are read ``before`` anything is loaded, at the ``start`` of the timed passes, after each pass (``during``),
    at the ``end`` of the passes, and ``after`` everything.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: State
    start: State
    during: Annotated[tuple[State, ...], Field(max_length=256)]
    end: State
    after: State
    busiest: Annotated[tuple[BusyProcess, ...], Field(max_length=5)]


class NodeTime(BaseModel):
    """One node of a network: its operator, and the total time of all its ``calls`` in nanoseconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Short
    op: _Short
    provider: _Short
    calls: Annotated[int, Field(ge=0, le=1_000_000)]
    total_ns: Nanoseconds


class Profile(BaseModel):
    """The time of each node, over ``runs`` inferences that are not part of the measurement.

    ``how`` names the profiler, or says why there is no profile.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    how: _Short
    runs: Annotated[int, Field(ge=0, le=1_000_000)]
    nodes: Annotated[tuple[NodeTime, ...], Field(max_length=512)]


class Canaries(BaseModel):
    """The canary before the model was loaded, and after the last timed inference."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: Canary
    after: Canary


class OutputTensor(BaseModel):
    """One output as it lies in the outputs file: ``shapes`` has one shape for each sample, or one for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=1024)]
    dtype: Annotated[str, Field(pattern=r"^[a-z0-9]{1,16}$")]
    shapes: Annotated[
        tuple[Annotated[tuple[Annotated[int, Field(ge=0, le=1 << 40)], ...], Field(max_length=MAX_RANK)], ...],
        Field(min_length=1, max_length=MAX_SAMPLES),
        FailFast(),
    ]


class OutputsAnswer(BaseModel):
    """What the outputs file of the first pass holds: the first ``samples``, in order, each with all its tensors.

    ``bytes`` and ``sha256`` are the file's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: Annotated[int, Field(ge=0, le=MAX_SAMPLES)]
    bytes: Annotated[int, Field(ge=0, le=OUTPUTS_LIMIT)]
    sha256: Annotated[str, Field(pattern=HEX64)]
    tensors: Annotated[tuple[OutputTensor, ...], Field(max_length=MAX_TENSORS)]


class RunnerResult(_Answer):
    """A finished measurement. ``_ns`` values are the board's clock.

    ``predictions`` are class indices in image order; empty where the runner got tensors and not images.
    ``allocate_ns`` is the part of ``load_ns`` that allocates tensors, where the runtime tells the two apart.
    """

    status: Literal["ok"]
    load_ns: Nanoseconds
    allocate_ns: Nanoseconds | None
    first_inference_ns: Nanoseconds
    warmup_ns: Annotated[tuple[Nanoseconds, ...], Field(max_length=MAX_SAMPLES), FailFast()]
    warmup_ended: Literal["steady", "max-runs", "max-time", "fixed"]
    latency_ns: Annotated[
        tuple[Annotated[int, Field(gt=0, le=3_600_000_000_000)], ...],
        Field(min_length=1, max_length=MAX_SAMPLES),
        FailFast(),  # a million wrong values would give a million error messages
    ]
    predictions: Annotated[
        tuple[Annotated[int, Field(ge=0, le=10_000)], ...], Field(max_length=MAX_SAMPLES), FailFast()
    ]
    predictions_stable: bool
    #: number of timed inferences whose output was looked at and held NaN or infinity; of scores all are looked at
    not_finite: Annotated[int, Field(ge=0, le=MAX_SAMPLES)] = 0
    outputs_sha256: _Short
    #: what came back of the first pass; None where the order asked for nothing
    outputs: OutputsAnswer | None = None
    model_sha256: _Short
    inputs_sha256: _Short
    delegate: Delegate
    runtime_version: _Short | None
    runtime_build: _Short | None
    numpy_version: _Short
    import_ns: Annotated[dict[_Short, Nanoseconds], Field(max_length=16)]
    peak_rss_bytes: Annotated[int, Field(ge=0, le=1 << 50)]
    inject_slowdown: float
    state_root: _Short
    evidence: Evidence
    profile: Profile | None = None
    canary: Canaries | None = None
    #: whether a process that had imported the runtime was forked, so that memory and times of the start don't count
    forked: bool = False


def parse_answer(data: bytes, cell: str) -> RunnerResult | RunnerFailure:
    """Check the bytes that a board sent as its answer.

    Args:
        cell: the name of the cell that the answer must repeat.

    Raises:
        RunnerError: the answer is too large, is not JSON, breaks the schema, or belongs to another cell.
    """
    if len(data) > RESULT_LIMIT:
        raise RunnerError(f"the result is over {RESULT_LIMIT >> 20} MiB")
    try:
        raw = untrusted.load(data)
        model = RunnerFailure if isinstance(raw, dict) and raw.get("status") == "error" else RunnerResult
        answer = model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = plain(".".join(map(str, first["loc"])))[:200]
        raise RunnerError(f"the result is wrong at '{place}': {first['msg']}") from error
    except ValueError as error:
        raise RunnerError(f"the result is not JSON: {plain(str(error))[:200]}") from error
    if answer.cell != cell:
        raise RunnerError(f"the result is of another cell: '{plain(answer.cell)[:200]}'")
    return answer
