"""What every registered table keeps to."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from benchmarks.made.cells import device, make_cell, make_manifest, make_run
from harness.report.gather import gather
from harness.report.summary import summarise
from harness.report.table import Table
from harness.report.tables import TABLES, build
from tests.support.any_network import outputs
from tests.support.estimate_factory import make_estimate

NAMES = ("resvgg19", "resvgg19-pruned", "ghostnet")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Table]:
    cells = [
        make_cell(name, dev=dev, outputs=outputs()).model_copy(
            update={"estimate": make_estimate(1_000_000) if dev.emulated else None}
        )
        for name in NAMES
        for dev in (device(), device("here", "generic", emulated=False))
    ]
    older = cells[0].runtime.model_copy(update={"version": "2.1.0"})
    cells.append(cells[0].model_copy(update={"cell": f"{cells[0].cell}-older", "runtime": older}))
    data = gather([make_run(tmp_path_factory.mktemp("tables"), cells)], {name: make_manifest(name) for name in NAMES})
    return build(data, summarise(data))


def test_each_has_a_name_of_its_own(made: dict[str, Table]) -> None:
    assert len(made) == len(TABLES)
    assert len({table.title for table in made.values()}) == len(TABLES)


def test_each_column_has_a_name_of_its_own_and_each_row_all_columns(made: dict[str, Table]) -> None:
    for table in made.values():
        names = [name for name, _ in table.columns]
        assert len(set(names)) == len(names), table.name
        assert all(heading for _, heading in table.columns), table.name
        rows = list(csv.reader(io.StringIO(table.csv())))
        assert rows[0] == names
        assert all(len(row) == len(names) for row in rows), table.name


def test_an_empty_run_has_tables_too(tmp_path: Path) -> None:
    data = gather([make_run(tmp_path, [])], {})
    assert {table.name for table in build(data, summarise(data)).values()} >= {"cells", "winners", "boards"}
