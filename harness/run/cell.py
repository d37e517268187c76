"""The record of one cell, made from the runner's answer and the controller's knowledge."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from harness import __version__
from harness.core.errors import HarnessError, RunnerError
from harness.core.safetext import plain
from harness.records.answer import Delegate, RunnerResult
from harness.records.cell import Cell, DeviceInfo, ModelInfo, Reason, RuntimeInfo, Status
from harness.records.golden import OutputsCheck
from harness.records.samples import ConvertedFrom, Metric
from harness.run.context import Context
from harness.run.evidence import CellEvidence
from harness.run.golden.comparer import Compared, Comparer
from harness.run.images import TestSet
from harness.run.inventory import Shipped
from harness.run.judging import Judged
from harness.run.plan import CellJob
from harness.run.rounds import one_round
from harness.run.verdict.energy import energy
from harness.run.verdict.judge import judge
from harness.runtimes.registry import RUNTIMES


def now() -> str:
    """The controller's time, UTC, ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Measurement:
    """One attempt at a cell: the job, its inputs, the device's context, and when it began (ISO 8601, UTC).

    ``comparer`` has the golden outputs; None where outputs are not compared.
    """

    job: CellJob
    test: TestSet
    context: Context
    comparer: Comparer | None = None
    started: str = field(default_factory=now)


@dataclass(frozen=True)
class _Numbers:
    """The measured values, as in :class:`harness.records.cell.Cell`; a cell without a measurement has none of them."""

    load_ns: int | None = None
    allocate_ns: int | None = None
    first_inference_ns: int | None = None
    warmup_ns: tuple[int, ...] = ()
    latency_ns: tuple[int, ...] = ()
    predictions: tuple[int, ...] = ()
    accuracy: float | None = None
    metric: Metric | None = None
    outputs: OutputsCheck | None = None
    peak_rss_bytes: int | None = None
    energy_j: float | None = None


@dataclass(frozen=True)
class _Verdict:
    status: Status
    reasons: list[Reason]
    evidence: dict[str, object]


def finished(
    measurement: Measurement, answer: RunnerResult, *, compared: Compared | None = None, stderr: str = ""
) -> Cell:
    """The record of a cell whose runner finished, with its verdict.

    Args:
        compared: its outputs beside golden ones; None where nobody looked.

    Raises:
        RunnerError: the answer doesn't fit the job.
    """
    job, test, context = measurement.job, measurement.test, measurement.context
    n, predictions = test.info.n, test.info.n if test.tensors is None else 0
    if len(answer.predictions) != predictions or len(answer.latency_ns) % n:
        raise RunnerError(f"{len(answer.predictions)} predictions and {len(answer.latency_ns)} times for {n} samples")
    if answer.model_sha256 != job.shipped.artifact.sha256 or answer.inputs_sha256 != test.file_sha256:
        raise RunnerError("the runner measured other files than it was sent")
    labels = test.info.right_classes if test.tensors is None else ()
    worth = _worth(test, answer.predictions, compared)
    delegate = _delegate_name(job.runtime, answer.delegate.applied)
    runtime = _runtime(job, answer.runtime_version, delegate, answer.delegate)
    status, reasons = judge(job, answer, runtime, context=context, labels=labels, compared=compared)
    if worth.wrong:
        status, reasons = "INVALID" if status == "VALID" else status, [*reasons, _not_judged(worth.wrong)]
    used = energy(answer) if context.device.effective_clock == "wall" else None
    evidence = CellEvidence.of(answer, context, threads=job.threads, energy=used, stderr=stderr)
    alone = not answer.forked  # a forked process loads otherwise, and lacks pages that its parent has
    numbers = _Numbers(
        load_ns=answer.load_ns if alone else None,
        allocate_ns=answer.allocate_ns if alone else None,
        first_inference_ns=answer.first_inference_ns if alone else None,
        warmup_ns=answer.warmup_ns,
        latency_ns=answer.latency_ns,
        predictions=worth.predictions,
        accuracy=worth.accuracy,
        metric=worth.metric,
        outputs=compared.check if compared else None,
        peak_rss_bytes=answer.peak_rss_bytes if alone else None,
        energy_j=used.joules if used else None,
    )
    found = evidence.model_dump(mode="json")
    if compared and compared.missing:
        found["outputs_missing"] = compared.missing
    verdict = _Verdict(status, reasons, found)
    canary = answer.canary
    cell = _cell(measurement, verdict, runtime, numbers)
    return one_round(cell, canary.before if canary else None, canary.after if canary else None)


