"""A comparison's later run as Bencher Metric Format: what https://bencher.dev keeps a history of.

Format: https://bencher.dev/docs/reference/bencher-metric-format/. A benchmark is a cell, a measure is what was counted.
Bencher's own measure ``latency`` is in nanoseconds. Instructions and accuracy are measures of their own, so that a
count is never drawn beside a time.
"""

from __future__ import annotations

import json

from harness.core import stats
from harness.core.safetext import clean
from harness.results.compare import Comparison
from harness.results.pairs import Pair

#: The longest name of a benchmark that Bencher takes.
_NAME = 1024


def rendered(comparison: Comparison) -> str:
    """One JSON object: cell -> measure -> value with its 95 % interval. Refused cells are left out."""
    measured = {clean(pair.cell, _NAME): _measures(pair) for pair in comparison.pairs if pair.interval_b is not None}
    return json.dumps(measured, indent=2, allow_nan=False)


def _measures(pair: Pair) -> dict[str, dict[str, float]]:
    measures = {}
    if pair.interval_b is not None:
        measures[_slug(pair)] = _metric(pair.interval_b, 1e6)
    if pair.accuracy is not None:
        name = "accuracy" if pair.accuracy.metric == "top1" else clean(pair.accuracy.metric, 64)
        measures[name] = {"value": pair.accuracy.b}
    return measures


def _slug(pair: Pair) -> str:
    """``latency`` on a board, ``instructions`` or ``emulated-latency`` on an emulated one."""
    if pair.clock.unit.endswith("instructions"):
        return "instructions"
    return "emulated-latency" if pair.emulated else "latency"


def _metric(interval: stats.Interval, scale: float) -> dict[str, float]:
    return {
        "value": interval.value * scale, "lower_value": interval.low * scale, "upper_value": interval.high * scale
    }  # fmt: skip
