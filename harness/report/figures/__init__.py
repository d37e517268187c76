"""All figures by the name ``--plot`` takes."""

from __future__ import annotations

from collections.abc import Callable

from harness.report.data import ReportData
from harness.report.figures import latency, pareto, size
from harness.report.figures.canvas import Drawing

PLOTS: dict[str, Callable[[ReportData], list[Drawing]]] = {
    "pareto": pareto.scatter,
    "latency": latency.bars,
    "distribution": latency.distribution,
    "size": size.sizes,
}
