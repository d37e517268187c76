"""Is a measurement to be believed? VALID, INVALID with coded reasons, or FAILED."""

from __future__ import annotations

from harness.answers import RunnerResult
from harness.context import Context
from harness.plan import Job
from harness.records import Reason, RuntimeInfo, Status

#: The wall clock and the monotonic clock of a board may drift apart by this much during a cell.
CLOCK_STEP_S = 2.0


def judge(job: Job, answer: RunnerResult, runtime: RuntimeInfo, context: Context) -> tuple[Status, list[Reason]]:
    """The verdict on a finished cell.

    A delegate that did not run is FAILED (the number would be of something else) unless ``allow_fallback``.
    """
    reasons: list[Reason] = []
    if not runtime.delegate_verified:
        text = f"asked for '{job.delegate}', the board ran '{runtime.delegate_applied}' ({answer.delegate.how})"
        if not job.device.allow_fallback:
            return "FAILED", [Reason(code="delegate-fallback", text=text)]
        reasons.append(Reason(code="delegate-fallback", text=text))
    reasons += _wrong_cpu(answer, context)
    if not answer.predictions_stable:
        reasons.append(
            Reason(code="unstable-predictions", text="two passes over the same images predicted differently")
        )
    if answer.inject_slowdown:
        reasons.append(Reason(code="slowdown-injected", text=f"{answer.inject_slowdown:.1%} slower on purpose"))
    reasons += _throttled(answer)
    reasons += _governor_changed(answer)
    if context.device.effective_clock == "wall":
        reasons += _clock_stepped(answer)
    return ("INVALID" if reasons else "VALID"), reasons


def _wrong_cpu(answer: RunnerResult, context: Context) -> list[Reason]:
    wanted = context.device.family.cpu_part
    found = [line.split(":", 1)[1].strip() for line in answer.cpuinfo if line.startswith("CPU part")]
    if wanted is None or wanted in found:
        return []
    return [Reason(code="wrong-cpu", text=f"a {context.device.board} has CPU part {wanted}, this board shows {found}")]


def _throttled(answer: RunnerResult) -> list[Reason]:
    """Raspberry Pi firmware: bits 0-3 are 'now' (under-voltage, frequency capped, throttled, soft limit)."""
    for when in (answer.evidence.before, answer.evidence.after):
        text = when.get("vcgencmd get_throttled", "")
        _, _, value = text.partition("=0x")
        try:
            now_bits = int(value, 16) & 0xF if value else 0
        except ValueError:
            continue
        if now_bits:
            return [Reason(code="throttled", text=f"the board's firmware says '{text}'")]
    return []


def _governor_changed(answer: RunnerResult) -> list[Reason]:
    for path, before in answer.evidence.before.items():
        if path.endswith("scaling_governor") and answer.evidence.after.get(path, before) != before:
            return [Reason(code="governor-changed", text=f"{path}: '{before}' became '{answer.evidence.after[path]}'")]
    return []


def _clock_stepped(answer: RunnerResult) -> list[Reason]:
    try:
        wall = float(answer.evidence.after["wall_s"]) - float(answer.evidence.before["wall_s"])
        steady = (int(answer.evidence.after["monotonic_ns"]) - int(answer.evidence.before["monotonic_ns"])) / 1e9
    except (KeyError, ValueError):
        return []
    if abs(wall - steady) <= CLOCK_STEP_S:
        return []
    return [Reason(code="clock-stepped", text=f"the board's clock moved {wall:.1f} s while {steady:.1f} s passed")]
