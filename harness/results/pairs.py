"""One cell in two runs: whether the two results may be compared, and how they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.core import stats
from harness.core.clock import Clock, clock_of
from harness.records.cell import Cell
from harness.results import change as changes
from harness.results import identity
from harness.results.change import ALPHA, SAME, Change


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on both sides (0 to 1), the number of images right on one side only, and McNemar's exact p-values."""

    a: float
    b: float
    only_a: int
    only_b: int
    p_value: float
    p_adjusted: float = 1.0

    @property
    def significant(self) -> bool:
        return self.p_adjusted < ALPHA


@dataclass(frozen=True)
class Pair:
    """One cell in both runs.

    Attributes:
        refused: reasons why the pair can't be compared; empty if it was compared.
        clock: the clock of both medians.
        median_a, median_b: medians of the latency, in ``unit``.
        ratio: ratio of the medians b/a with its 95 % interval; above 1 is slower.
        p_adjusted: Holm-corrected p-value of the ratio being 1.
        change: what the ratio rests on; None where it was not looked at.
        limit: the change that must be told from none, as a share.
        verdict: ``faster``, ``slower``, ``same``, ``can't tell`` or ``refused``.
        resolution: smallest change of the median that counts, as a share.
        gates: reasons that trip the gate; empty if there are none.
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
    ratio: stats.Interval | None = None
    paired: bool = False
    p_value: float = 1.0
    p_adjusted: float = 1.0
    accuracy: Accuracy | None = None
    resolution: float = 0.0
    change: Change | None = None
    limit: float = SAME
    gates: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        return self.clock.unit

    @property
    def doubt(self) -> str:
        """Why nobody can tell whether something changed, in words; empty where one can."""
        if self.refused or self.change is None or self.ratio is None:
            return ""
        if not self.change.by_rounds and abs(self.ratio.value - 1) < self.resolution:
            return ""  # a single round shows no change
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
        ratio=found.ratio,
        paired=found.paired,
        p_value=found.p_value,
        accuracy=_accuracy(a, b),
        resolution=least,
        change=found,
    )


def differences(a: Cell, b: Cell, allow: Sequence[str] = ()) -> list[str]:
    """The reasons why two cells can't be compared; empty if they can. Their artifacts may differ."""
    reasons = [
        f"{name} is {cell.status}: {'; '.join(reason.code for reason in cell.reasons)}"
        for name, cell in (("the first", a), ("the second", b))
        if cell.status != "VALID"
    ]
    checks: list[tuple[str, object, object]] = [
        *_facts(identity.hardware(a.device), identity.hardware(b.device)),
        ("test split", a.split.sha256, b.split.sha256),
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
    reasons += [f"other {what}: {_short(x)} and {_short(y)}" for what, x, y in checks if x != y]
    return reasons


def _facts(a: identity.Facts, b: identity.Facts) -> list[tuple[str, object, object]]:
    return [(what, x, y) for (what, x), (_, y) in zip(a, b, strict=True)]


def _short(value: object) -> str:
    text = "unknown" if value is None else str(value)
    return text if len(text) <= 60 else text[:16] + "…"


def _accuracy(a: Cell, b: Cell) -> Accuracy:
    labels = np.array(a.split.labels)
    right_a, right_b = np.array(a.predictions) == labels, np.array(b.predictions) == labels
    test = stats.mcnemar(right_a, right_b)
    return Accuracy(
        a=float(right_a.mean()),
        b=float(right_b.mean()),
        only_a=test.only_a,
        only_b=test.only_b,
        p_value=test.p_value,
    )
