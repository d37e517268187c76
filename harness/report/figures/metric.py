"""The axis of a metric."""

from __future__ import annotations

from matplotlib.axes import Axes

from harness.report.figures.canvas import accuracy_axis
from harness.report.scale import Scale


def metric_axis(axes: Axes, low: float, high: float, scale: Scale) -> None:
    """Set a y axis over [low, high], as drawn, with a margin for signs; the better end is up."""
    if scale.share:
        accuracy_axis(axes, low, high)
        return
    margin = max((high - low) * 0.15, abs(high) * 0.01, 1e-9)
    ends = low - margin, high + margin
    axes.set_ylim(ends if scale.higher_is_better else ends[::-1])
