"""What travels between the controller and a worker arrives as it was sent."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from benchmarks.made.cells import make_cell
from harness.core.errors import ClusterError
from harness.core.files import sha256_bytes
from harness.run.inputs.seeded import seeded
from harness.run.workers import files
from harness.run.workers.mail import Line, Message
from harness.run.workers.parcel import Parcels, Shared
from harness.run.workers.records import Begun, packed, unpacked
from tests.support.jobs import job
from tests.support.ledgers import turns_of


def test_a_cell_arrives_as_it_was_sent() -> None:
    cell = make_cell()
    assert unpacked(packed(cell)) == cell


@pytest.mark.parametrize("sent", [b"", b"{}", b"[" * 1000, "text", None, 7, packed(make_cell()) + b"}"])
def test_what_is_no_cell_is_refused(sent: object) -> None:
    with pytest.raises(ClusterError, match="a worker sent no cell"):
        unpacked(sent)


def test_what_the_controller_knows_of_a_device_arrives_as_it_was_sent() -> None:
    cell = make_cell()
    begun = Begun(("a", "b"), frozenset({"c"}), {cell.cell: cell}, frozenset({cell.cell}), cell.device, "token")
    assert Begun.of(begun.message()) == begun
    bare = Begun((), frozenset(), {}, frozenset(), None, "token")
    assert Begun.of(bare.message()) == bare


def test_jobs_arrive_as_they_were_sent_and_their_artifacts_once(tmp_path: Path) -> None:
    turns, ledger = turns_of(tmp_path, "one", "two", threads=(1, 2))
    parcels = Parcels(turns, ledger)
    listed = {name: parcels.listed(jobs) for name, jobs in ledger.schedule.plan.jobs.items()}
    shared = cast("Shared", pickle.loads(pickle.dumps(parcels.shared())))
    assert len(shared.shipped) == 1
    assert shared.tests == ledger.schedule.tests
    for device in ledger.schedule.fleet.devices:
        jobs = [each.job(device, shared) for each in pickle.loads(pickle.dumps(listed[device.name]))]
        assert jobs == ledger.schedule.plan.jobs[device.name]


def test_the_maker_of_inputs_stays_behind(tmp_path: Path) -> None:
    """It holds all data of a task, and the inputs have been made."""
    turns, ledger = turns_of(tmp_path, "one")
    (planned, *_) = ledger.schedule.plan.jobs["one"]
    own = seeded(planned.shipped.artifact.inputs).own_inputs()
    ledger.schedule.plan.jobs["one"] = [replace(planned, shipped=replace(planned.shipped, own_inputs=own))]
    (shipped,) = Parcels(turns, ledger).shared().shipped
    assert shipped.own_inputs is not None
    assert (shipped.own_inputs.key, shipped.own_inputs.names) == (own.key, own.names)
    assert pickle.loads(pickle.dumps(shipped)).own_inputs.key == own.key


class Asked:
    """A line to a controller that has these files."""

    def __init__(self, there: dict[str, Path]) -> None:
        self.there, self.parts = there, 0

    def ask(self, kind: str, *, sha256: str, offset: int) -> Message:
        assert kind == "file"
        self.parts += 1
        return files.part(self.there[sha256], offset)


def shared_with(path: Path, sha256: str) -> Shared:
    one = job()
    artifact = one.shipped.artifact.model_copy(update={"sha256": sha256})
    shipped = replace(one.shipped, artifact=artifact, path=path)
    return Shared(
        key=sha256, run="r", list_file="devices.yaml", options=None, faked=None, shipped=(shipped,),  # type: ignore[arg-type]
        tests={}, goldens=None, made={},  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_file_that_is_there_is_used_and_another_one_is_fetched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "PART_BYTES", 1000)
    content = bytes(range(256)) * 10
    sha256 = sha256_bytes(content)
    (tmp_path / "model").write_bytes(content)
    line = Asked({sha256: tmp_path / "model"})
    asked = cast("Line", line)
    assert files.at_hand(shared_with(tmp_path / "model", sha256), asked).shipped[0].path == tmp_path / "model"
    assert line.parts == 0

    monkeypatch.setattr(files, "_KNOWN", {})
    found = files.at_hand(shared_with(tmp_path / "elsewhere", sha256), asked).shipped[0].path
    assert found.read_bytes() == content
    assert line.parts == 4, "the last part is empty"
    assert files.at_hand(shared_with(tmp_path / "elsewhere", sha256), asked).shipped[0].path == found
    assert line.parts == 4

    monkeypatch.setattr(files, "_KNOWN", {})
    found.write_bytes(b"damaged")
    assert files.at_hand(shared_with(tmp_path / "elsewhere", sha256), asked).shipped[0].path.read_bytes() == content


def test_a_file_that_has_changed_on_the_controller_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "_KNOWN", {})
    (tmp_path / "model").write_bytes(b"another one")
    sha256 = sha256_bytes(b"the one")
    with pytest.raises(ClusterError, match="has changed on the controller"):
        files.at_hand(shared_with(tmp_path / "nowhere", sha256), cast("Line", Asked({sha256: tmp_path / "model"})))
    assert files.part(tmp_path / "gone", 0) == {"data": b""}
