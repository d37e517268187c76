"""The verdict on a measurement: VALID, INVALID with coded reasons, or FAILED.

The limits are in :mod:`harness.config.thresholds`; ``docs/measuring.md`` has the table of reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.boards.registry import disturbances
from harness.boards.state import BoardState
from harness.config.thresholds import Thresholds
from harness.core.safetext import plain
from harness.data.synthetic.strangers import SEEDS
from harness.records.answer import RunnerResult
from harness.records.cell import Reason, RuntimeInfo, Status
from harness.run.context import Context
from harness.run.golden.comparer import Compared
from harness.run.plan import CellJob
from harness.run.verdict import interference, stability
from harness.run.verdict.fallback import fallbacks
from harness.run.verdict.states import CellStates

#: A trend must be this significant before its size is considered: there are many cells, and each is tested.
TREND_P = 0.001


def judge(  # six parameters: what was asked for, what came back, and what that is held against
    job: CellJob,
    answer: RunnerResult,
    runtime: RuntimeInfo,
    context: Context,
    labels: Sequence[int],
    compared: Compared | None = None,
) -> tuple[Status, list[Reason]]:
    """The verdict on a finished cell.

    Args:
        labels: the right classes, in the order of the predictions; empty where nothing judges them.
        compared: the outputs beside golden ones; None where nobody looked.

    What ran instead of what was asked for (another delegate, precision or number of threads) is FAILED, since the
    number would describe something else, unless ``allow_fallback``. Another release of the runtime is always FAILED.
    """
    if not job.requested.ran(answer.runtime_version):
        text = plain(f"asked for {job.requested}, the board ran {answer.runtime_version or 'an unknown release'}")
        return "FAILED", [Reason(code="other-release", text=text[:1000])]
    reasons = [Reason(code="delegate-fallback", text=text) for text in fallbacks(job, answer, runtime)]
    if reasons and not job.device.allow_fallback:
        return "FAILED", reasons
    reasons += _wrong_cpu(answer, context)
    reasons += _on_purpose(answer)
    # an image without a number for each class has no answer, wherever its maximum lies
    reasons += _not_finite(answer) or _answers(job, answer, labels, compared)
    limits, states = context.device.thresholds, CellStates.parse(answer.evidence)
    on_wall_clock = context.device.effective_clock == "wall"
    if on_wall_clock:
        reasons += _background_load(answer, states, limits, job.threads)
    reasons += [Reason(code=disturbance.code, text=disturbance.text) for disturbance in disturbances(states.in_order)]
    if on_wall_clock:
        reasons += _stopped(states, limits)
        reasons += _frequency_dropped(states, limits)
        reasons += _clock_stepped(states, limits)
        reasons += _unstable(answer, limits)
    return ("INVALID" if reasons else "VALID"), reasons


def _wrong_cpu(answer: RunnerResult, context: Context) -> list[Reason]:
    expected = context.device.family.cpu_part
    parts = [line.split(":", 1)[1].strip() for line in answer.cpuinfo if line.startswith("CPU part")]
    if expected is None or expected in parts:
        return []
    text = plain(f"a {context.device.board} has CPU part {expected}, this board shows {parts}")[:1000]
    return [Reason(code="wrong-cpu", text=text)]


def _on_purpose(answer: RunnerResult) -> list[Reason]:
    """A measurement faked by a test must never count."""
    reasons = []
    if answer.inject_slowdown:
        reasons.append(Reason(code="slowdown-injected", text=f"{answer.inject_slowdown:.1%} slower on purpose"))
    if answer.state_root:
        text = plain(f"the board's state was read from '{answer.state_root}'")[:1000]
        reasons.append(Reason(code="state-replaced", text=text))
    return reasons


def _not_finite(answer: RunnerResult) -> list[Reason]:
    if not answer.not_finite:
        return []
    return [not_finite(answer.not_finite, len(answer.latency_ns) if answer.predictions else None)]


def not_finite(count: int, of: int | None) -> Reason:
    """The reason for ``count`` inferences without scores, of so many that were timed; None where the outputs are
    tensors, of which not all are looked at.
    """
    looked = "the outputs that were looked at held NaN or infinity"
    scores = f"{of} outputs held NaN or infinity instead of scores"
    return Reason(code="not-finite", text=f"{count} of {looked if of is None else scores}")


def _answers(job: CellJob, answer: RunnerResult, labels: Sequence[int], compared: Compared | None) -> list[Reason]:
    """Whether the network answers as it should: twice the same, and as golden outputs or, without them, labels say."""
    if not answer.predictions_stable and labels:
        return [Reason(code="unstable-predictions", text="two passes over the same images predicted differently")]
    if not answer.predictions_stable and job.delegate == "cpu" and (compared is None or compared.missing is None):
        return [Reason(code="unstable-predictions", text="two passes over the same inputs gave different outputs")]
    if compared and compared.missing is None:
        return compared.reasons
    return _predictions(job, answer, labels, job.device.thresholds) if labels else []


def _predictions(job: CellJob, answer: RunnerResult, labels: Sequence[int], limits: Thresholds) -> list[Reason]:
    """The share of right answers beside that of the artifact when it was built."""
    if limits.predictions is None:
        return []
    differing = least_differing(job, answer.predictions, labels)
    if differing <= max(1.0, limits.predictions * len(labels)):
        return []
    right = sum(p == label for p, label in zip(answer.predictions, labels, strict=True))
    accuracy, _ = _when_built(job) or (0.0, 0)
    text = (
        f"{right} of {len(labels)} images are right; the artifact's accuracy was "
        f"{accuracy:.1%} when it was built, so at least {differing} answers differ"
    )
    return [Reason(code="predictions-differ", text=text)]


def least_differing(job: CellJob, predictions: Sequence[int], labels: Sequence[int]) -> int:
    """The least number of answers that must differ from those given when the artifact was built.

    The manifest records how many of the test images were right then. Of the images run here, perhaps a subset, the
    number right then lies between two bounds. Every answer by which the present number lies outside these bounds has
    changed.
    """
    found = _when_built(job)
    if found is None:
        return 0
    accuracy, images = found
    total = max(images, len(labels))
    right_then = round(accuracy * total)
    right = sum(p == label for p, label in zip(predictions, labels, strict=True))
    most, fewest = min(len(labels), right_then), max(0, len(labels) - (total - right_then))
    return max(right - most, fewest - right, 0)


def _when_built(job: CellJob) -> tuple[float, int] | None:
    """(accuracy, number of images) recorded for the artifact on the images that the cell runs; None where unknown."""
    unseen, split, accuracy = job.shipped.artifact.unseen, job.shipped.manifest.split, job.shipped.artifact.accuracy
    if job.unseen:
        return (unseen.accuracy, unseen.n) if unseen and unseen.seeds == SEEDS else None
    return (accuracy, split.n_test) if split is not None and accuracy is not None else None


def _frequency_dropped(states: CellStates, limits: Thresholds) -> list[Reason]:
    """The frequency drop over the timed passes only: before them, a governor may correctly slow an idle board."""
    fall = interference.frequency_drop(states.passes)
    if fall is None or limits.frequency_drop is None or fall[1] >= fall[0] * (1 - limits.frequency_drop):
        return []
    return [Reason(code="frequency-dropped", text=f"from {fall[0]:.0f} to {fall[1]:.0f} MHz during the passes")]


def _background_load(answer: RunnerResult, states: CellStates, limits: Thresholds, threads: int) -> list[Reason]:
    load = interference.between(states.start, states.end, threads)
    if load is None:
        return []
    checks = (
        (load.waited, limits.waited, "of the time the runner waited for a processor that others used"),
        (load.stolen, limits.stolen, "of the processor time went to other virtual machines"),
        (load.others, limits.others, "of the processor time went to other processes"),
        (load.memory_stall, limits.memory_stall, "of the time some process waited for memory"),
    )
    exceeded = [
        f"{value:.0%} {what} (limit {limit:.0%})"
        for value, limit, what in checks
        if value is not None and limit is not None and value > limit
    ]
    if not exceeded:
        return []
    busy = ", ".join(f"{p.name} {p.cpu_s:.1f} s" for p in answer.evidence.busiest[:3])
    text = plain("; ".join(exceeded) + (f"; busiest: {busy}" if busy else ""))[:1000]
    return [Reason(code="background-load", text=text)]


def _unstable(answer: RunnerResult, limits: Thresholds) -> list[Reason]:
    series = answer.latency_ns
    moved, spread = stability.drift(series), stability.dispersion(series)
    exceeded = []
    if limits.drift is not None and abs(moved) > limits.drift and stability.trend_p_value(series) < TREND_P:
        exceeded.append(f"the median moved by {moved:+.0%} from the first third to the last (limit {limits.drift:.0%})")
    if limits.dispersion is not None and spread > limits.dispersion:
        exceeded.append(f"the middle half spreads over {spread:.0%} of the median (limit {limits.dispersion:.0%})")
    return [Reason(code="unstable", text="; ".join(exceeded))] if exceeded else []


def _clock_stepped(states: CellStates, limits: Thresholds) -> list[Reason]:
    step_s = clock_step_s(states.before, states.after)
    if step_s is None or limits.clock_step_s is None or abs(step_s) <= limits.clock_step_s:
        return []
    return [Reason(code="clock-stepped", text=f"the wall clock moved by {step_s:+.1f} s against the monotonic clock")]


def _stopped(states: CellStates, limits: Thresholds) -> list[Reason]:
    if limits.stopped_s is None:
        return []
    stops = interference.stops(states)
    exceeded = []
    if stops.suspended_s is not None and stops.suspended_s > limits.stopped_s:
        exceeded.append(f"the machine slept for {stops.suspended_s:.1f} s")
    if stops.continued:
        exceeded.append(f"the runner was stopped and told to go on, {stops.continued} times")
    if stops.idle_s is not None and stops.idle_s > limits.stopped_s:
        exceeded.append(
            f"the runner stood still for {stops.idle_s:.1f} s in one inference: it neither worked nor waited for a "
            f"processor (limit {limits.stopped_s:g} s)"
        )
    return [Reason(code="stopped", text="; ".join(exceeded))] if exceeded else []


def clock_step_s(before: BoardState, after: BoardState) -> float | None:
    """How far the wall clock moved against the monotonic one between two states, in seconds; None if not reported."""
    if before.wall_s is None or after.wall_s is None or before.monotonic_ns is None or after.monotonic_ns is None:
        return None
    return after.wall_s - before.wall_s - (after.monotonic_ns - before.monotonic_ns) / 1e9


def found(answer: RunnerResult, threads: int) -> dict[str, float | None]:
    """The figures behind the verdict on one round, for its evidence. Shares 0 to 1, seconds, MHz."""
    states = CellStates.parse(answer.evidence)
    load = interference.between(states.start, states.end, threads)
    frequency = interference.frequency_drop(states.passes)
    return {
        "trend_p": stability.trend_p_value(answer.latency_ns),
        "drift": stability.drift(answer.latency_ns),
        "dispersion": stability.dispersion(answer.latency_ns),
        **(vars(load) if load else {}),
        "frequency_highest_mhz": frequency[0] if frequency else None,
        "frequency_lowest_mhz": frequency[1] if frequency else None,
        "clock_step_s": clock_step_s(states.before, states.after),
        **vars(interference.stops(states)),
    }


def _furthest(values: Iterable[float]) -> float:
    """The value that lies furthest from 0."""
    return max(values, key=abs)


#: How a figure of a cell follows from its rounds'. The largest counts for all others, since each round is judged.
_OF_ALL: Mapping[str, Callable[[Iterable[float]], float]] = {
    "trend_p": min,
    "drift": _furthest,
    "elapsed_s": sum,
    "frequency_lowest_mhz": min,
    "clock_step_s": _furthest,
    "suspended_s": sum,
    "continued": sum,
}


def found_in_all(rounds: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The figures of a cell from those of its rounds (:func:`found`): the least favourable of each, but the sum of
    lengths and counts. None where no round knows a figure.
    """
    figures: dict[str, float | None] = {}
    for name in dict.fromkeys(name for each in rounds for name in each):
        known = [value for each in rounds if (value := each.get(name)) is not None]
        figures[name] = _OF_ALL.get(name, max)(known) if known else None
    return figures
