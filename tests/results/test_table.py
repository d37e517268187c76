"""The public table of results."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.made.cells import LABELS, device, make_cell, make_run
from harness import results
from harness.core.errors import StoreError
from harness.results import store

DOCS = Path(__file__).parents[2] / "docs"


def test_one_row_a_cell_from_a_cell_a_run_or_all_runs(tmp_path: Path) -> None:
    run = make_run(tmp_path, [make_cell(), make_cell("ghostnet", status="FAILED")], name="one")
    make_run(tmp_path, [make_cell(run="two")], name="two")
    assert len(results.load(store.cell_paths(run)[0])) == 1
    assert len(results.load(run)) == 2
    frame = results.load(str(tmp_path))
    assert list(frame.run) == ["test-run", "test-run", "two"]
    with pytest.raises(StoreError, match="neither"):
        results.load(tmp_path / "nothing")


def test_raw_samples_come_as_integer_arrays_in_order(tmp_path: Path) -> None:
    cell = make_cell(passes=2)
    row = results.load(make_run(tmp_path, [cell])).iloc[0]
    assert row.latency_ns.dtype == np.int64
    assert row.latency_ns.tolist() == list(cell.latency_ns)
    assert row.samples == 198
    assert row.predictions.tolist() == list(cell.predictions)
    assert row.labels == LABELS


def test_milliseconds_and_instructions_never_share_a_column(tmp_path: Path) -> None:
    here = device("here", "generic", emulated=False)
    frame = results.load(make_run(tmp_path, [make_cell(), make_cell(dev=here)])).set_index("device")
    assert frame.latency_median_ms.notna().to_dict() == {"here": True, "pi4": False}
    assert frame.latency_median_minstr.notna().to_dict() == {"here": False, "pi4": True}
    assert frame.loc["here", "latency_median_ms"] == np.median(make_cell(dev=here).latency_ns) / 1e6


def test_columns_have_the_same_types_whatever_is_missing(tmp_path: Path) -> None:
    full = results.to_frame([make_cell()])
    bare = results.to_frame([make_cell(status="FAILED", load_ns=None, dev=device(cores=None))])
    empty = results.to_frame([])
    numbers = full.select_dtypes("number").columns
    assert {name: full[name].dtype for name in numbers} == {name: bare[name].dtype for name in numbers}
    assert list(empty.columns) == list(full.columns)


def test_every_column_is_documented() -> None:
    text = (DOCS / "results.md").read_text()
    documented = set(re.findall(r"`([a-z0-9_]+)`", text))
    assert set(results.to_frame([]).columns) <= documented


def test_the_worked_example_of_the_documentation_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = device("here", "generic", emulated=False)
    cells = [make_cell(m, v, d) for m in ("ghostnet", "mnasnet") for v in ("fp32", "int8") for d in (device(), here)]
    make_run(tmp_path / "results", cells, name="example")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "results.md").read_text(), flags=re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "results.md", "exec"), names)
