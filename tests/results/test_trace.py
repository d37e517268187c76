"""Operators as a Chrome trace: the format's rules, and that nothing passes for a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.made.cells import device, make_cell, make_run
from harness.core.errors import UsageError
from harness.records.cell import Cell, Reason
from harness.records.estimate import OperatorCost, OperatorCosts
from harness.records.operators import OperatorTimes, TimedOperator
from harness.results import formats
from harness.results.trace import chrome_trace
from tests.support.estimate_factory import make_estimate, make_operators, make_times
from tests.support.perfetto import RefusedError, Slice, imported

HERE = device("here", "generic", emulated=False)
HOSTILE = (
    "plain",
    'quote " in it',
    'a quote at the end"',
    "a backslash at the end\\",
    'two \\\\ and a quote \\"',
    "control \x00\x07\x1b[31m\x7f\x85 and a line\nend\r\n",
    "what was not UTF-8: \ufffd\ufffd",
    "emoji \U0001f600 and \u0130\u00e9\u4e2d",
    "direction \u202e and \ufeff and \u2028",
    "{}[],:/",
    "",
    " ",
    "x" * 4096,
    "\u00e9" * 4096,
)


def with_costs(*operators: OperatorCost) -> Cell:
    """A cell with such operators, and nothing left over."""
    total = min(max(sum(operator.cycles for operator in operators), 1), 1 << 53)
    costs = OperatorCosts(operators=operators, call_instructions=1, call_cycles=1, instructions=total, cycles=total)
    return make_cell("squeezenet", "int8", device()).model_copy(update={"operators": costs})


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


def test_a_cell_that_does_not_count_says_so() -> None:
    good = make_cell("squeezenet", "int8", device()).model_copy(update={"operators": make_operators()})
    bad = good.model_copy(update={"status": "INVALID", "reasons": (Reason(code="outputs-differ", text="they do"),)})
    events = json.loads(chrome_trace([good, bad]))["traceEvents"]
    first, second = (event["args"]["name"] for event in events if event["name"] == "thread_name")
    assert first.startswith("squeezenet int8")
    assert second == f"INVALID: {first}"


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


def slices(*cells: Cell) -> list[Slice]:
    return imported(chrome_trace(cells))


def test_perfetto_shows_each_operator_after_the_one_before() -> None:
    found = slices(make_cell("squeezenet", "int8", device()).model_copy(update={"operators": make_operators()}))
    assert [(each.name, each.start_ns, each.length_ns, each.depth) for each in found] == [
        ("CONV_2D", 0, 1000, 0),
        ("ADD", 1000, 2000, 0),
        ("SOFTMAX", 3000, 3000, 0),
    ]
    assert found[0].process == "pi4: estimated cycles, 1 thread; 1 ns stands for 1 cycle"
    assert found[0].thread == "squeezenet int8 (litert)"
    assert found[1].args == {"index": 1, "makes": "net/part1/out", "cycles": 2000, "instructions": 3000}


@given(st.lists(st.integers(-(10**6), 1 << 53), min_size=1, max_size=30))
def test_perfetto_reads_the_very_numbers_whatever_they_are(cycles: list[int]) -> None:
    """Its importer cuts microseconds to nanoseconds: 1.001 would become 1000, and two events would overlap."""
    found = slices(with_costs(*[OperatorCost(kind="ADD", name="t", instructions=1, cycles=each) for each in cycles]))
    start = 0
    for each, cost in zip(found, cycles, strict=True):
        assert each.start_ns == start
        assert each.length_ns == max(min(cost, (1 << 48) - start), 0)
        start += each.length_ns


def test_no_number_of_free_operators_is_too_many_for_perfetto() -> None:
    found = slices(with_costs(*[OperatorCost(kind="RESHAPE", name="t", instructions=0, cycles=0) for _ in range(900)]))
    assert len(found) == 900
    assert found[-1].start_ns == 4


@pytest.mark.parametrize(
    ("kind", "name"), [*zip(HOSTILE, HOSTILE[::-1], strict=True), *zip(HOSTILE, HOSTILE, strict=True)]
)
def test_names_from_foreign_files_neither_break_the_trace_nor_the_terminal(kind: str, name: str) -> None:
    cell = with_costs(
        OperatorCost(kind=kind, name=name, instructions=5, cycles=7),
        OperatorCost(kind="ADD", name="t", instructions=5, cycles=7),
    )
    first, second = slices(cell)
    assert first.name.isprintable()
    assert first.args["makes"].isprintable()
    assert len(first.name) <= 100
    assert len(first.args["makes"]) <= 400
    assert (second.start_ns, second.name) == (7, "ADD")


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_nor_do_any_others(kind: str, name: str, network: str) -> None:
    cell = with_costs(OperatorCost(kind=kind, name=name, instructions=5, cycles=7))
    cell = cell.model_copy(
        update={
            "model": cell.model.model_copy(update={"name": network}),
            "device": cell.device.model_copy(update={"name": name}),
        }
    )
    (only,) = slices(cell)
    assert only.length_ns == 7


def test_networks_and_boards_keep_apart() -> None:
    cells = [
        make_cell(name, "int8", board).model_copy(update={"operators": make_operators()})
        for name in ("squeezenet", "ghostnet")
        for board in (device("pi4"), device("pi5"))
    ]
    cells.append(make_cell("squeezenet", "int8", HERE).model_copy(update={"operator_times": make_times(5000, 4000)}))
    found = slices(*cells)
    tracks = {(each.process, each.thread) for each in found}
    assert len(tracks) == 5
    assert [each.process for each in found][-1] == "here: time; measured, wall clock"


def test_times_are_told_as_costs_only_where_they_are_known() -> None:
    cell = make_cell("squeezenet", "int8", HERE).model_copy(update={"operator_times": make_times(5000, 10, -900, 4000)})
    found = slices(cell)
    assert [each.args["cost"] for each in found] == ["cost", "can't tell", "nothing", "cost"]
    assert [each.length_ns for each in found][1:3] == [0, 0]
    assert found[0].length_ns == pytest.approx(5000, abs=50)
    assert "ns" not in found[1].args
    assert found[1].args["low_ns"] < 0 < found[1].args["high_ns"]
    assert found[3].args["low_ns"] < found[3].args["ns"] < found[3].args["high_ns"]


def test_one_round_tells_nothing_and_is_a_trace_all_the_same() -> None:
    times = OperatorTimes(
        rounds=1, threads=1, call_ns=(1,), whole_ns=(900,),
        operators=tuple(TimedOperator(kind="ADD", name=f"t{i}", prefix_ns=(i + 5,)) for i in range(300)),
    )  # fmt: skip
    cell = make_cell("squeezenet", "int8", HERE).model_copy(update={"operator_times": times})
    assert {each.args["cost"] for each in slices(cell)} == {"can't tell"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ('"name": "a\\\\"', "string"),
        ('"name": "\\u00e9"', "escape"),
        ('"ts": 1.001', "by different"),
        ('"ts": null', "ts is no number"),
        ('"dur": -1', "below zero"),
        ('"pid": -1', "pid"),
        ('"cat": []', "array"),
        ('"ts": NaN', "no number"),
        ('"ph": "B"', "phase"),
    ],
)
def test_the_checks_themselves_refuse_what_perfetto_does(change: str, why: str) -> None:
    event = '{"ph": "X", "name": "a", "cat": "c", "pid": 1, "tid": 2, "ts": 0, "dur": 1, ' + change + "}"
    with pytest.raises(RefusedError, match=why):
        imported(('{"traceEvents": [' + event + "]}").encode())


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b'{"traceEvents": [], "displayTimeUnit": "us"}', "displayTimeUnit"),
        (b'{"traceEvents": {}}', "no array"),
        (b"[]", "not taken for"),
        (b'{"traceEvents": ["\xff"]}', "not UTF-8"),
        (b'{"traceEvents": ["\x01"]}', "control|one string"),
    ],
)
def test_and_other_documents(document: bytes, why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        imported(document)


def test_and_what_overlaps() -> None:
    events = [
        {"ph": "M", "name": f"{what}_name", "pid": 1, "tid": 2, "args": {"name": "x"}} for what in ("process", "thread")
    ] + [
        {"ph": "X", "name": "a", "cat": "c", "pid": 1, "tid": 2, "ts": start, "dur": 5, "args": {}} for start in (0, 4)
    ]
    with pytest.raises(RefusedError, match="ends after it"):
        imported(json.dumps({"traceEvents": events}).encode())
