"""Results on disk: whole or not at all, read back as written, nothing foreign taken for ours."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.made.cells import device, in_rounds, make_cell, make_manifest, make_run
from harness.core.errors import CellTooLargeError, StoreError
from harness.records.cell import RunInfo
from harness.results import store
from tests.support import otherfs


def info(name: str, started: str = "2026-11-22T20:00:00Z") -> RunInfo:
    return RunInfo(run=name, started=started, harness="0.1.0", devices=("pi4",), planned=())


def test_a_cell_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    cell = make_cell(evidence={"before": {"/proc/loadavg": "0.1 \u202e <b>"}, "number": 1.5, "none": None})
    run = store.create_run(tmp_path, info("r"))
    path = store.write_cell(run, cell)
    assert path == run / "cells" / f"{cell.cell}.json"
    assert store.read_cell(path) == cell
    assert list(store.read_cells(run)) == [cell]


def test_the_file_has_one_key_a_line_and_starts_with_its_schema(tmp_path: Path) -> None:
    run = make_run(tmp_path, [make_cell()])
    text = store.cell_paths(run)[0].read_text()
    assert text.startswith('{\n "schema": 3,\n')
    assert json.loads(text)["latency_ns"] == list(make_cell().latency_ns)
    assert len(text.splitlines()) == len(json.loads(text)) + 2


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=50), st.lists(st.integers(1, 3_600_000_000_000), min_size=99, max_size=99))
def test_any_text_and_numbers_survive(tmp_path: Path, text: str, samples: list[int]) -> None:
    text = text.encode("utf-8", "replace").decode()
    cell = make_cell(dev=device(os=text), latency_ns=tuple(samples))
    store.write_cell(tmp_path, cell)
    assert store.read_cell(tmp_path / "cells" / f"{cell.cell}.json") == cell


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not whole JSON"),
        (b'{"schema": 1, "run": "r"', "not whole JSON"),
        (b"[1]", "not a JSON object"),
        (b"{}", "no schema number"),
        (b'{"schema": true}', "no schema number"),
        (b'{"schema": 4}', "newer"),
        (b'{"schema": 1}', "run: Field required"),
        (b'{"schema": 1, "energy_j": NaN}', "not whole JSON"),
        (b"[" * 100_000, "not whole JSON"),
        (b"\xff\xfe", "not whole JSON"),
    ],
)
def test_what_is_not_a_cell_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=message) as caught:
        store.read_cell(path)
    assert str(path) in str(caught.value)


def test_big_foreign_and_misnamed_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, [make_cell()])
    path = store.cell_paths(run)[0]
    moved = path.with_name("other.json")
    moved.write_bytes(path.read_bytes())
    with pytest.raises(StoreError, match="another than its name says"):
        store.read_cell(moved)
    monkeypatch.setattr(store, "MAX_CELL_BYTES", 1000)
    with pytest.raises(StoreError, match="larger"):
        store.read_cell(path)
    with pytest.raises(StoreError, match="can't be read"):
        store.read_cell(tmp_path / "none.json")
    fifo = tmp_path / "fifo.json"
    os.mkfifo(fifo)
    with pytest.raises(StoreError, match="not a plain file"):
        store.read_cell(fifo)


def test_unknown_keys_and_infinities_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, [make_cell()])
    path = store.cell_paths(run)[0]
    raw = json.loads(path.read_text())
    path.write_text(json.dumps(raw | {"extra": 1}))
    with pytest.raises(StoreError, match="extra"):
        store.read_cell(path)
    path.write_text(json.dumps(raw | {"energy_j": float("inf")}))
    with pytest.raises(StoreError, match="JSON"):
        store.read_cell(path)


@pytest.mark.parametrize(("fields", "said"), [
    ({"latency_ns": (1000,) * 1_000_001}, "1000001 samples, and a cell holds 1000000 at most"),
    ({"warmup_ns": (1000,) * 1_000_001}, "1000001 warm-up runs"),
    ({"evidence": {"during": ["x" * (1 << 20)] * 64}}, "larger than the 64 MiB"),
])  # fmt: skip
def test_what_could_not_be_read_back_is_not_written(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    run = store.create_run(tmp_path, info("r"))
    path = store.write_cell(run, make_cell())
    with pytest.raises(CellTooLargeError, match=said):
        store.write_cell(run, make_cell().model_copy(update=fields))
    assert store.read_cell(path) == make_cell()


def test_a_cell_of_too_many_rounds_is_not_written(tmp_path: Path) -> None:
    run = store.create_run(tmp_path, info("r"))
    with pytest.raises(CellTooLargeError, match="1001 rounds, and a cell holds 1000"):
        store.write_cell(run, in_rounds(make_cell(), 1001))


def test_one_bad_file_does_not_hide_the_others(tmp_path: Path) -> None:
    run = make_run(tmp_path, [make_cell(), make_cell("ghostnet")])
    (run / "cells" / "broken.json").write_text("{")
    (run / "cells" / ".half.json.tmp").write_text("{")
    cells, bad = store.scan_cells(run)
    assert len(cells) == 2
    assert [file.path.name for file in bad] == ["broken.json"]
    assert str(run) not in bad[0].reason
    with pytest.raises(StoreError, match=r"broken\.json"):
        list(store.read_cells(run))


def test_old_schemas_are_migrated_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, [make_cell()])
    path = store.cell_paths(run)[0]
    raw = json.loads(path.read_text())
    raw["schema"] = 1
    raw["renamed_later"] = raw.pop("accuracy")
    path.write_text(json.dumps(raw))

    def to_two(old: dict[str, object]) -> dict[str, object]:
        kept = {key: value for key, value in old.items() if key != "renamed_later"}
        return {**kept, "schema": 2, "accuracy": old["renamed_later"]}

    monkeypatch.setitem(store.CELL_MIGRATIONS, 1, to_two)
    assert store.read_cell(path) == make_cell()


def test_a_cell_of_before_there_were_rounds_is_one_round(tmp_path: Path) -> None:
    run = make_run(tmp_path, [make_cell(passes=2)])
    path = store.cell_paths(run)[0]
    raw = json.loads(path.read_text()) | {"schema": 1}
    del raw["rounds"]
    path.write_text(json.dumps(raw))
    assert store.read_cell(path) == make_cell(passes=2)
    assert store.read_cell(path).round_sizes == (198,)


@pytest.mark.parametrize("name", ["", "latest", "../x", "a/b", ".hidden", "-x", "a" * 200])
def test_run_names_that_are_no_folders_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="can't be the name"):
        store.create_run(tmp_path, info(name))


def test_a_run_is_never_written_over(tmp_path: Path) -> None:
    store.create_run(tmp_path, info("r"))
    with pytest.raises(StoreError, match="there already"):
        store.create_run(tmp_path, info("r"))


def test_runs_are_found_by_name_path_and_latest(tmp_path: Path) -> None:
    results = tmp_path / "results"
    with pytest.raises(StoreError, match="no runs"):
        store.find_run(results)
    older = store.create_run(results, info("z-older", "2026-01-01T00:00:00Z"))
    newer = store.create_run(results, info("a-newer", "2026-02-01T00:00:00Z"))
    assert store.find_run(results) == newer
    assert store.find_run(results, "z-older") == older
    assert store.find_run(tmp_path / "elsewhere", str(older)) == older
    assert store.list_runs(results) == [older, newer]
    assert store.read_run(newer).run == "a-newer"
    with pytest.raises(StoreError, match=r"no run 'x'.*z-older, a-newer"):
        store.find_run(results, "x")


@pytest.mark.parametrize("word", ["./kept", "kept", "kept/", "./kept/", ".", "kept/../kept"])
def test_a_run_kept_elsewhere_is_found_however_its_path_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    run = make_run(tmp_path, [make_cell()], name="kept")
    monkeypatch.chdir(run if word == "." else tmp_path)
    assert store.find_run(tmp_path / "results", word).resolve() == run


@pytest.mark.parametrize("content", [b"", b'{"schema": 1, "run": "z', b'{"schema": 99}', None])
def test_latest_is_not_the_run_before_a_damaged_one(tmp_path: Path, content: bytes | None) -> None:
    """A comparison with 'latest' would otherwise judge yesterday's run, and be content with it."""
    older = make_run(tmp_path, [make_cell()], name="older")
    os.utime(older / "run.json", (1_700_000_000, 1_700_000_000))
    newer = make_run(tmp_path, [make_cell()], name="newer")
    if content is None:
        (newer / "run.json").unlink()
    else:
        (newer / "run.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"newer.run\.json: .*; it is the newest run \(remove .*, or say which run"):
        store.find_run(tmp_path)
    assert store.find_run(tmp_path, "older") == older
    make_run(tmp_path, [make_cell()], name="newest", started="2026-11-23T20:00:00Z")
    os.utime(newer, (1_700_000_000, 1_700_000_000))
    assert store.find_run(tmp_path).name == "newest"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("split.n", 0), ("split.n", -1), ("split.labels", [1, 2]), ("split.labels", [10**30] * 99),
        ("split.classes", []),
        ("split.fold", 10**400), ("split.seed", 10**400), ("predictions", [10**30] * 99), ("predictions", [-1] * 99),
        ("latency_ns", [0] * 99), ("device.cores", 10**400), ("device.memory_bytes", 10**400),
        ("device.memory_bytes", -5), ("peak_rss_bytes", 10**400), ("model.parameters", 10**25), ("model.bytes", 10**25),
        ("model.macs", -1), ("runtime.threads", 10**30), ("runtime.nodes_total", 10**400),
        ("energy_j", 1e308), ("energy_j", -1e308),
    ],
)  # fmt: skip
def test_numbers_that_nothing_can_have_are_refused(tmp_path: Path, key: str, value: Any) -> None:
    """Else they are a traceback in whatever reads them: a table's column, a mean, a logarithm."""
    run = make_run(tmp_path, [make_cell()])
    path = store.cell_paths(run)[0]
    content = json.loads(path.read_text())
    *above, last = key.split(".")
    (content[above[0]] if above else content)[last] = value
    path.write_text(json.dumps(content))
    cells, bad = store.scan_cells(run)
    assert not cells
    assert key in bad[0].reason or "VALID with" in bad[0].reason


