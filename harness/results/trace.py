"""Operators' estimated cycles as a trace that Chrome's ``about:tracing`` and Perfetto open.

Format: "Trace Event Format" (Google, docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU), with
complete events (``"ph": "X"``). Its times are microseconds. Here, a nanosecond stands for a cycle, and names say so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from harness.core.errors import UsageError
from harness.core.safetext import clean
from harness.records.cell import Cell
from harness.records.estimate import OperatorCosts

#: Microseconds of the trace for a cycle.
_PER_CYCLE = 1e-3


def chrome_trace(cells: Iterable[Cell]) -> bytes:
    """The trace of all cells with costs of operators: a process a board, a thread a network.

    Raises:
        UsageError: no cell has any.
    """
    events: list[dict[str, Any]] = []
    boards: dict[str, int] = {}
    for thread, cell in enumerate(cells, start=1):
        if not isinstance(cell.operators, OperatorCosts):
            continue
        board = clean(cell.device.name, 60)
        process = boards.setdefault(board, len(boards) + 1)
        title = clean(f"{cell.model.name} {cell.model.variant} ({cell.runtime_asked})", 200)
        events += [
            _named("process_name", process, thread, f"{board}: estimated cycles, 1 thread; 1 ns stands for 1 cycle"),
            _named("thread_name", process, thread, title),
            *_operators(cell.operators, process, thread),
        ]
    if not events:
        raise UsageError(
            "no cell has costs of operators", fix="harness run --profile-ops, with emulated boards and TFLite files"
        )
    return (json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}, indent=1) + "\n").encode()


def _named(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def _operators(costs: OperatorCosts, process: int, thread: int) -> Iterable[dict[str, Any]]:
    """One event an operator, one after the other. One that costs less than nothing has no length; its cost is told."""
    start = 0
    for index, operator in enumerate(costs.operators):
        yield {
            "ph": "X",
            "name": clean(operator.kind, 100),
            "cat": "operator",
            "pid": process,
            "tid": thread,
            "ts": start * _PER_CYCLE,
            "dur": max(operator.cycles, 0) * _PER_CYCLE,
            "args": {
                "index": index,
                "makes": clean(operator.name, 400),
                "cycles": operator.cycles,
                "instructions": operator.instructions,
            },
        }
        start += max(operator.cycles, 0)
