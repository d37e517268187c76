"""One controller at a time works on a run at an address elsewhere. The store is in memory."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path

import pytest

from harness.core.errors import LockTakenError, StoreError
from harness.results import store
from harness.results.objects import claim
from harness.results.objects.store import Objects
from tests.support.controllers import Controller, some_cells

memory = pytest.importorskip("fsspec.implementations.memory")


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Controller, Controller]:
    url = f"memory://{uuid.uuid4().hex}/runs"
    one, two = (Controller(tmp_path / name, url, monkeypatch) for name in ("one", "two"))
    one.measure("r", some_cells(1))
    two.mirror.find_run("r")
    monkeypatch.setattr(claim, "PROOF_S", 0.01)
    return one, two


def objects(controller: Controller) -> Objects:
    return controller.mirror._objects


def claimed(controller: Controller, **changes: object) -> None:
    """Change the claim that is there."""
    data = json.loads(objects(controller).read("r/claim.json", 1 << 16) or b"")
    objects(controller).write("r/claim.json", json.dumps(data | changes).encode())


def test_a_second_writer_is_refused_by_the_holders_name(pair: tuple[Controller, Controller]) -> None:
    one, two = pair
    with one.measuring("r") as folder:
        with pytest.raises(LockTakenError) as refused, two.measuring("r"):
            pass
        assert f"pid {os.getpid()} works on it, claimed until 20" in str(refused.value)
        assert str(refused.value).startswith(f"{one.mirror.address}/r: ")
        one.keep(folder, some_cells(2)[1])
    two.mirror.find_run("r")
    with two.measuring("r"):
        pass
    assert objects(one).state("r/claim.json") is None


def test_reading_needs_no_claim(pair: tuple[Controller, Controller]) -> None:
    one, two = pair
    with one.measuring("r") as folder:
        one.keep(folder, some_cells(2)[1])
        assert len(list(store.read_cells(two.mirror.find_run("r")))) == 2
        assert len(list(store.read_cells(one.mirror.find_run("r")))) == 2


def test_a_run_of_the_same_name_is_not_made_twice(pair: tuple[Controller, Controller], tmp_path: Path) -> None:
    one, _ = pair
    with pytest.MonkeyPatch.context() as patch:
        third = Controller(tmp_path / "three", one.mirror.address, patch)
    with pytest.raises(StoreError, match=r"/r: another controller wrote to it"), third.measuring("r"):
        pass


def test_who_read_before_another_wrote_is_told_so(pair: tuple[Controller, Controller]) -> None:
    one, two = pair
    with one.measuring("r") as folder:
        one.keep(folder, some_cells(2)[1])
    with pytest.raises(StoreError, match="the same command again"), two.measuring("r"):
        pass
    two.mirror.find_run("r")
    with two.measuring("r"):
        pass


def test_an_expired_claim_is_taken_over_and_its_holder_ends(pair: tuple[Controller, Controller]) -> None:
    one, two = pair
    with one.measuring("r") as folder:
        claimed(one, expires=time.time() - 1)
        with two.measuring("r") as theirs:
            assert "taking over run r: " in two.said[-1]
            two.keep(theirs, some_cells(2)[1])
            one.mirror._writer._confirm.__self__._record = one.mirror._writer._confirm.__self__._record.model_copy(
                update={"renewed": 0.0}
            )
            with pytest.raises(LockTakenError, match=r"was taken over by .* pid"):
                one.keep(folder, some_cells(3)[2])
        assert objects(one).state("r/claim.json") is None
    assert len(list(store.read_cells(two.mirror.find_run("r")))) == 2


def test_a_claim_of_a_dead_process_of_the_same_mirror_counts_for_nothing(pair: tuple[Controller, Controller]) -> None:
    """The kernel's lock on the mirror says that it has ended, so nobody waits."""
    one, two = pair
    with one.measuring("r"):
        left = objects(one).read("r/claim.json", 1 << 16)
    assert left
    objects(one).write("r/claim.json", left)
    with pytest.raises(LockTakenError), two.measuring("r"):
        pass
    with one.measuring("r"):
        assert "has ended without giving it back" in one.said[-1]
        assert json.loads(objects(one).read("r/claim.json", 1 << 16) or b"")["token"] != json.loads(left)["token"]


def test_a_claim_is_renewed_when_a_cell_is_stored_late(pair: tuple[Controller, Controller]) -> None:
    one, _ = pair
    with one.measuring("r") as folder:
        held = one.mirror._writer._confirm.__self__
        held._record = held._record.model_copy(update={"renewed": time.time() - 2 * claim.RENEW_S})
        before = json.loads(objects(one).read("r/claim.json", 1 << 16) or b"")
        one.keep(folder, some_cells(2)[1])
        after = json.loads(objects(one).read("r/claim.json", 1 << 16) or b"")
    assert after["expires"] > before["expires"]
    assert after["token"] == before["token"]


@pytest.mark.parametrize("data", [b"", b"{", b'{"schema": 2}', b"[" * 1000, b"x" * (1 << 17)])
def test_what_is_no_claim_is_said_by_name(pair: tuple[Controller, Controller], data: bytes) -> None:
    one, two = pair
    objects(one).write("r/claim.json", data)
    with pytest.raises(StoreError, match=r"/r/claim.json: is not a claim"), two.measuring("r"):
        pass


def test_a_store_that_ignores_conditions_lets_one_of_two_in(
    pair: tuple[Controller, Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find nobody, both write; the one whose claim stays has the run."""
    one, two = pair
    monkeypatch.setattr(Objects, "create", lambda self, name, data: bool(self.write(name, data)))
    first = claim.Claim(objects(one), "r", "place one", one.said.append)
    monkeypatch.setattr(claim.Claim, "_found", lambda self: None)
    first._objects.create(first._name, first._record.data())
    monkeypatch.undo()
    monkeypatch.setattr(claim, "PROOF_S", 0.01)
    monkeypatch.setattr(Objects, "create", lambda self, name, data: bool(self.write(name, data)))
    second = claim.Claim(objects(two), "r", "place two", two.said.append)
    second._objects.create(second._name, second._record.data())
    second._prove()
    with pytest.raises(LockTakenError):
        first._settle()
