"""Runs as a Parquet data set: what is in it, adding twice, and the questions of the guide."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmarks.dataset_sql import questions, view
from benchmarks.made.cells import device, in_rounds, make_cell, make_run, matrix
from benchmarks.made.dataset import write
from harness.cli.app import app
from harness.core.errors import UsageError
from harness.records.cell import Cell
from harness.results import dataset, to_frame

HERE = device("here", "generic", emulated=False)


def cells() -> list[Cell]:
    return [*matrix(2, 2), in_rounds(make_cell("ghostnet", dev=HERE), apart=0.01), make_cell("x", status="FAILED")]


def files(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*.parquet")}


def opened(place: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(view().replace("'dataset/", f"'{place}/"))
    return connection


def test_each_cell_is_one_row_with_the_values_of_the_table(tmp_path: Path) -> None:
    run, place = make_run(tmp_path, cells(), name="a"), tmp_path / "set"
    dataset.add_run(run, place)
    got = pd.read_parquet(place).set_index("cell").sort_index()
    expected = to_frame(cells()).set_index("cell").sort_index()
    assert list(got.index) == list(expected.index)
    for column in ("model", "device", "status", "accuracy", "latency_median_ms", "latency_median_minstr", "n"):
        pd.testing.assert_series_equal(got[column], expected[column], check_dtype=False)
    assert got.board.astype(str).tolist() == expected.board.tolist()
    assert all(list(a) == list(b) for a, b in zip(got.latency_ns, expected.latency_ns, strict=True))


def test_no_column_of_the_table_is_left_out(tmp_path: Path) -> None:
    assert {*to_frame(cells()).columns} - {"board"} <= {*dataset.SCHEMA.names}


def test_adding_a_run_twice_changes_nothing(tmp_path: Path) -> None:
    run, place = make_run(tmp_path, cells(), name="a"), tmp_path / "set"
    dataset.add_run(run, place)
    first = files(place)
    dataset.add_run(run, place)
    assert files(place) == first
    dataset.add_run(make_run(tmp_path, cells()[:1], name="b"), place)
    assert opened(place).execute("SELECT count(*) FROM cells").fetchall() == [(len(cells()) + 1,)]


def test_cells_that_a_run_lost_are_lost_here(tmp_path: Path) -> None:
    place = tmp_path / "set"
    dataset.add_run(make_run(tmp_path / "one", cells(), name="a"), place)
    dataset.add_run(make_run(tmp_path / "two", cells()[:2], name="a"), place)
    assert opened(place).execute("SELECT count(*) FROM cells").fetchall() == [(2,)]


def test_types_are_the_same_where_all_values_are_missing(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    place = tmp_path / "set"
    dataset.add_run(make_run(tmp_path, cells(), name="a"), place)
    assert {str(pq.read_schema(path)) for path in place.rglob("*.parquet")} == {str(dataset.SCHEMA)}


def test_there_are_ten_questions() -> None:
    assert len(questions()) == 10


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made") / "set"
    write(place, 4_000)
    return place


@pytest.mark.parametrize(("question", "sql"), questions())
def test_each_question_of_the_guide_has_an_answer(question: str, sql: str, made_up: Path) -> None:
    assert opened(made_up).execute(sql).fetchall(), question
    assert "\n" not in sql


def test_the_fastest_network_of_a_board_is_the_smallest_median(made_up: Path) -> None:
    place = made_up
    connection = opened(place)
    answer = {board: ms for board, _, ms in connection.execute(questions()[0][1]).fetchall()}
    frame = pd.read_parquet(place)
    valid = frame[frame.status == "VALID"]
    expected = valid.groupby(valid.board.astype(str)).latency_median_ms.min()
    assert answer == pytest.approx(expected.to_dict())


def test_the_command_adds_a_run(tmp_path: Path) -> None:
    make_run(tmp_path, cells(), name="a")
    place = tmp_path / "set"
    words = ["export", "a", "--results", str(tmp_path), "--format", "dataset"]
    done = CliRunner().invoke(app, [*words, "--out", str(place)])
    assert done.exit_code == 0, done.output
    assert opened(place).execute("SELECT count(*) FROM cells").fetchall() == [(len(cells()),)]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, UsageError)
    assert done.exception.fix == "--out FOLDER"
