"""The controller's end of the lines to workers, through the queues of a real scheduler in this process."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("distributed")
from distributed import Client

from harness.core.errors import ClusterError, StoreError
from harness.records.cell import Cell, Reason
from harness.results import store
from harness.run.cell import failed
from harness.run.ledger import Ledger
from harness.run.plan import CellJob
from harness.run.turns import Turns
from harness.run.workers import mail
from harness.run.workers.desk import Desk
from harness.run.workers.mail import Line
from harness.run.workers.parcel import Order, Parcels
from harness.run.workers.records import Begun, WorkerRecords, packed
from tests.support.ledgers import turns_of

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None, set_as_default=False
    ) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "FRESH_S", 0.0)


class Table:
    """A desk that serves, and its orders for one group of two boards."""

    def __init__(self, desk: Desk, turns: Turns, ledger: Ledger, serving: Future[None]) -> None:
        self.desk, self.turns, self.ledger, self.serving = desk, turns, ledger, serving

    def order(self, attempt: int = 0) -> Order:
        jobs = {
            name: Parcels(self.turns, self.ledger).listed(each) for name, each in self.ledger.schedule.plan.jobs.items()
        }
        group = [[device] for device in self.ledger.schedule.fleet.devices]
        return Order(3, attempt, group, jobs, inbox=self.desk.inbox, halting="halting")

    def line(self, attempt: int = 0) -> Line:
        return Line(self.desk.client, self.desk.inbox, number=3, attempt=attempt)

    def cell(self, job: CellJob) -> Cell:
        context = self.turns.of(job.device, []).context
        return failed(self.turns.underway.measurement(job, context), [Reason(code="board", text="no board")])

    def jobs(self, name: str) -> list[CellJob]:
        return self.ledger.schedule.plan.jobs[name]


@contextmanager
def serving(client: Client, folder: Path, **files: Path) -> Iterator[Table]:
    turns, ledger = turns_of(folder, "one", "two", threads=(1, 2, 3))
    desk = Desk(turns, ledger, client, inbox=f"test-{secrets.token_hex(4)}", files=files)
    with ledger.opened(), ThreadPoolExecutor(1) as pool:
        table = Table(desk, turns, ledger, pool.submit(desk.serve))
        desk.expect(table.order())
        try:
            yield table
        finally:
            desk.end()


def begin(line: Line, name: str) -> Begun:
    return Begun.of(line.ask("begin", device=name))


def test_a_successor_goes_on_from_what_was_kept_and_the_first_one_learns_it(client: Client, tmp_path: Path) -> None:
    with serving(client, tmp_path) as table:
        first, (one, two, three) = table.line(), table.jobs("one")
        begun = {name: begin(first, name) for name in ("one", "two")}
        assert begun["one"].to_do == (one.cell, two.cell, three.cell)
        assert begun["one"].token != begun["two"].token
        records = WorkerRecords(table.ledger.schedule, first, begun)
        records.keep(one, table.cell(one))
        records.keep_partly(table.cell(two))
        assert not first.over

        table.desk.expect(table.order(attempt=1))
        with pytest.raises(ClusterError, match="gave the devices to another worker"):
            records.keep(three, table.cell(three))
        assert first.over

        second = table.line(attempt=1)
        begun = {name: begin(second, name) for name in ("one", "two")}
        assert begun["one"].to_do == (two.cell, three.cell)
        assert begun["one"].stored == {two.cell: table.ledger.stored(two)}
        assert begun["one"].partly == {two.cell}
        assert len(begun["two"].to_do) == 3
        assert {path.stem for path in store.cell_paths(table.ledger.folder)} == {one.cell, two.cell}
        assert table.desk.kept(3) == 2
        assert [job.cell for job in table.desk.left("one")] == [two.cell, three.cell]
    table.serving.result(30)


def test_the_same_order_begun_by_another_worker_is_his(client: Client, tmp_path: Path) -> None:
    """The scheduler itself gives a task to another worker where the first one dies."""
    with serving(client, tmp_path) as table:
        first, second = table.line(), table.line()
        begin(first, "one")
        begin(second, "one")
        assert first.over
        assert not second.over


def test_a_worker_can_keep_nothing_but_cells_of_its_devices(client: Client, tmp_path: Path) -> None:
    with serving(client, tmp_path) as table:
        (mine, *_), (other, *_) = table.jobs("one"), table.jobs("two")
        cell = table.cell(mine)
        for device, sent in (
            ("one", table.cell(other)),
            ("two", cell),
            ("three", cell),
            ("one", cell.model_copy(update={"run": "another"})),
            ("one", cell.model_copy(update={"cell": "one+another"})),
        ):
            table.desk.expect(table.order())
            line = table.line()
            begin(line, "one")
            with pytest.raises(ClusterError):
                line.ask("keep", device=device, cell=packed(sent))
            assert line.over, "it costs the worker its devices"
        table.desk.expect(table.order())
        line = table.line()
        begin(line, "one")
        with pytest.raises(ClusterError):
            line.ask("rename", device="one", renamed=[[mine.cell, other.cell]], dropped=[])
        with pytest.raises(ClusterError):
            line.ask("format-disk")
        assert store.cell_paths(table.ledger.folder) == []
    table.serving.result(30)


def test_a_worker_gets_the_files_of_the_run_and_no_others(client: Client, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"weights")
    with serving(client, tmp_path, **{"a" * 64: tmp_path / "model"}) as table:
        line = table.line()
        begin(line, "one")
        assert line.ask("file", sha256="a" * 64, offset=2)["data"] == b"ights"
        for other in ("b" * 64, "/etc/passwd", str(tmp_path / "model")):
            assert line.ask("file", sha256=other, offset=0)["data"] == b""


def test_workers_end_where_nothing_can_be_stored_any_more(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise StoreError("no space left")

    with serving(client, tmp_path) as table:
        line, (job, *_) = table.line(), table.jobs("one")
        begin(line, "one")
        monkeypatch.setattr(store, "write_cell", full)
        with pytest.raises(ClusterError):
            line.ask("keep", device="one", cell=packed(table.cell(job)))
        other = table.line()
        assert other.over
    with pytest.raises(StoreError, match="no space left"):
        table.serving.result(30)
