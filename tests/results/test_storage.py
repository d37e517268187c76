"""Results elsewhere: addresses, the mirror, and what objects may become files. The store is in memory."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.made.cells import make_cell, make_run
from harness.core.errors import MissingExtraError, StoreError, UsageError
from harness.results import storage, store
from harness.results.objects import layout
from tests.support.controllers import Controller, content, info, some_cells

memory = pytest.importorskip("fsspec.implementations.memory")


@pytest.fixture
def url() -> Iterator[str]:
    name = uuid.uuid4().hex
    yield f"memory://{name}/runs"
    for path in [path for path in memory.MemoryFileSystem.store if path.startswith(f"/{name}/")]:
        del memory.MemoryFileSystem.store[path]


@pytest.fixture
def one(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Controller:
    return Controller(tmp_path / "one", url, monkeypatch)


@pytest.fixture
def two(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Controller:
    return Controller(tmp_path / "two", url, monkeypatch)


def put(url: str, name: str, data: bytes) -> None:
    """An object that somebody else put there."""
    memory.MemoryFileSystem().pipe_file(f"{url.removeprefix('memory:/')}/{name}", data)


def objects(url: str) -> dict[str, bytes]:
    start = f"{url.removeprefix('memory:/')}/"
    return {
        path.removeprefix(start): file.getvalue()
        for path, file in memory.MemoryFileSystem.store.items()
        if path.startswith(start)
    }


@pytest.mark.parametrize("address", ["results", "/tmp/x", "./a b", "s3:/no-url", "C:\\runs"])
def test_a_path_is_used_as_it_is(address: str) -> None:
    place = storage.at(address)
    assert (place.folder, place.address, type(place)) == (Path(address), str(Path(address)), storage.Storage)


def test_a_file_url_is_the_folder_itself(tmp_path: Path) -> None:
    place = storage.at(f"file://{tmp_path}")
    assert (place.folder, type(place)) == (tmp_path, storage.Storage)
    with pytest.raises(UsageError, match="no absolute path"):
        storage.at("file://relative/folder")


def test_a_path_loads_no_fsspec(tmp_path: Path) -> None:
    code = (
        "import sys; from harness.results import storage; storage.at('results').list_runs(); import harness.cli.app;"
        "sys.exit('fsspec' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "address",
    [
        "s3://AKIA:SECRET@bucket/runs",
        "sftp://user:SECRET@host/runs",
        "az://container/runs?sig=SECRET",
        "s3://bucket/runs#SECRET",
        "simplecache::s3://SECRET/x",
        "s3://SECRET/x::file:///y",
        "s3://SECRET/../other",
        "s3://SECRET/a b",
        "s3://SECRET/\x1b[31m",
        "memory://",
    ],
)
def test_urls_with_secrets_or_tricks_are_refused_without_repeating_them(address: str) -> None:
    if address.startswith("simplecache"):
        assert type(storage.at(address)) is storage.Storage  # "::" is no scheme, so this is an odd path
        return
    with pytest.raises(UsageError) as refused:
        storage.at(address)
    assert "SECRET" not in str(refused.value)
    assert refused.value.fix


def test_an_unknown_kind_of_address_is_refused() -> None:
    with pytest.raises(UsageError, match=r"nosuch://x/y.*nosuch"):
        storage.at("nosuch://x/y")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: object, **named: object) -> object:
        if name.partition(".")[0] == "s3fs":
            raise ImportError(f"No module named '{name}'")
        return real(name, *more, **named)  # type: ignore[arg-type]

    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "s3fs"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError) as refused:
        storage.at("s3://bucket/runs")
    assert "s3fs" in str(refused.value)
    assert "pip install" in str(refused.value)


def test_what_one_measures_another_reads(one: Controller, two: Controller, url: str) -> None:
    """Each file is one object with the same bytes, and the claim is gone in the end."""
    folder = one.measure("r", some_cells(3))
    assert objects(url) == {f"r/{name}": data for name, data in content(folder).items()}
    found = two.mirror.find_run()
    assert content(found) == content(folder)
    assert two.mirror.find_run("r") == found
    assert two.mirror.list_runs() == [found]
    assert two.said == []


def test_only_what_changed_is_read_again(one: Controller, two: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    one.measure("r", some_cells(3))
    two.mirror.find_run("r")
    read: list[str] = []
    real = memory.MemoryFileSystem.cat_file
    monkeypatch.setattr(
        memory.MemoryFileSystem, "cat_file", lambda self, path, **more: read.append(path) or real(self, path, **more)
    )
    two.mirror.find_run("r")
    assert read == []
    changed = some_cells(2)[1].model_copy(update={"load_ns": 1})
    with one.measuring("r") as folder:
        one.keep(folder, changed)
    read.clear()
    assert store.read_cell(two.mirror.find_run("r") / "cells" / f"{changed.cell}.json") == changed
    assert len(read) == 1


def test_what_is_gone_there_goes_here(one: Controller, two: Controller, url: str) -> None:
    first, second = some_cells(2)
    one.measure("r", [first, second])
    folder = two.mirror.find_run("r")
    with one.measuring("r") as ours:
        one.mirror.removed(ours / "cells" / f"{first.cell}.json")
    assert [cell.cell for cell in store.read_cells(two.mirror.find_run("r"))] == [second.cell]
    for path in list(objects(url)):
        memory.MemoryFileSystem().rm_file(f"{url.removeprefix('memory:/')}/{path}")
    assert two.mirror.list_runs() == []
    assert not folder.exists()


@pytest.mark.parametrize(
    "name",
    [
        "claim.json", "cells/.hidden.json", "cells/x.npz", "cells/a/b.json", "cells/../../x.json", "/etc/x.json",
        "cells\\x.json", "cells/\x07.json", "manifests/..json", ".cells.npz", "cells/" + "x" * 250 + ".json",
        "run.json/",
    ],
)  # fmt: skip
def test_other_objects_become_no_files(name: str) -> None:
    assert not layout.belongs(name)


def test_foreign_objects_are_left_alone(one: Controller, two: Controller, url: str, tmp_path: Path) -> None:
    one.measure("r", some_cells(1))
    for name in ("r/evil.sh", "r/cells/../../../x.json", "../out.json", "r/cells/.x.json", "-x/run.json", "top.json"):
        put(url, name, b"{}")
    folder = two.mirror.find_run("r")
    assert set(content(folder)) == {"run.json", "manifests/resvgg19.json", f"cells/{some_cells(1)[0].cell}.json"}
    assert {path.name for path in two.mirror.folder.iterdir()} == {".lock", ".place", "r"} - {".place"}
    two.mirror.list_runs()
    assert not list(tmp_path.rglob("x.json"))


def test_an_object_that_is_too_large_is_not_read_but_said(
    one: Controller, two: Controller, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_CELL_BYTES", 1 << 20)
    one.measure("r", some_cells(1))
    put(url, "r/cells/big.json", b" " * ((1 << 20) + 5))
    put(url, "r/cells/empty.json", b"")
    _, bad = store.scan_cells(two.mirror.find_run("r"))
    assert [(file.path.name, file.reason.split(":")[0]) for file in bad] == [
        ("big.json", "larger than the 1 MiB such a file can have"),
        ("empty.json", "not whole JSON"),
    ]


def test_the_latest_run_is_the_one_that_began_last(one: Controller, two: Controller) -> None:
    for name, started in (("a", "2026-11-23T20:00:00Z"), ("b", "2026-11-22T20:00:00Z")):
        one.mirror.folder.mkdir(parents=True, exist_ok=True)
        store.create_run(one.mirror.folder, info(name, started))
        one.measure(name, some_cells(1, name))
    assert two.mirror.find_run().name == "a"
    assert [path.name for path in two.mirror.list_runs()] == ["b", "a"]
    assert len(list(store.read_cells(two.mirror.find_run("latest")))) == 1


def test_a_damaged_newest_run_is_not_passed_over(one: Controller, two: Controller, url: str) -> None:
    one.measure("a", some_cells(1, "a"))
    put(url, "b/run.json", b'{"schema": 1')
    with pytest.raises(StoreError, match=r"b/run.json: not whole JSON.*it is the newest run"):
        two.mirror.find_run()
    put(url, "a/run.json", objects(url)["a/run.json"])
    assert two.mirror.find_run().name == "a"


def test_an_unknown_run_is_said_with_the_address_and_the_runs_there(one: Controller, two: Controller, url: str) -> None:
    with pytest.raises(StoreError) as none:
        two.mirror.find_run()
    assert str(none.value).startswith(f"{url}: no runs")
    one.measure("r", some_cells(1))
    with pytest.raises(StoreError) as other:
        two.mirror.find_run("x")
    assert str(other.value) == f"{url}: no run 'x' (runs there: r)"


def test_a_run_kept_elsewhere_is_found_by_its_path(one: Controller, tmp_path: Path) -> None:
    made = make_run(tmp_path / "elsewhere", [make_cell()])
    assert one.mirror.find_run(str(made)) == made


def test_a_lost_journal_costs_only_a_comparison(one: Controller, url: str) -> None:
    folder = one.measure("r", some_cells(2))
    before = content(folder)
    (folder / ".objects.jsonl").write_text('["run.json", "x"\nnull\n[1,2,3,4]\n')
    assert content(one.mirror.find_run("r")) == before
    assert one.said == []


def test_two_controllers_with_the_same_cell_unsent_keep_both(one: Controller, two: Controller, url: str) -> None:
    """The one that is there counts; the other is put aside, and its place said."""
    (cell,) = some_cells(1)
    folder = one.measure("r", [cell])
    mine = cell.model_copy(update={"load_ns": 1})
    store.write_cell(folder, mine)  # written, and killed before it was brought there
    theirs = cell.model_copy(update={"load_ns": 2})
    two.mirror.find_run("r")
    with two.measuring("r") as other:
        two.keep(other, theirs)
    assert list(store.read_cells(one.mirror.find_run("r"))) == [theirs]
    (aside,) = (folder / ".aside").iterdir()
    assert json.loads(aside.read_bytes())["load_ns"] == 1
    assert str(aside) in " ".join(one.said)
    assert list(store.read_cells(two.mirror.find_run("r"))) == [theirs]


def test_what_a_killed_process_left_is_brought_by_the_next_command(one: Controller, two: Controller) -> None:
    first, second = some_cells(2)
    folder = one.measure("r", [first])
    store.write_cell(folder, second)
    one.mirror.find_run("r")
    assert "1 files of run r were brought to" in " ".join(one.said)
    assert list(store.read_cells(two.mirror.find_run("r"))) == [first, second]


def test_the_check_before_a_run_leaves_nothing(one: Controller, url: str) -> None:
    one.mirror.check()
    assert objects(url) == {}
