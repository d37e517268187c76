"""One cell in two runs: whether the two results may be compared, and how they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.core import clusters, paired, stats
from harness.core.clock import Clock, clock_of
from harness.records.cell import Cell
from harness.results import change as changes
from harness.results import identity
from harness.results.change import ALPHA, SAME, Change
from harness.results.quality import TOP1, Quality, axis, faces, judged, metric_of, quality


@dataclass(frozen=True)
class Accuracy:
    """The metric on both sides, and the paired test of its values sample by sample.

    Attributes:
        a, b: the metric's values; of ``top1``, the share of right classes, 0 to 1.
        only_a, only_b: the number of samples answered better on one side; of ``top1``, right on that side only.
        p_value: McNemar's exact one for ``top1``, or that of sign flips by person where the images tell persons
            (:mod:`harness.core.clusters`); of other metrics that of random signs (:mod:`harness.core.paired`).
        tested: False where there are no values sample by sample, and so no test.
    """

    a: float
    b: float
    only_a: int
    only_b: int
    p_value: float
    p_adjusted: float = 1.0
    metric: str = TOP1
    higher_is_better: bool = True
    tested: bool = True

    @property
    def significant(self) -> bool:
        return self.p_adjusted < ALPHA

    @property
    def worse(self) -> bool:
        """Whether b is worse than a, significant or not."""
        return self.b < self.a if self.higher_is_better else self.b > self.a

    @property
    def changed(self) -> bool:
        """Whether any sample, or the whole, was answered better or worse."""
        return bool(self.only_a or self.only_b or (not self.tested and self.a != self.b))

    def shown(self, value: float) -> str:
        """A value of the metric for people: in percent where it is the share of right classes."""
        return f"{value:.1%}" if self.metric == TOP1 else f"{value:.4g}"


@dataclass(frozen=True)
class Pair:
    """One cell in both runs.

    Attributes:
        refused: reasons why the pair can't be compared; empty if it was compared.
        clock: the clock of both medians.
        median_a, median_b: medians of the latency, in ``unit``.
        interval_a, interval_b: the same medians with their 95 % intervals, in ``unit``.
        ratio: ratio of the medians b/a with its 95 % interval; above 1 is slower.
        p_adjusted: Holm-corrected p-value of the ratio being 1.
        change: what the ratio rests on; None where it was not looked at.
        limit: the change that must be told from none, as a share.
        verdict: ``faster``, ``slower``, ``same``, ``can't tell`` or ``refused``.
        resolution: smallest change of the median that counts, as a share.
        gates: reasons that trip the gate; empty if there are none.
        task: the name of the task; None where there is none.
        axis: pairs with another one share no axis (:func:`harness.results.quality.axis`).
        faces: whether the samples are images of faces.
        itself: whether both sides are one measurement, as in a copied run.
    """

    cell: str
    device: str
    emulated: bool
    model: str
    variant: str
    clock: Clock
    refused: tuple[str, ...] = ()
    median_a: float | None = None
    median_b: float | None = None
    interval_a: stats.Interval | None = None
    interval_b: stats.Interval | None = None
    ratio: stats.Interval | None = None
    paired: bool = False
    p_value: float = 1.0
    p_adjusted: float = 1.0
    accuracy: Accuracy | None = None
    resolution: float = 0.0
    change: Change | None = None
    limit: float = SAME
    gates: tuple[str, ...] = ()
    task: str | None = None
    axis: str = ""
    faces: bool = False
    itself: bool = False

    @property
    def unit(self) -> str:
        return self.clock.unit

    @property
    def doubt(self) -> str:
        """Why nobody can tell whether something changed, in words; empty where one can."""
        if self.refused or self.change is None or self.ratio is None:
            return ""
        if self.itself and not self.change.by_rounds:
            return ""  # one measurement is no slower than itself
        return changes.doubt(self.change, adjusted=self.p_adjusted, limit=self.limit)

    @property
    def verdict(self) -> str:
        if self.refused or self.ratio is None:
            return "refused"
        if self.doubt:
            return "can't tell"
        change = self.ratio.value - 1
        if self.p_adjusted >= ALPHA or abs(change) < self.resolution:
            return "same"
        return "slower" if change > 0 else "faster"


def measured(a: Cell, b: Cell, allow: Sequence[str] = (), *, interval: bool = True) -> Pair:
    """The comparison of ``b`` with ``a``, or the reasons why there is none. p-values are not adjusted yet.

    Without ``interval``, a change below the clock's resolution is not bootstrapped: p is 1, the interval a point.
    """
    pair = Pair(
        cell=a.cell,
        device=a.device.name,
        emulated=a.device.emulated,
        model=a.model.name,
        variant=f"{a.model.variant}.{a.model.format}",
        clock=clock_of(a.device.emulated, a.device.clock),
        task=a.split.task,
        axis=axis(a),
        faces=faces(a.split.task, a.split.scheme),
        itself=one_measurement(a, b),
    )
    if reasons := differences(a, b, allow):
        return replace(pair, refused=tuple(reasons))
    if min(stats.median(a.latency_ns), stats.median(b.latency_ns)) <= 0:
        return replace(pair, refused=("a median of 0: its clock did not move",))
    medians = changes.middle(a), changes.middle(b)
    least = pair.clock.resolution(min(medians))
    if not interval and abs(medians[1] / medians[0] - 1) < least:
        ratio = medians[1] / medians[0]
        return replace(pair, ratio=stats.Interval(ratio, ratio, ratio), resolution=least)
    try:
        found = changes.change(a, b)
    except stats.TooFewSamplesError as error:
        return replace(pair, refused=(str(error),))
    return replace(
        pair,
        median_a=medians[0] / 1e6,
        median_b=medians[1] / 1e6,
        interval_a=_in_units(changes.interval(a)),
        interval_b=_in_units(changes.interval(b)),
        ratio=found.ratio,
        paired=found.paired,
        p_value=found.p_value,
        accuracy=_accuracy(a, b),
        resolution=least,
        change=found,
    )


def one_measurement(a: Cell, b: Cell) -> bool:
    """Whether two cells hold the same measurement: a copied run has another name and the same samples."""
    return a.started == b.started and a.latency_ns == b.latency_ns


def _in_units(interval: stats.Interval) -> stats.Interval:
    """An interval of nanoseconds or instructions in units of a million."""
    return replace(interval, value=interval.value / 1e6, low=interval.low / 1e6, high=interval.high / 1e6)


def differences(a: Cell, b: Cell, allow: Sequence[str] = ()) -> list[str]:
    """The reasons why two cells can't be compared; empty if they can. Their artifacts may differ."""
    reasons = [
        f"{name} is {cell.status}: {'; '.join(reason.code for reason in cell.reasons)}"
        for name, cell in (("the first", a), ("the second", b))
        if cell.status != "VALID"
    ]
    checks: list[tuple[str, object, object]] = [
        *_facts(identity.hardware(a.device), identity.hardware(b.device)),
        ("test split" if judged(a) or judged(b) else "inputs", a.split.sha256, b.split.sha256),
        ("delegate", a.runtime.delegate, b.runtime.delegate),
        ("applied delegate", a.runtime.delegate_applied, b.runtime.delegate_applied),
    ]
    if "runtime" not in allow:
        checks += [
            ("runtime", a.runtime.name, b.runtime.name),
            ("runtime version", a.runtime.version, b.runtime.version),
        ]
    if "os" not in allow:
        checks += _facts(identity.system(a.device), identity.system(b.device))
    if not reasons:
        checks.append(("metric", _metric(a), _metric(b)))
    reasons += [f"other {what}: {_short(x)} and {_short(y)}" for what, x, y in checks if x != y]
    return reasons


