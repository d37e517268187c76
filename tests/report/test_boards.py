"""Boards are told apart by what they are: a label for people is never a key, and a report of very many stays small."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.made.cells import device, make_cell, make_run
from harness.records.cell import Cell, DeviceInfo
from harness.report import MOST_BOARDS, render
from harness.report.gather import ReportData, gather
from harness.report.paper.rivals import against
from harness.report.summary import agreement, summarise, winners
from harness.results import identity
from harness.results.formats import export
from tests.support.reports import rows

LAB = tuple(f"lab-raspberry-pi-4-model-b-{number:02d}" for number in (1, 2))
NETS = ("resvgg19-pruned", "mobilenet-v2", "ghostnet")


def cells_of(dev: DeviceInfo, scale: float = 1.0, **changes: Any) -> list[Cell]:
    return [
        make_cell(name, dev=dev, median_ms=scale * (number + 1), seed=number, **changes)
        for number, name in enumerate(NETS)
    ]


def real(name: str = "here", **changes: Any) -> DeviceInfo:
    fields: dict[str, Any] = {"board": "generic", "emulated": False, "cpu": "AMD EPYC 7B13"}
    return device(name, **(fields | changes))


def report_of(tmp_path: Path, *runs: list[Cell]) -> ReportData:
    folders = [make_run(tmp_path, cells, name=f"run-{number}") for number, cells in enumerate(runs)]
    return gather(folders, {})


def test_boards_whose_names_begin_alike_are_two(tmp_path: Path) -> None:
    first, second = (device(name, emulated=False) for name in LAB)
    run = make_run(tmp_path, [*cells_of(first), *cells_of(second, 3)])
    made = render([run], tmp_path / "out", formats=["svg"])
    data = gather([run], {})
    best = winners(data)
    assert [each.value for each in best] == pytest.approx([1, 3], rel=0.05)
    assert len({each.board for each in best}) == 2
    assert all(each.board.endswith(("01", "02")) and len(each.board) <= 24 for each in best)
    assert {row["device"] for row in rows(tmp_path / "out" / "tables" / "boards.csv")} == set(LAB)
    assert len(rows(tmp_path / "out" / "tables" / "rivals.csv")) == 4
    names = [path.name for path in made.figures if path.name.startswith("latency-")]
    assert len(set(names)) == 2
    assert made.index is not None
    assert all(each.board in made.index.read_text(encoding="utf-8") for each in best)
    assert {each.ratio < 1 for each in against(data)} == {True}  # no rival of the one against ours of the other


OTHERS = [
    {"cpu": "Intel Atom"}, {"cpu_part": "0xd0b"}, {"cores": 64}, {"machine": "aarch64"}, {"memory_bytes": 64 << 30},
    {"kernel": "6.6.1"}, {"libc": "glibc 2.40"}, {"board": "raspberry-pi-4"}, {"clock": "instructions"},
]  # fmt: skip


@pytest.mark.parametrize("other", OTHERS, ids=lambda changes: next(iter(changes)))
def test_two_machines_that_share_a_name_are_told_apart(tmp_path: Path, other: dict[str, Any]) -> None:
    one, two = real(machine="x86_64"), real(**({"machine": "x86_64"} | other))
    # each has a network that the other hasn't: they must not meet
    ours, rival = cells_of(one)[0], cells_of(two, 10)[1]
    data = report_of(tmp_path, [ours, *cells_of(one)[2:]], [rival, *cells_of(two, 10)[2:]])
    assert data.cells.board_id.nunique() == 2
    assert data.replaced == 0
    assert data.missing == ()
    assert len(set(data.cells.device)) == len(set(data.cells.board_label)) == 2
    assert {each.rival.model for each in against(data)} == {"ghostnet"}
    assert len(winners(data)) == 2
    assert len(summarise(data).paper.claims) == len(
        summarise(report_of(tmp_path / "one", [ours], cells_of(one))).paper.claims
    )
    with_both = [each for each in agreement(data) if len(each.boards) == 2]
    assert len(with_both) == 1


def test_labels_say_what_tells_them_apart(tmp_path: Path) -> None:
    data = report_of(tmp_path, cells_of(real()), cells_of(real(cpu="Intel Atom")))
    assert sorted(set(data.cells.board_label)) == ["here (AMD EPYC 7B13)", "here (Intel Atom)"]


def test_memory_that_differs_from_boot_to_boot_is_the_same_board(tmp_path: Path) -> None:
    data = report_of(tmp_path, cells_of(real(memory_bytes=8_090_000_000)), cells_of(real(memory_bytes=8_097_000_000)))
    assert data.cells.board_id.nunique() == 1
    assert data.replaced == 3


def test_a_board_that_could_not_be_asked_is_still_that_board(tmp_path: Path) -> None:
    silent = DeviceInfo(name="here", board="generic", emulated=False, local=True, clock="wall")
    failed = [make_cell(name, dev=silent, status="FAILED") for name in NETS]
    data = report_of(tmp_path, [*cells_of(real())[:1], *failed[1:]])
    assert data.cells.board_id.nunique() == 1
    assert set(data.cells.board_label) == {"here"}
    later = report_of(tmp_path / "later", cells_of(real()), failed)
    assert set(later.cells.status) == {"FAILED"}
    both = report_of(tmp_path / "both", cells_of(real()), cells_of(real(cpu="Intel Atom")), failed)
    assert both.cells.board_id.nunique() == 3


def test_networks_whose_names_begin_alike_are_two(tmp_path: Path) -> None:
    base = "a-network-with-a-rather-long-name-that-goes-on"
    names = (base, f"{base}-pruned", f"{base}-wide", "resvgg19-pruned")
    dev = device("pi4", emulated=False)
    cells = [make_cell(name, v, dev, median_ms=i + 1) for i, name in enumerate(names) for v in ("fp32", "int8")]
    run = make_run(tmp_path, cells)
    data = gather([run], {})
    assert len(set(data.cells.label)) == len(cells)
    assert len({each.rival.label for each in against(data)}) == 3
    made = render([run], tmp_path / "out", plots=["chain", "size"], formats=["svg"])
    assert {path.name for path in made.figures} == {"chain-measured-real-pi4.svg", "size.svg"}


def test_labels_are_distinct_whatever_the_names() -> None:
    names = ["板子一", "板子二", "a" * 40 + "1" + "b" * 40, "a" * 40 + "2" + "b" * 40, "x", "x #2", "pi 4", "pi-4"]
    for limit in (10, 24):
        labels = identity.distinct(names, limit)
        assert len(set(labels.values())) == len(names)
        assert all(len(label) <= limit for label in labels.values())
    assert identity.numbered(["a", "a", "a #2", "a"]) == ["a", "a #3", "a #2", "a #4"]


@pytest.mark.parametrize("names", [("pi 4", "pi-4"), ("板子一", "板子二"), ("Pi4", "pi4"), LAB])
def test_no_figure_takes_the_place_of_another_boards(tmp_path: Path, names: tuple[str, str]) -> None:
    cells = [make_cell(dev=device(name, emulated=False), cell=f"c{number}") for number, name in enumerate(names)]
    made = render([make_run(tmp_path, cells)], tmp_path / "out", plots=["latency"], formats=["svg"])
    assert len({path.name.lower() for path in made.figures}) == 2


def test_an_emulated_board_is_no_real_one_of_the_same_name(tmp_path: Path) -> None:
    data = report_of(tmp_path, [
        *cells_of(device("pi")),
        *(c.model_copy(update={"cell": f"{c.cell}-real"}) for c in cells_of(device("pi (emulated)", emulated=False))),
    ])  # fmt: skip
    assert len(set(data.cells.board_label)) == 2
    assert {best.emulated for best in winners(data)} == {True, False}


def test_an_export_keeps_them_apart_too(tmp_path: Path) -> None:
    names = [f"{'n' * 150}-{number}" for number in (1, 2)]
    cells = [make_cell(dev=real(name), cell=f"c{i}") for i, name in enumerate(names)]
    cells += [
        make_cell(dev=real(cpu=cpu)).model_copy(update={"cell": f"d{i}"})
        for i, cpu in enumerate(("Intel Atom", "EPYC"))
    ]
    text = export(make_run(tmp_path, cells), "pytest-benchmark").decode()
    assert len(set(re.findall(r'"group": "([^"]*)"', text))) == 4


_MEASURED = """
import re, sys, time
from pathlib import Path
from harness.report import render
render([Path(sys.argv[1])], Path(sys.argv[2]))
highest = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(time.process_time(), highest[1])
"""


@pytest.mark.slow
def test_forty_boards_with_long_names_make_a_small_page_soon(tmp_path: Path) -> None:
    """Before: 11 MB, 37 s of processor time and 670 MB for these."""
    cells = [
        make_cell(f"a-network-with-a-rather-long-name-that-goes-on-and-on-{net}", variant,
                  device(f"lab-raspberry-pi-4-model-b-{number:02d}", emulated=False), median_ms=net + 1)
        for number in range(40) for net in range(4) for variant in ("fp32", "int8")
    ]  # fmt: skip
    run = make_run(tmp_path, cells)
    command = [sys.executable, "-c", _MEASURED, str(run), str(tmp_path / "out")]
    seconds, kilobytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert len(page.encode()) < 5_000_000
    assert float(seconds) < 25
    assert int(kilobytes) < 350_000
    figures = {path.stem.partition("-")[0] for path in (tmp_path / "out" / "figures").iterdir()}
    assert figures >= {"pareto", "latency", "distribution", "memory", "size", "recall"}
    assert len(list((tmp_path / "out" / "figures").glob("pareto-*.svg"))) == 40
    assert len(list((tmp_path / "out" / "figures").glob("latency-*.svg"))) == MOST_BOARDS
    assert "harness report --plot draws any figure of all of them" in page
    assert len(rows(tmp_path / "out" / "tables" / "winners.csv")) == 40


def test_what_is_asked_for_by_name_is_drawn_of_all_boards(tmp_path: Path) -> None:
    cells = [make_cell(dev=device(f"pi-{number}", emulated=number < 7)) for number in range(14)]
    run = make_run(tmp_path, cells)
    assert len(render([run], tmp_path / "out", plots=["latency"], formats=["svg"]).figures) == 14
    whole = render([run], tmp_path / "whole")
    drawn = [path.name for path in whole.figures if path.name.startswith("latency")]
    assert sum("latency-real" in name for name in drawn) == sum("latency-emulated" in name for name in drawn) == 3
