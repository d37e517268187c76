"""Operators as a Chrome trace: the format's rules, and that nothing passes for a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.made.cells import device, make_cell, make_run
from harness.core.errors import UsageError
from harness.results import formats
from harness.results.trace import chrome_trace
from tests.support.estimate_factory import make_estimate, make_operators


def test_operators_follow_each_other_and_say_what_a_nanosecond_stands_for() -> None:
    cell = make_cell("squeezenet", "int8", device()).model_copy(update={"operators": make_operators()})
    document = json.loads(chrome_trace([cell]))
    named = [event for event in document["traceEvents"] if event["ph"] == "M"]
    assert {event["name"] for event in named} == {"process_name", "thread_name"}
    assert "estimated cycles, 1 thread; 1 ns stands for 1 cycle" in named[0]["args"]["name"]
    events = [event for event in document["traceEvents"] if event["ph"] == "X"]
    assert [(event["name"], event["ts"], event["dur"]) for event in events] == [
        ("CONV_2D", 0, 1.0),
        ("ADD", 1.0, 2.0),
        ("SOFTMAX", 3.0, 3.0),
    ]
    assert events[1]["args"] == {"index": 1, "makes": "net/part1/out", "cycles": 2000, "instructions": 3000}


def test_every_event_has_what_the_format_asks_for() -> None:
    """Complete events: name, category, process, thread, and a start and length that are no less than nothing."""
    costs = make_operators(9)
    cheaper = costs.operators[4].model_copy(update={"cycles": -500})
    costs = costs.model_copy(update={"operators": (*costs.operators[:4], cheaper, *costs.operators[5:])})
    cells = [
        make_cell(name, "int8", device(board)).model_copy(update={"operators": costs})
        for name in ("squeezenet", "ghostnet")
        for board in ("pi4", "pi5")
    ]
    events = json.loads(chrome_trace(cells))["traceEvents"]
    for event in events:
        assert event["ph"] in "XM"
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        if event["ph"] == "X":
            assert event["ts"] >= 0
            assert event["dur"] >= 0
            assert event["cat"]
    assert len({(event["pid"], event["tid"]) for event in events}) == 4
    assert len({event["pid"] for event in events}) == 2


def test_a_run_without_costs_says_how_to_get_them(tmp_path: Path) -> None:
    run = make_run(tmp_path, [make_cell("squeezenet", "int8", device())])
    with pytest.raises(UsageError, match="--profile-ops"):
        formats.export(run, "chrome-trace")


def test_estimates_are_columns_and_operators_stay_out_of_csv(tmp_path: Path) -> None:
    found = {"estimate": make_estimate(759_000), "operators": make_operators()}
    run = make_run(tmp_path, [make_cell("squeezenet", "int8", device()).model_copy(update=found)])
    head, row = formats.export(run, "csv").decode().splitlines()
    assert dict(zip(head.split(","), row.split(","), strict=False))["estimated_cycles"] == "759000.0"
    assert "operators" not in head
    assert json.loads(formats.export(run, "chrome-trace"))["traceEvents"]
