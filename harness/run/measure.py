"""One cell is measured on a board: the runner receives its order, and its answer is bounded and checked."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from harness.core.errors import (
    ConnectionLostError,
    OutputLimitError,
    RemoteTimeoutError,
    RunnerError,
    TransportError,
)
from harness.core.safetext import plain
from harness.records.answer import RunnerFailure, RunnerResult, parse_answer
from harness.records.cell import Cell, Reason
from harness.records.order import Marks, Order, Passes, WarmUp
from harness.remote.base import Command, Completed, Connection
from harness.run.cell import Measurement, clip, failed, finished
from harness.run.context import Context
from harness.run.forks import ENVIRONMENT, Forks
from harness.run.golden.fetch import result_of
from harness.run.golden.reference import input_tensors
from harness.run.images import TestSet
from harness.run.operators import timeable, timing, with_times
from harness.run.plan import CellJob
from harness.run.sources import SOURCES

#: MLPerf Inference Rules, SingleStream: at least 600 s, and for the p90 estimate at least 64 samples (early stopping).
MLPERF_S, MLPERF_RUNS = 600, 64

#: Nanoseconds of a warm-up, at least and at most, and of the timed series, at least: as in LiteRT's benchmark_model.
WARMUP_NS, WARMUP_MOST_NS, SERIES_NS = 500_000_000, 2_500_000_000, 1_000_000_000

#: The least time of inferences between two looks at the board, where a pass is as short as a few random samples.
STATE_NS = 100_000_000

#: Added to a runtime's error where the inputs are random.
RANDOM = "; if it takes no random values or not these sizes, give your own: --inputs FILE.npz"

#: Answers are parsed one at a time, so that hostile answers of many boards don't fill the memory together.
_PARSING = threading.Lock()

#: The slowest network measured so far, a full VGG19 on an emulated Cortex-A53, takes 5 ns for each.
SLOWEST_S_PER_MAC = 20e-9


@dataclass(frozen=True)
class Prepared:
    """The paths on the board of the files that a cell needs."""

    runner: str
    model: str
    inputs: str
    #: folders from which the runner imports the runtime, before the board's own
    packages: tuple[str, ...]
    #: the runtime that fits this board; it may replace the job's
    runtime: str


def run_cell(
    connection: Connection,
    measurement: Measurement,
    prepared: Prepared,
    *,
    limit_s: float,
    marks: Marks | None = None,
    forks: Forks | None = None,
) -> Cell:
    """Measure one cell on a board, in at most ``limit_s`` seconds. ``marks`` tells the runner what to mark for an
    emulator's plugin. With ``forks`` a forked process measures where the board and the runtime allow it.

    Raises:
        TransportError: the connection failed; the caller may retry on a new one.
        RunnerError: the runner gave no usable answer.
    """
    job, test = measurement.job, measurement.test
    result = f"{connection.root}/results/{job.cell}.json"
    kept, comparer = f"{result}.outputs", measurement.comparer
    parts = timeable(job, measurement.context)
    given = replace(
        order(job, prepared, test, measurement.context, marks=marks),
        outputs=comparer.order(kept) if comparer else None,
        prefixes=timing(parts),
    )
    done = forks.run(connection, prepared.runner, given, result=result, limit_s=limit_s) if forks else None
    if done is None:
        done = _own_process(connection, prepared.runner, given, result=result, limit_s=limit_s)
    stderr = plain(done.stderr.decode("utf-8", "replace"))[-3000:]
    taken = _taken(connection, result, done, forks)
    with _PARSING:
        answer = parse_answer(taken, job.cell)
    if isinstance(answer, RunnerResult) and done.returncode:
        raise RunnerError(f"the runner ended with status {done.returncode}, so the result there is an older one's")
    if isinstance(answer, RunnerFailure):
        hint = RANDOM if answer.code == "runtime-error" and test.info.scheme == "seeded" else ""
        return failed(measurement, [Reason(code=answer.code, text=clip(answer.text) + hint)], stderr=stderr)
    compared = comparer.compare(connection, kept, answer, runtime=prepared.runtime) if comparer else None
    return with_times(finished(measurement, answer, compared=compared, stderr=stderr), parts, answer.prefixes)


def _own_process(connection: Connection, runner: str, given: Order, *, result: str, limit_s: float) -> Completed:
    """Run the runner once, for one cell."""
    return connection.run(
        Command(
            ["python3", "-s", runner, "--job", "-", "--result", result],
            timeout_s=limit_s,
            stdin=given.to_json().encode() + b"\n",
            hold_stdin=True,
            env=ENVIRONMENT,
            stdout_limit=1 << 16,
        )
    )


def _taken(connection: Connection, result: str, done: Completed, forks: Forks | None) -> bytes:
    """The runner's answer, which is removed from the board."""
    try:
        return result_of(connection, result, done)
    except (ConnectionLostError, RemoteTimeoutError, OutputLimitError):
        raise
    except TransportError:
        if forks is None:
            raise
        forks.refuse_all()  # the server may allow no further session beside lease and fork
        return result_of(connection, result, done)


