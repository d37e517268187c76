"""Operators' costs as a trace that Chrome's ``about:tracing`` and Perfetto open.

Format: "Trace Event Format" (Google, docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU), with
complete events (``"ph": "X"``). Its times are microseconds. Of estimates, a nanosecond stands for a cycle, and names
say so.

Perfetto's importer (``src/trace_processor/importers/json``) is stricter than JSON:

- Older versions cut times to whole nanoseconds, so 1.001 would be 1000 ns, and the event before would end inside this
  one. Such an event is dropped. So times lie a little above a whole nanosecond, by less than any display shows.
- It refuses escaped characters beyond the Basic Multilingual Plane, so text is written as UTF-8.
- It takes a backslash before a closing quote for an escape of that quote, so text has no backslash.
- Events without a length at one time lie on top of each other, and only so many do: then a nanosecond passes.
- A thread with the number of a process is that process's main thread, so threads' numbers begin after processes'.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from harness.core.errors import UsageError
from harness.core.safetext import clean
from harness.records.cell import Cell
from harness.records.estimate import OperatorCosts
from harness.records.operators import OperatorTimes
from harness.results.operators import TIME, Breakdown, Part, by_cycles, by_time

Event: TypeAlias = dict[str, object]

#: Trace times are at most this, in nanoseconds: up to here each whole one is different as a number of microseconds.
_LAST = 1 << 48
#: So many events of one time may follow each other; older importers take 255.
_STACKED = 200


def chrome_trace(cells: Iterable[Cell]) -> bytes:
    """The trace of all cells with costs of operators: a process a board, a thread a network. A thread of a cell that
    isn't VALID says so.

    Raises:
        UsageError: no cell has any.
    """
    found = [(cell, costs) for cell in cells if (costs := _costs(cell)) is not None]
    if not found:
        raise UsageError(
            "no cell has costs of operators",
            fix="harness run --profile-ops, with TFLite files on emulated boards or on the wall clock",
        )
    processes: dict[str, int] = {}
    for cell, costs in found:
        processes.setdefault(_process(cell, costs), len(processes) + 1)
    events: list[Event] = []
    for thread, (cell, costs) in enumerate(found, start=len(processes) + 1):
        name = _process(cell, costs)
        status = "" if cell.status == "VALID" else f"{cell.status}: "
        title = _text(f"{status}{cell.model.name} {cell.model.variant} ({cell.runtime_asked})", 200)
        events += [
            _named("process_name", processes[name], thread, name),
            _named("thread_name", processes[name], thread, title),
            *_operators(cell, costs, processes[name], thread),
        ]
    document = {"traceEvents": events, "displayTimeUnit": "ns"}
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _costs(cell: Cell) -> Breakdown | None:
    """The costs of a cell in the quantity of its trace."""
    if isinstance(cell.operators, OperatorCosts):
        return by_cycles(cell.operators)
    return by_time(cell.operator_times) if isinstance(cell.operator_times, OperatorTimes) else None


def _process(cell: Cell, costs: Breakdown) -> str:
    """A process's name: the board, and what its times are."""
    quantity = costs.quantity.title[0].lower() + costs.quantity.title[1:]
    return f"{_text(cell.device.name, 60)}: {quantity}; {costs.quantity.stands_for}"


def _named(kind: str, process: int, thread: int, name: str) -> Event:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def _operators(cell: Cell, costs: Breakdown, process: int, thread: int) -> Iterator[Event]:
    """One event an operator, one after the other. One that has no cost of its own has no length."""
    start = stacked = 0
    for part in costs.parts:
        length = round(part.cost.value) if part.cost.verdict == "cost" else 0
        length = max(min(length, _LAST - start), 0)
        yield {
            "ph": "X",
            "name": _text(part.kind, 100) or "operator",
            "cat": "operator",
            "pid": process,
            "tid": thread,
            "ts": _microseconds(start),
            "dur": _microseconds(length),
            "args": {"index": part.index, "makes": _text(part.name, 400), **_numbers(cell, costs, part)},
        }
        stacked = 0 if length else stacked + 1
        start += length or int(stacked % _STACKED == 0)


def _numbers(cell: Cell, costs: Breakdown, part: Part) -> dict[str, int | str]:
    """What is known of an operator's cost. A time is told as a cost only where its interval is above zero."""
    if costs.quantity is not TIME:
        assert isinstance(cell.operators, OperatorCosts)
        operator = cell.operators.operators[part.index]
        return {"cycles": operator.cycles, "instructions": operator.instructions}
    known: dict[str, int | str] = {"ns": round(part.cost.value)} if part.cost.verdict == "cost" else {}
    if abs(part.cost.low) < _LAST and abs(part.cost.high) < _LAST:
        known |= {"low_ns": round(part.cost.low), "high_ns": round(part.cost.high)}
    return {"cost": part.cost.verdict, **known}


def _microseconds(nanoseconds: int) -> float:
    """A number whose thousandfold is the nanoseconds when it is cut to whole ones or rounded, by any arithmetic."""
    if nanoseconds % 1000 == 0:
        return nanoseconds / 1000
    return nanoseconds / 1000 * (1 + 2**-51)


def _text(text: str, limit: int) -> str:
    return clean(text.replace("\\", "/"), limit)
