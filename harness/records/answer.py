"""What a runner may answer: the schema and the limits. All of it comes from a board: hostile until checked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

from harness.core import untrusted as boardjson
from harness.core.errors import RunnerError
from harness.core.safetext import plain
from harness.records.cell import MAX_SAMPLES, Canary, Nanoseconds

#: A result file is refused above this: 1e6 samples of ~10 digits, and evidence.
RESULT_LIMIT = 32 << 20
_Short = Annotated[str, Field(max_length=2000)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    schema_version: Literal[1] = Field(alias="schema")
    cell: str
    machine: _Short
    python: _Short
    cpuinfo: Annotated[tuple[_Short, ...], Field(max_length=64)]
    #: the clock that was read: its name and resolution, for people
    clock: Annotated[dict[_Short, Annotated[int, Field(ge=0, le=10**12)] | _Short], Field(max_length=8)]


class RunnerFailure(_Answer):
    """The runner says why it could not."""

    status: Literal["error"]
    code: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    text: Annotated[str, Field(max_length=20_000)]


class Delegate(BaseModel):
    """Which delegate or provider the runtime says it used, and for how many nodes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    applied: _Short | None
    how: _Short
    nodes_total: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    nodes_delegated: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    nodes_left: Annotated[tuple[_Short, ...], Field(max_length=64)] = ()


#: What a board said of itself at one moment: {path in /proc or /sys, or command: its text}.
State = Annotated[dict[_Short, Annotated[str, Field(max_length=5000)]], Field(max_length=1000)]


class BusyProcess(BaseModel):
    """Another process that used processor time during the cell, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    pid: Annotated[int, Field(ge=0, le=1 << 31)]
    name: _Short
    cpu_s: Annotated[float, Field(ge=0, le=1e9)]


class Evidence(BaseModel):
    """The board's states: ``before`` anything was loaded, at the ``start`` of the timed passes, after each of them
    (``during``), at their ``end``, and ``after`` everything; and the ``busiest`` other processes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: State
    start: State
    during: Annotated[tuple[State, ...], Field(max_length=256)]
    end: State
    after: State
    busiest: Annotated[tuple[BusyProcess, ...], Field(max_length=5)]


class NodeTime(BaseModel):
    """One node of a network: its kind of operator, and the time of all its ``calls``, in nanoseconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Short
    op: _Short
    provider: _Short
    calls: Annotated[int, Field(ge=0, le=1_000_000)]
    total_ns: Nanoseconds


class Profile(BaseModel):
    """What took how long inside the runtime, over ``runs`` inferences that were not timed otherwise. ``how`` says by
    what it was found, or why there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    how: _Short
    runs: Annotated[int, Field(ge=0, le=1_000_000)]
    nodes: Annotated[tuple[NodeTime, ...], Field(max_length=512)]


class Canaries(BaseModel):
    """The canary before the model was loaded, and after the last timed inference."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: Canary
    after: Canary


class RunnerResult(_Answer):
    """A finished measurement. ``_ns`` values are the board's clock; predictions are class indices in image order.

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
        FailFast(),  # a million wrong values would be a million explanations
    ]
    predictions: Annotated[
        tuple[Annotated[int, Field(ge=0, le=10_000)], ...], Field(max_length=MAX_SAMPLES), FailFast()
    ]
    predictions_stable: bool
    #: timed inferences whose output held NaN or infinity
    not_finite: Annotated[int, Field(ge=0, le=MAX_SAMPLES)] = 0
    outputs_sha256: _Short
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


def parse_answer(data: bytes, cell: str) -> RunnerResult | RunnerFailure:
    """Check the bytes a board sent as a result.

    Raises:
        RunnerError: too big, not JSON, not the schema, or another cell's.
    """
    if len(data) > RESULT_LIMIT:
        raise RunnerError(f"the result is over {RESULT_LIMIT >> 20} MiB")
    try:
        raw = boardjson.load(data)
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
