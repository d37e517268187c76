"""Results on a real S3-speaking server, over a line that refuses, delays and cuts."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.core.errors import LockTakenError, UsageError
from harness.results import store
from harness.results.objects import store as objects_store
from harness.results.objects import writer
from harness.results.objects.store import Objects
from tests.support.controllers import Controller, content, some_cells
from tests.support.s3_server import BUCKET, FAULTS, FaultyLine, s3, s3_address

__all__ = ["s3", "s3_address"]  # fixtures

pytest.importorskip("s3fs")
URL = f"s3://{BUCKET}/team/runs"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between tries, ten times shorter."""
    for module, name in ((objects_store, "PAUSES_S"), (writer, "PATIENT_S")):
        monkeypatch.setattr(module, name, tuple(pause / 10 for pause in getattr(module, name)))


def test_every_object_is_whole_whatever_the_line_does(s3: FaultyLine) -> None:
    """Written, written again, read and listed by several threads at once, with one exchange in five meeting a fault."""
    objects, s3.share = Objects(URL), 0.2
    chance = random.Random(5)
    contents = {f"r/cells/{k}.json": chance.randbytes(chance.randrange(1, 200_000)) for k in range(24)}

    def write_twice(name: str) -> None:
        objects.write(name, b"an earlier version")
        objects.write(name, contents[name])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write_twice, contents))
        found = dict(zip(contents, pool.map(lambda name: objects.read(name, 1 << 20), contents), strict=True))
    assert found == contents
    listed = objects.all("r")
    assert {f"r/{name}": stored.size for name, stored in listed.items()} == {n: len(d) for n, d in contents.items()}
    assert all(objects.state(f"r/{name}") == stored for name, stored in list(listed.items())[:4])
    for name in contents:
        objects.remove(name)
    assert objects.all() == {}
    assert all(s3.met[fault] > 0 for fault in FAULTS), s3.met


def test_conditions_hold_whatever_the_line_does(s3: FaultyLine) -> None:
    """Of many that make one object at once, one is told that it did, even where answers are lost."""
    objects, s3.share = Objects(URL), 0.2
    for number in range(6):
        with ThreadPoolExecutor(4) as pool:
            told = list(pool.map(lambda k, n=number: objects.create(f"c{n}", f"{k}".encode()), range(4)))
        assert sum(told) == 1
        assert objects.read(f"c{number}", 100) == str(told.index(True)).encode()
        known = objects.state(f"c{number}")
        assert known is not None
        with ThreadPoolExecutor(4) as pool:
            told = list(
                pool.map(lambda k, n=number, s=known: objects.replace(f"c{n}", f"new {k}".encode(), s), range(4))
            )
        assert sum(told) == 1
        assert objects.read(f"c{number}", 100) == f"new {told.index(True)}".encode()


def test_a_store_that_is_away_for_a_while_costs_nothing(
    s3: FaultyLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measuring goes on, what waits is named, and is brought there when the store is back."""
    one, two = (Controller(tmp_path / name, URL, monkeypatch) for name in ("one", "two"))
    cells = some_cells(4)
    with one.measuring("r") as folder:
        one.keep(folder, cells[0])
        s3.down = True
        one.keep(folder, cells[1])
        began = time.monotonic()
        one.keep(folder, cells[2])
        assert time.monotonic() - began < 1  # not tried: the store has just failed
        monkeypatch.setattr(writer, "PATIENT_S", (0.01,))
        assert one.mirror.settled() == tuple(sorted(f"cells/{cell.cell}.json" for cell in cells[1:3]))
        assert "it is kept here and tried again later" in one.said[-1]
        s3.down = False
        monkeypatch.setattr(one.mirror._writer, "_quiet_until", 0.0)
        one.keep(folder, cells[3])
        assert one.mirror.settled() == ()
    assert list(store.read_cells(two.mirror.find_run("r"))) == cells


def test_a_run_that_ended_while_the_store_was_away_is_brought_by_the_next_command(
    s3: FaultyLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (Controller(tmp_path / name, URL, monkeypatch) for name in ("one", "two"))
    cells = some_cells(2)
    with one.measuring("r") as folder:
        one.keep(folder, cells[0])
        s3.down = True
        one.keep(folder, cells[1])
    assert "the claim on run r ends at" in one.said[-1]
    s3.down = False
    assert list(store.read_cells(two.mirror.find_run("r"))) == cells[:1]
    one.mirror.find_run()
    assert list(store.read_cells(two.mirror.find_run("r"))) == cells


def test_two_controllers_and_a_faulty_line(s3: FaultyLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.share = 0.15
    one, two = (Controller(tmp_path / name, URL, monkeypatch) for name in ("one", "two"))
    cells = some_cells(12)
    folder = one.measure("r", cells)
    with one.measuring("r"), pytest.raises(LockTakenError, match="works on it"), two.measuring("r"):
        pass
    found = two.mirror.find_run()
    assert content(found) == content(folder)
    with two.measuring("r"):
        two.keep(found, cells[0].model_copy(update={"load_ns": 5}))
        assert two.mirror.settled() == ()
    assert content(one.mirror.find_run("r")) == content(found)


@pytest.mark.parametrize(
    ("address", "without", "message"),
    [
        ("s3://nosuchbucket/runs", "AWS_PROFILE", "can't be written: The specified bucket does not exist"),
        (URL, "AWS_ACCESS_KEY_ID", "credentials"),
    ],
)
def test_settings_that_can_not_work_are_said_before_a_run(
    s3: FaultyLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, without: str, message: str
) -> None:
    monkeypatch.delenv(without, raising=False)
    with pytest.raises(UsageError, match=message) as refused:
        Controller(tmp_path, address, monkeypatch).mirror.check()
    assert str(refused.value).startswith(f"--results {address}")
    assert "only-a-test" not in str(refused.value)