def _worth(test: TestSet, predictions: tuple[int, ...], compared: Compared | None) -> Judged:
    """How good the answers are: by predictions where the board got images, by the outputs where a task judges them."""
    labels = test.info.right_classes
    if test.judge is not None:
        judged = compared.judged if compared else None
        return judged or Judged(predictions, wrong="the outputs did not come back, so nothing could judge them")
    if not labels:
        return Judged(predictions)
    right = sum(p == label for p, label in zip(predictions, labels, strict=True))
    return Judged(predictions, right / len(labels))


def _not_judged(why: str) -> Reason:
    return Reason(code="not-judged", text=clip(f"no accuracy: {why}"))


def failed(measurement: Measurement, reasons: list[Reason], *, stderr: str = "") -> Cell:
    """The record of a cell without a measurement."""
    verdict = _Verdict("FAILED", reasons, {"stderr": stderr} if stderr else {})
    return _cell(measurement, verdict, _runtime(measurement.job, measurement.job.release, None, None), _Numbers())


def reason_of(error: HarnessError) -> Reason:
    """An error as a cell's reason. Its text may quote a board, so it is sanitised and cut."""
    return Reason(code=error.code, text=clip(str(error)))


def clip(text: str) -> str:
    """A board's text, sanitised and cut to the length that a reason may have."""
    return plain(text)[:4000]


def _delegate_name(runtime: str, applied: str | None) -> str | None:
    """The delegate that ran, under the name by which it is requested."""
    return None if applied is None else RUNTIMES[runtime].same_as.get(applied, applied)


def _runtime(job: CellJob, version: str | None, applied: str | None, detail: Delegate | None) -> RuntimeInfo:
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


def _cell(measurement: Measurement, verdict: _Verdict, runtime: RuntimeInfo, numbers: _Numbers) -> Cell:
    return Cell(
        run=measurement.context.run,
        cell=measurement.job.cell,
        status=verdict.status,
        reasons=tuple(verdict.reasons),
        device=device_info(measurement.context),
        model=_model_info(measurement.job),
        split=measurement.test.info,
        runtime=runtime,
        started=measurement.started,
        ended=now(),
        harness=__version__,
        evidence=verdict.evidence,
        load_ns=numbers.load_ns,
        allocate_ns=numbers.allocate_ns,
        first_inference_ns=numbers.first_inference_ns,
        warmup_ns=numbers.warmup_ns,
        latency_ns=numbers.latency_ns,
        predictions=numbers.predictions,
        accuracy=numbers.accuracy,
        metric=numbers.metric,
        outputs=numbers.outputs,
        peak_rss_bytes=numbers.peak_rss_bytes,
        energy_j=numbers.energy_j,
    )


def _model_info(job: CellJob) -> ModelInfo:
    shipped, strangers = job.shipped, job.shipped.artifact.unseen
    reference = (strangers.accuracy if strangers else None) if job.unseen else shipped.artifact.accuracy
    return ModelInfo(
        name=shipped.manifest.name,
        variant=shipped.artifact.variant,
        format=shipped.artifact.format,
        sha256=shipped.artifact.sha256,
        parameters=shipped.manifest.parameters,
        macs=shipped.manifest.macs,
        bytes=shipped.artifact.bytes,
        reference_accuracy=reference,
        source=shipped.artifact.source,
        converted_from=_converted_from(shipped),
    )


def _converted_from(shipped: Shipped) -> ConvertedFrom | None:
    original = shipped.original
    if original is None:
        return None
    return ConvertedFrom(sha256=original.artifact.sha256, bytes=original.artifact.bytes, by=original.by)


def device_info(context: Context) -> DeviceInfo:
    """The board's description from devices.yaml and from its probe."""
    device, probe = context.device, context.probe
    listed = DeviceInfo(
        name=device.name,
        board=device.board,
        emulated=device.emulate,
        local=device.local,
        clock=device.effective_clock,
        tags=device.tags,
    )
    if probe is None:
        return listed
    return DeviceInfo(
        name=listed.name,
        board=listed.board,
        emulated=listed.emulated,
        local=listed.local,
        clock=listed.clock,
        tags=listed.tags,
        cpu=probe.cpu.model or device.family.cpu,
        cpu_part=probe.cpu.part,
        cores=probe.cpu.cores,
        features=probe.cpu.features,
        memory_bytes=probe.memory_bytes,
        machine=probe.platform.machine,
        os=probe.os,
        kernel=probe.kernel,
        libc=probe.libc,
        python=probe.python,
    )
