"""Pages beside the report's own: a comparison of two runs, and cells over time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.made.cells import device, in_rounds, make_cell, make_run
from harness.core.errors import ReportError
from harness.report import history, render, render_comparison, render_history
from harness.results.compare import compare
from tests.support.reports import HERE, digests, few, rows


def test_pages_beside_are_linked_once_they_are_there(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, [make_cell(dev=HERE)], name=name) for name in ("a", "b")]
    out = tmp_path / "out"
    index = render(runs, out, formats=["svg"]).index
    assert index is not None
    text = index.read_text()
    assert "<code>harness compare OLDER NEWER --out reports</code>" in text
    assert "<code>harness report --history --out reports</code>" in text
    assert 'href="history.html"' not in text
    render_comparison(compare(*runs), out, formats=["svg"])
    render_history(runs, out, formats=["svg"])
    render(runs, out, formats=["svg"])
    text = index.read_text()
    assert 'href="compare.html"' in text
    assert 'href="history.html"' in text
    assert "not made yet" not in text


def test_a_comparison_has_a_page(tmp_path: Path) -> None:
    cells = [in_rounds(cell, apart=0.002) if cell.device.clock == "wall" else cell for cell in few()]
    slow = [c.model_copy(update={"latency_ns": tuple(x + x // 10 for x in c.latency_ns)}) for c in cells]
    found = compare(make_run(tmp_path, cells, name="a"), make_run(tmp_path, slow, name="b"), 0.05)
    paths = render_comparison(found, tmp_path / "out")
    assert paths.index is not None
    text = paths.index.read_text()
    assert "tripped" in text
    assert text.count("<img ") == 2
    table = rows(tmp_path / "out" / "tables" / "compare.csv")
    assert {row["verdict"] for row in table} == {"slower", "refused"}
    assert digests(tmp_path / "out") == again(lambda out: render_comparison(found, out), tmp_path)


def again(make: object, tmp_path: Path) -> dict[str, str]:
    make(tmp_path / "second")  # type: ignore[operator]
    return digests(tmp_path / "second")


def test_history_marks_significant_changes(tmp_path: Path) -> None:
    runs = []
    for i, factor in enumerate((1.0, 1.0, 1.08)):
        both = make_cell(dev=HERE, median_ms=10 * factor, seed=i), make_cell("ghostnet", dev=HERE, seed=i)
        cells = [in_rounds(cell, apart=0.002, seed=i) for cell in both]
        runs.append(make_run(tmp_path, cells, name=f"run-{i}"))
    paths = render_history(runs, tmp_path / "out")
    found = {row["cell"]: row for row in rows(tmp_path / "out" / "tables" / "history.csv")}
    assert re.fullmatch(r"run-2: \+[78]\.\d %", found["mobilenet-v2 int8.tflite 1T"]["changes"])
    assert found["ghostnet int8.tflite 1T"]["changes"] == ""
    assert paths.index is not None
    with pytest.raises(ReportError, match="at least two"):
        render_history(runs[:1], tmp_path / "out")


def test_history_calls_a_change_what_a_comparison_calls_one(tmp_path: Path) -> None:
    """1.950 to 1.953 million instructions: less than one interrupt of the board's kernel."""
    for number, (before, after, changed) in enumerate((
        (1_950_000, 1_953_000, False), (1_950_000, 1_958_000, True), (5_000_000, 5_004_000, False),
        (5_000_000, 5_006_000, True),
    )):  # fmt: skip
        folder = tmp_path / str(number)
        runs = [
            make_run(folder, [make_cell(latency_ns=(ticks,) * 99)], name=f"run-{ticks}") for ticks in (before, after)
        ]
        verdict = compare(*runs).pairs[0].verdict
        point = history.gather(runs).lines[0].points[1]
        assert (verdict == "slower") is changed is (point.change is not None)


def test_history_never_compares_two_machines_that_share_a_name(tmp_path: Path) -> None:
    fast, slow = (device("here", "generic", emulated=False, cpu=cpu) for cpu in ("AMD EPYC 7B13", "Intel Atom"))
    runs = [
        make_run(tmp_path, [make_cell(dev=dev, median_ms=ms, seed=i)], name=f"run-{i}")
        for i, (dev, ms) in enumerate(((fast, 1), (slow, 30), (fast, 1), (slow, 30)))
    ]
    found = history.gather(runs)
    assert [line.device for line in found.lines] == ["here (AMD EPYC 7B13)", "here (Intel Atom)"]
    assert [[point.run for point in line.points] for line in found.lines] == [[0, 2], [1, 3]]
    assert all(point.change is None and not point.broken for line in found.lines for point in line.points)
    render_history(runs, tmp_path / "out", formats=["svg"])
    assert len(list((tmp_path / "out" / "figures").iterdir())) == 2


def test_history_starts_anew_where_a_board_was_updated(tmp_path: Path) -> None:
    kernels = ("6.1", "6.1", "6.6", "6.6")
    runs = [
        make_run(tmp_path, [make_cell(dev=device(kernel=kernel), median_ms=ms)], name=f"run-{i}")
        for i, (kernel, ms) in enumerate(zip(kernels, (10, 10, 20, 20), strict=True))
    ]
    [line] = history.gather(runs).lines
    assert [bool(point.broken) for point in line.points] == [False, False, True, False]
    assert line.total == pytest.approx(1)
