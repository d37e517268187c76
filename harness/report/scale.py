"""How the values of a metric are shown: their name, their unit, and which end of the axis is the better one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.core.safetext import clean, for_figure
from harness.report.table import brief
from harness.results.quality import TOP1

#: A network may be this much less accurate than the best one and still be picked (one image in 99).
PICK_WITHIN = 0.0102
#: The same for metrics that are no shares, relative to the best value.
PICK_WITHIN_RATIO = 0.01
#: On an axis, a longer heading has its unit on a second line.
_ONE_LINE, _BREAK = 20, "\n"


@dataclass(frozen=True)
class Scale:
    """The values of one metric.

    Attributes:
        metric: the stored name.
        heading: the name for people.
        share: whether values are shares, shown in percent.
        note: about what the values are measured on, for an axis; may be empty.
    """

    metric: str
    heading: str
    higher_is_better: bool
    share: bool
    note: str = ""

    @property
    def axis(self) -> str:
        """The label of an axis, with its unit."""
        unit = "%" if self.share else f"{'higher' if self.higher_is_better else 'lower'} is better"
        name = for_figure(self.heading, 28)
        return f"{name}{self.note}{_BREAK if len(name) > _ONE_LINE else ' '}({unit})"

    @property
    def in_words(self) -> str:
        """The values on an axis, for an alternative text."""
        return f"{self.heading[0].lower()}{self.heading[1:]}" + (" in percent" if self.share else "")

    def drawn(self, values: pd.Series[Any]) -> pd.Series[Any]:
        """Values as an axis has them."""
        return values * 100 if self.share else values

    def text(self, value: float) -> str:
        """A value in words, for a figure."""
        return f"{value:.1%}" if self.share else f"{for_figure(self.heading, 28)} {brief(value)}"

    def html(self, value: float) -> str:
        """A value for the page."""
        return f"{value * 100:.1f}\N{NO-BREAK SPACE}%" if self.share else f"{self.heading} {brief(value)}"

    def best(self, values: pd.Series[Any]) -> float:
        return float(values.max() if self.higher_is_better else values.min())

    def near_best(self, values: pd.Series[Any]) -> pd.Series[bool]:
        """Which values are so near the best one that speed may decide."""
        best = self.best(values)
        slack = PICK_WITHIN if self.share else abs(best) * PICK_WITHIN_RATIO
        return values >= best - slack if self.higher_is_better else values <= best + slack


#: Metrics with a name of their own for people: (heading, whether it is a share, note for an axis).
_KNOWN = {
    TOP1: ("Accuracy", True, " on the test split"),
    "top5": ("Top-5 accuracy", True, " on the test split"),
    "mae": ("Mean absolute error", False, ""),
    "rmse": ("Root mean square error", False, ""),
}


def scale_of(cells: pd.DataFrame) -> Scale | None:
    """The scale of VALID cells that one metric judges; None where nothing judges them."""
    known = cells[cells.metric.notna()]
    if known.empty:
        return None
    name, higher_is_better = str(known.metric.iloc[0]), bool(known.higher_is_better.iloc[0])
    heading, share, note = _KNOWN.get(name, (clean(name, 40), False, ""))
    return Scale(metric=name, heading=heading, higher_is_better=higher_is_better, share=share, note=note)
