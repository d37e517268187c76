"""The kept table of a run: the same as the cells, and never used once a cell file is not what it was."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.made.cells import device, make_cell, make_run
from harness import results
from harness.report import render
from harness.report.evidence import content
from harness.results import store, table_cache

EVIDENCE = {"before": {"wall_s": "1.5", "ünï": [1, None, 2.5]}, "during": [], "after": {}, "stderr": "x\n\x1b[1m"}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few cells, every number that may be missing missing somewhere; few and fresh enough for a test."""
    monkeypatch.setattr(table_cache, "FEWEST", 2)
    monkeypatch.setattr(table_cache, "SETTLED_NS", -(1 << 60))
    cells = [
        make_cell(evidence=EVIDENCE),
        make_cell("ghostnet", dev=device("here", "generic", emulated=False, cores=None, features=())),
        make_cell("mnasnet", status="FAILED", warmup_ns=(), energy_j=1.5),
        make_cell("squeezenet", passes=2, started="2026-11-23T20:00:00Z"),
    ]
    return make_run(tmp_path / "results", cells)


def read(run: Path) -> pd.DataFrame:
    """The table from the cells themselves."""
    return results.to_frame(store.read_cells(run), infer=False)


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    a, b = (frame.assign(evidence=[dict(content(e)) for e in frame.evidence]) for frame in (a, b))
    assert list(a.columns) == list(b.columns)
    assert a.dtypes.to_dict() == b.dtypes.to_dict()
    pd.testing.assert_frame_equal(a, b)
    for name in a.columns:
        assert [type(v) for v in a[name]] == [type(v) for v in b[name]], name


def test_what_is_kept_is_what_the_cells_say(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = read(run)
    same(table_cache.frame_of(run)[0], wanted)
    assert (run / table_cache.NAME).is_file()
    monkeypatch.setattr(store, "scan_cells", lambda _: pytest.fail("read the cells again"))
    same(table_cache.frame_of(run)[0], wanted)


def test_the_report_is_the_same_byte_for_byte(run: Path, tmp_path: Path) -> None:
    def report(name: str) -> dict[str, str]:
        render([run], tmp_path / name, formats=["svg"])
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    first = report("first")
    assert (run / table_cache.NAME).is_file()
    assert report("second") == first


def test_a_changed_cell_is_seen_even_with_its_old_size_and_time(run: Path) -> None:
    table_cache.frame_of(run)
    path = store.cell_paths(run)[1]
    before = path.stat()
    old = path.read_bytes()
    new = old.replace(b'"2026-11-22T20:00:00Z"', b'"2031-01-01T00:00:00Z"')
    assert len(new) == len(old)
    assert new != old
    path.write_bytes(new)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "2031-01-01T00:00:00Z" in set(table_cache.frame_of(run)[0].started)


def test_replaced_added_and_removed_cells_are_seen(run: Path) -> None:
    table_cache.frame_of(run)
    store.write_cell(run, make_cell("resvgg19"))
    assert set(table_cache.frame_of(run)[0].model) == set(read(run).model)
    store.write_cell(run, make_cell("resvgg19", median_ms=77))
    same(table_cache.frame_of(run)[0], read(run))
    store.cell_paths(run)[0].unlink()
    assert len(table_cache.frame_of(run)[0]) == 4


def test_a_copy_is_read_anew(run: Path, tmp_path: Path) -> None:
    """Whoever hands on a folder of results can't hand on another table with them."""
    table_cache.frame_of(run)
    copied = tmp_path / "copied"
    shutil.copytree(run, copied)
    path = store.cell_paths(copied)[0]
    path.write_bytes(path.read_bytes().replace(b'"VALID"', b'"FAILED"').replace(b'"reasons": []',
                     b'"reasons": [{"code":"x","text":"made up"}]'))  # fmt: skip
    assert table_cache._load(copied / table_cache.NAME, table_cache._fingerprint(copied)[0]) is None
    same(table_cache.frame_of(copied)[0], read(copied))


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 not a zip", b"x" * 1000])
def test_a_damaged_file_is_made_again(run: Path, damage: bytes) -> None:
    table_cache.frame_of(run)
    whole = (run / table_cache.NAME).read_bytes()
    for content_ in (damage, whole[: len(whole) // 2]):
        (run / table_cache.NAME).write_bytes(content_)
        same(table_cache.frame_of(run)[0], read(run))
    assert (run / table_cache.NAME).read_bytes() == whole


def test_nothing_is_kept_of_fresh_few_or_unreadable_cells(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a tick of the file system's clock a file could change again without a trace."""
    with monkeypatch.context() as patch:
        patch.setattr(table_cache, "SETTLED_NS", 10_000_000_000)
        table_cache.frame_of(run)
        assert not (run / table_cache.NAME).exists()
    with monkeypatch.context() as patch:
        patch.setattr(table_cache, "FEWEST", 5)
        table_cache.frame_of(run)
        assert not (run / table_cache.NAME).exists()
    (run / "cells" / "broken.json").write_text("{")
    frame, bad = table_cache.frame_of(run)
    assert (len(frame), len(bad)) == (4, 1)
    assert not (run / table_cache.NAME).exists()


def test_a_folder_nobody_may_write_to_is_no_trouble(run: Path) -> None:
    (run / table_cache.NAME).mkdir()
    same(table_cache.frame_of(run)[0], read(run))
