"""All figures by the name ``--plot`` takes."""

from __future__ import annotations

from collections.abc import Callable

from harness.report.figures import chain, classes, extras, latency, pareto, size, timeline
from harness.report.figures.canvas import Drawing
from harness.report.gather import ReportData

PLOTS: dict[str, Callable[[ReportData], list[Drawing]]] = {
    "pareto": pareto.scatter,
    "latency": latency.bars,
    "distribution": latency.distribution,
    "chain": chain.paths,
    "size": size.sizes,
    "memory": extras.memory,
    "energy": extras.energy,
    "threads": extras.threads,
    "confusion": classes.recall,
    "timeline": timeline.timelines,
}