def _metric(cell: Cell) -> str:
    found = metric_of(cell)
    return found[0] if found else "none"


def _facts(a: identity.Facts, b: identity.Facts) -> list[tuple[str, object, object]]:
    return [(what, x, y) for (what, x), (_, y) in zip(a, b, strict=True)]


def _short(value: object) -> str:
    text = "unknown" if value is None else str(value)
    return text if len(text) <= 60 else text[:16] + "…"


def _accuracy(a: Cell, b: Cell) -> Accuracy | None:
    """The comparison of how good the answers are, by one metric on both sides; None where nothing judges them."""
    before, after = quality(a), quality(b)
    if before is None or after is None:
        return None
    if before.metric != TOP1:
        return _by_sample(before, after)
    return _right_or_wrong(before, after, a.split.persons)


def _right_or_wrong(before: Quality, after: Quality, persons: Sequence[int]) -> Accuracy:
    """The comparison of right answers. Images of one person are alike, so where persons are known each is one draw."""
    right_a, right_b = before.per_sample > 0, after.per_sample > 0
    test = stats.mcnemar(right_a, right_b)
    p_value = test.p_value
    if len(persons) == len(right_a) and len(set(persons)) > 1:
        p_value = clusters.difference(right_a, right_b, [str(person) for person in persons]).p_value
    return Accuracy(
        a=float(before.per_sample.mean()),
        b=float(after.per_sample.mean()),
        only_a=test.only_a,
        only_b=test.only_b,
        p_value=p_value,
    )


def _by_sample(before: Quality, after: Quality) -> Accuracy:
    sizes = before.per_sample.size, after.per_sample.size
    tested = sizes[0] == sizes[1] > 0
    test = paired.sign_flip(before.per_sample, after.per_sample) if tested else paired.PairedTest(0, 0, 1.0)
    higher = (test.higher_a, test.higher_b) if before.higher_is_better else (test.higher_b, test.higher_a)
    return Accuracy(
        a=before.value,
        b=after.value,
        only_a=higher[0],
        only_b=higher[1],
        p_value=test.p_value,
        metric=before.metric,
        higher_is_better=before.higher_is_better,
        tested=tested,
    )
