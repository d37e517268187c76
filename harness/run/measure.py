"""One cell: hand the runner its job, bound and check what comes back, and judge it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness import __version__
from harness.core.errors import HarnessError, RunnerError
from harness.core.safetext import plain
from harness.records.answer import RESULT_LIMIT, Delegate, RunnerFailure, RunnerResult, parse_answer
from harness.records.cell import Cell, DeviceInfo, ModelInfo, Reason, RuntimeInfo
from harness.records.order import Order, Passes, WarmUp
from harness.remote.base import Connection
from harness.run.context import Context
from harness.run.images import TestSet
from harness.run.plan import Job
from harness.run.sources import SOURCES
from harness.run.verdict import judge as verdict
from harness.run.verdict.energy import energy
from harness.run.verdict.judge import judge
from harness.runtimes.registry import RUNTIMES

#: MLPerf Inference Rules, SingleStream: at least 600 s, and for the p90 estimate at least 64 samples (early stopping).
MLPERF_S, MLPERF_RUNS = 600, 64

#: One answer at a time is taken apart: what a hostile one becomes in memory does not count once for each board.
_PARSING = threading.Lock()

#: The slowest thing seen, a full VGG19 on an emulated Cortex-A53, takes 5 ns.
SLOWEST_S_PER_MAC = 20e-9


@dataclass(frozen=True)
class Prepared:
    """What is on the board for a cell: paths there."""

    runner: str
    model: str
    inputs: str
    #: folders that the runner imports the runtime from, before the board's own
    packages: tuple[str, ...]
    #: the runtime that fits this board; it may stand in for the job's
    runtime: str


def run_cell(
    connection: Connection, job: Job, prepared: Prepared, test: TestSet, context: Context, *, limit_s: float
) -> Cell:
    """Measure one cell on a board, in at most ``limit_s`` seconds.

    Raises:
        TransportError: the connection failed (the caller may try again on a new one).
        RunnerError: the runner gave no usable answer.
    """
    started = now()
    result = f"{connection.root}/results/{job.cell}.json"
    given = order(job, prepared, test, context).to_json() + "\n"
    done = connection.run(
        ["python3", "-s", prepared.runner, "--job", "-", "--result", result],
        timeout_s=limit_s,
        stdin=given.encode(),
        hold_stdin=True,
        env={"PYTHONHASHSEED": "0"},
        stdout_limit=1 << 16,
    )
    stderr = plain(done.stderr.decode("utf-8", "replace"))[-3000:]
    size = RESULT_LIMIT + 1
    take = 'head -c "$1" "$2" && rm -f "$2"'
    fetched = connection.run(["sh", "-c", take, "sh", str(size), result], timeout_s=120, stdout_limit=size)
    if fetched.returncode:
        signal = done.returncode - 128 if done.returncode > 128 else -done.returncode
        how = f"was ended by signal {signal}" if signal > 0 else f"ended with status {done.returncode}"
        how += " (kill: often the kernel's, when memory runs out)" if signal == 9 else ""
        raise RunnerError(f"the runner {how} and left no result: {stderr.strip()[-800:] or 'nothing said'}")
    with _PARSING:
        answer = parse_answer(fetched.stdout, job.cell)
    if isinstance(answer, RunnerResult) and done.returncode:
        raise RunnerError(f"the runner ended with status {done.returncode}, so the result there is an older one's")
    if isinstance(answer, RunnerFailure):
        return failed(job, test, context, [Reason(code=answer.code, text=_clip(answer.text))], started, stderr=stderr)
    return finished(job, answer, test, context, started, stderr)


def work(job: Job, test: TestSet) -> float:
    """Multiply-accumulates that a cell comes to, more or less."""
    return float(max(test.info.n, 50) + 60) * job.shipped.manifest.macs


def timeout_s(job: Job, test: TestSet, *, mlperf: bool = False) -> float:
    """How long a cell may take on a board that is not known yet: two minutes, and some time for each
    multiply-accumulate that is due.

    :mod:`harness.run.timeouts` knows better after the first cell. MLPerf's rules ask for ten minutes of inferences.
    """
    return 120 + 2 * MLPERF_S * mlperf + work(job, test) * SLOWEST_S_PER_MAC


def order(job: Job, prepared: Prepared, test: TestSet, context: Context) -> Order:
    """What the runner is told to do."""
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
        warmup=warmup,
        passes=passes,
        sources=SOURCES,
        state_root=context.state_root,
        profile=context.profile_ops,
    )


def _timing(context: Context) -> tuple[WarmUp, Passes]:
    """How long to warm up and to time.

    Wall clock: as LiteRT's benchmark_model does (>= 0.5 s of warm-up; >= 50 runs and >= 1 s, at most 150 s), in whole
    passes over the images, and no end of the warm-up before the series is steady (bounded by 2 s more or less, so that
    a noisy machine can't hold a run up). Instruction clock: it has no noise, so one pass after three runs.
    """
    slowdown = context.inject_slowdown
    if context.device.effective_clock != "wall":
        return (
            WarmUp(min_runs=3, min_ns=0, max_runs=3),
            Passes(min_runs=1, min_ns=0, max_ns=10**15, inject_slowdown=slowdown),
        )
    tolerance = context.device.thresholds.warmup_tolerance
    warmup = WarmUp(
        min_runs=5, min_ns=500_000_000, max_runs=5000, max_ns=2_500_000_000, tolerance=tolerance, watch=True
    )
    runs, nanoseconds, most = (50, 1_000_000_000, 150_000_000_000)
    if context.mlperf:
        runs, nanoseconds, most = (MLPERF_RUNS, MLPERF_S * 10**9, 10**15)
    return warmup, Passes(min_runs=runs, min_ns=nanoseconds, max_ns=most, watch=True, inject_slowdown=slowdown)


def finished(job: Job, answer: RunnerResult, test: TestSet, context: Context, started: str, stderr: str) -> Cell:
    """The record of a cell whose runner came to an end, with its verdict.

    Raises:
        RunnerError: the answer doesn't fit the job.
    """
    n = test.info.n
    if len(answer.predictions) != n or len(answer.latency_ns) % n:
        raise RunnerError(f"{len(answer.predictions)} predictions and {len(answer.latency_ns)} times for {n} images")
    if answer.model_sha256 != job.shipped.artifact.sha256 or answer.inputs_sha256 != test.file_sha256:
        raise RunnerError("the runner measured other files than it was sent")
    right = sum(p == label for p, label in zip(answer.predictions, test.info.labels, strict=True))
    delegate = _delegate_name(job.runtime, answer.delegate.applied)
    runtime = _runtime(job, answer.runtime_version, delegate, answer.delegate)
    status, reasons = judge(job, answer, runtime, context, test.info.labels)
    used = energy(answer) if context.device.effective_clock == "wall" else None
    evidence = answer.evidence.model_dump(mode="json") | {
        "cpuinfo": list(answer.cpuinfo),
        "uname_machine": answer.machine,
        "clock": answer.clock,
        "delegate": answer.delegate.model_dump(mode="json"),
        "numpy": answer.numpy_version,
        "runtime_build": plain(answer.runtime_build or "") or None,
        "warmup_ended": answer.warmup_ended,
        "thresholds": context.device.thresholds.model_dump(),
        "energy": vars(used) if used else None,
        "found": verdict.found(answer, job.threads),
        "state_root": answer.state_root,
        "profile": answer.profile.model_dump(mode="json") if answer.profile else None,
        "import_ns": answer.import_ns,
        "outputs_sha256": answer.outputs_sha256,
        "not_finite": answer.not_finite,
        "stderr": stderr,
    }
    return _cell(
        job, test, context, status, reasons, started, runtime,
        load_ns=answer.load_ns, allocate_ns=answer.allocate_ns, first_inference_ns=answer.first_inference_ns,
        warmup_ns=answer.warmup_ns, latency_ns=answer.latency_ns, predictions=answer.predictions, accuracy=right / n,
        peak_rss_bytes=answer.peak_rss_bytes, energy_j=used.joules if used else None, evidence=evidence,
    )  # fmt: skip


def failed(job: Job, test: TestSet, context: Context, reasons: list[Reason], started: str, *, stderr: str = "") -> Cell:
    """The record of a cell that gave no measurement."""
    evidence = {"stderr": stderr} if stderr else {}
    return _cell(job, test, context, "FAILED", reasons, started, _runtime(job, None, None, None), evidence=evidence)


def reason_of(error: HarnessError) -> Reason:
    """An error as a cell's reason; its text may quote a board, so it is made plain and cut."""
    return Reason(code=error.code, text=_clip(str(error)))


def now() -> str:
    """The controller's time, UTC, ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _clip(text: str) -> str:
    return plain(text)[:4000]


def _delegate_name(runtime: str, applied: str | None) -> str | None:
    """The delegate that ran, by the name it is asked for."""
    return None if applied is None else RUNTIMES[runtime].same_as.get(applied, applied)


def _runtime(job: Job, version: str | None, applied: str | None, detail: Delegate | None) -> RuntimeInfo:
    return RuntimeInfo(
        name=job.runtime,
        version=version,
        delegate=job.delegate,
        delegate_applied=detail.applied if detail else None,
        delegate_verified=applied is not None and applied == job.delegate,
        nodes_delegated=detail.nodes_delegated if detail else None,
        nodes_total=detail.nodes_total if detail else None,
        threads=job.threads,
    )


def _cell(
    job: Job, test: TestSet, context: Context, status: Any, reasons: list[Reason], started: str,
    runtime: RuntimeInfo, **measured: Any,
) -> Cell:  # fmt: skip
    shipped = job.shipped
    return Cell(
        run=context.run,
        cell=job.cell,
        status=status,
        reasons=tuple(reasons),
        device=device_info(context),
        model=ModelInfo(
            name=shipped.manifest.name,
            variant=shipped.artifact.variant,
            format=shipped.artifact.format,
            sha256=shipped.artifact.sha256,
            parameters=shipped.manifest.parameters,
            macs=shipped.manifest.macs,
            bytes=shipped.artifact.bytes,
            reference_accuracy=shipped.artifact.accuracy,
        ),
        split=test.info,
        runtime=runtime,
        started=started,
        ended=now(),
        harness=__version__,
        **measured,
    )


def device_info(context: Context) -> DeviceInfo:
    """The board as devices.yaml names it and as its probe describes it."""
    device, probe = context.device, context.probe
    base: dict[str, Any] = {
        "name": device.name,
        "board": device.board,
        "emulated": device.emulate,
        "local": device.local,
        "clock": device.effective_clock,
        "tags": device.tags,
    }
    if probe is not None:
        base |= {
            "cpu": probe.cpu.model or device.family.cpu,
            "cpu_part": probe.cpu.part,
            "cores": probe.cpu.cores,
            "features": probe.cpu.features,
            "memory_bytes": probe.memory_bytes,
            "machine": probe.machine,
            "os": probe.os,
            "kernel": probe.kernel,
            "libc": probe.libc,
            "python": probe.python,
        }
    return DeviceInfo(**base)