def test_manifests_kept_with_a_run_are_read(tmp_path: Path) -> None:
    run = make_run(tmp_path, [make_cell()])
    assert store.read_manifests(run) == {}
    (run / "manifests").mkdir()
    (run / "manifests" / "resvgg19-pruned.json").write_text(make_manifest().model_dump_json())
    (run / "manifests" / "broken.json").write_text("{")
    assert store.read_manifests(run) == {"resvgg19-pruned": make_manifest()}


def test_the_store_is_light_to_import() -> None:
    heavy = ("numpy", "pandas", "scipy", "matplotlib")
    code = f"import sys, harness.results.store; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


_CLAIM = """
import sys
from pathlib import Path
from harness.results import store
from harness.core.errors import StoreError
from benchmarks.made.cells import make_cell

run = Path(sys.argv[1])
with store.claimed(run):
    store.write_cell(run, make_cell())
    try:
        with store.claimed(run):
            print("twice")
    except StoreError as error:
        print(str(error).removeprefix(f"{run}: "))
"""


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"flock_reading": errno.EBADF, "fsync_folder": errno.EINVAL},
        {"flock": errno.ENOLCK, "fsync_folder": errno.ENOTSUP},
        {"flock": errno.ENOTSUP, "fsync_folder": errno.EBADF},
    ],
)
def test_a_run_on_other_file_systems_is_written_and_is_one_process_own(tmp_path: Path, answers: dict[str, int]) -> None:
    run = make_run(tmp_path, [])
    done = subprocess.run(
        [sys.executable, "-c", _CLAIM, str(run)], capture_output=True, text=True, check=True,
        env=otherfs.environment(tmp_path, **answers),
    )  # fmt: skip
    assert done.stdout == "another process works on this run (wait for it, or end it)\n"
    assert [cell.status for cell in store.read_cells(run)] == ["VALID"]


def test_a_run_that_cant_be_locked_is_not_called_taken(tmp_path: Path) -> None:
    run = make_run(tmp_path, [])
    done = subprocess.run(
        [sys.executable, "-c", _CLAIM, str(run)], capture_output=True, text=True,
        env=otherfs.environment(tmp_path, flock=errno.EIO),
    )  # fmt: skip
    assert "can't be locked: Input/output error" in done.stderr
    assert "another process" not in done.stderr