def work(job: CellJob, test: TestSet) -> float:
    """The approximate number of multiply-accumulates in a cell."""
    macs = job.shipped.manifest.macs
    # where nobody could count them: every weight is used a hundred times, as in a small convolutional network
    return float(max(test.info.n, 50) + 60) * (max(100.0 * job.shipped.artifact.bytes, 1e8) if macs is None else macs)


def timeout_s(job: CellJob, test: TestSet, *, mlperf: bool = False) -> float:
    """Seconds that a cell may take on a board whose speed is unknown: two minutes, plus time for each
    multiply-accumulate.

    After the first cell, :mod:`harness.run.timeouts` has a better estimate. MLPerf's rules require ten minutes of
    inferences.
    """
    return 120 + 2 * MLPERF_S * mlperf + work(job, test) * SLOWEST_S_PER_MAC


def order(job: CellJob, prepared: Prepared, test: TestSet, context: Context, *, marks: Marks | None = None) -> Order:
    """The order for the runner."""
    warmup, passes = _timing(context)
    return Order(
        cell=job.cell,
        model=prepared.model,
        model_sha256=job.shipped.artifact.sha256,
        inputs=prepared.inputs,
        inputs_sha256=test.file_sha256,
        variant=job.shipped.artifact.variant,
        runtime=prepared.runtime,
        packages=prepared.packages,
        delegate=job.delegate,
        threads=job.threads,
        classes=len(test.info.classes),
        quantised_output=job.shipped.artifact.output.scale is not None,
        quantised_input=job.shipped.artifact.quantised_input,
        warmup=warmup,
        passes=passes if test.tensors is None else replace(passes, state_ns=STATE_NS),
        sources=SOURCES,
        state_root=context.state_root,
        profile=context.profile_ops,
        marks=marks,
        canary=context.device.effective_clock == "wall",
        tensors=input_tensors(test),
    )


def _timing(context: Context) -> tuple[WarmUp, Passes]:
    """The lengths of the warm-up and of the timed series.

    Wall clock: as in LiteRT's benchmark_model (>= 0.5 s of warm-up; >= 50 runs and >= 1 s, at most 150 s), in whole
    passes over the images. The warm-up goes on until the series is steady, for about 2 s more at most, so that a noisy
    machine can't delay a run. Each of several rounds does its share of that. Instruction clock: it has no noise, so one
    pass after three runs is enough.
    """
    slowdown = context.inject_slowdown
    if context.device.effective_clock != "wall":
        return (
            WarmUp(min_runs=3, min_ns=0, max_runs=3),
            Passes(min_runs=1, min_ns=0, max_ns=10**15, inject_slowdown=slowdown),
        )
    rounds, tolerance = context.rounds, context.device.thresholds.warmup_tolerance
    warmup = WarmUp(
        min_runs=5,
        min_ns=WARMUP_NS // rounds,
        max_runs=5000,
        max_ns=WARMUP_MOST_NS // rounds,
        tolerance=tolerance,
        watch=True,
    )
    # with several rounds, the p90 of a cell follows MLPerf's rule, which needs this many samples
    runs, nanoseconds, most = (50 if rounds == 1 else MLPERF_RUNS, SERIES_NS, 150_000_000_000)
    if context.mlperf:
        runs, nanoseconds, most = (MLPERF_RUNS, MLPERF_S * 10**9, 10**15)
    passes = Passes(
        min_runs=-(-runs // rounds),
        min_ns=nanoseconds // rounds,
        max_ns=most // rounds,
        watch=True,
        inject_slowdown=slowdown,
    )
    return warmup, passes
