"""The whole way over SSH to a real sshd on loopback: deploy, measure, store, resume; and what must not become VALID."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.made.farm import fleet
from benchmarks.made.runs import NET
from harness.remote.lease import Lease
from harness.remote.ssh import SshConnection
from harness.results import store
from tests.conftest import MODELS
from tests.support.loopback import execute, target
from tests.support.pythons import OLD_PYTHONS
from tests.support.sshd_fixtures import Sshd


def test_a_run_over_ssh(sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    sshd.forget()
    devices = fleet(sshd.device())
    outcome, told = execute(devices, tmp_path / "results")
    assert outcome.all_valid, told.cells
    (cell,) = [c for c in told.cells if c.model.format == "tflite"]
    assert cell.runtime.name == "litert"
    assert cell.runtime.delegate_verified
    assert cell.runtime.delegate_applied == "xnnpack"
    assert len(cell.predictions) == cell.split.n == 20
    assert len(cell.latency_ns) >= 50
    assert len(cell.latency_ns) % 20 == 0
    assert sum(cell.warmup_ns) >= 500_000_000 or len(cell.warmup_ns) == 5000
    right = sum(p == label for p, label in zip(cell.predictions, cell.split.labels, strict=True))
    assert cell.accuracy == right / 20
    assert outcome.sent_bytes["loop"] > 1_000_000
    assert not list((sshd.home / ".cache/harness/results").iterdir())
    again, told = execute(devices, tmp_path / "results")
    assert again.all_valid
    assert again.sent_bytes == {"loop": 0}
    assert told.cells[0].predictions == cell.predictions


@pytest.mark.slow
def test_a_damaged_file_on_the_board_is_sent_again(sshd: Sshd, cache: Path, short_series: None, tmp_path: Path) -> None:
    execute(fleet(sshd.device()), tmp_path / "results")
    artifact = next(
        a for a in json.loads((MODELS / NET / "manifest.json").read_text())["artifacts"] if a["variant"] == "int8"
    )
    stored = sshd.home / ".cache/harness/objects" / artifact["sha256"]
    content = bytearray(stored.read_bytes())
    content[1000] ^= 1
    stored.write_bytes(content)
    outcome, _ = execute(fleet(sshd.device()), tmp_path / "results")
    assert outcome.all_valid
    assert outcome.sent_bytes["loop"] == len(content)


@pytest.mark.slow
def test_labels_never_reach_the_board(sshd: Sshd, cache: Path, short_series: None, tmp_path: Path) -> None:
    outcome, told = execute(fleet(sshd.device()), tmp_path / "results")
    assert outcome.all_valid
    labels = json.dumps(list(told.cells[0].split.labels)).encode()
    for path in (sshd.home / ".cache").rglob("*"):
        assert not path.is_file() or labels not in path.read_bytes()


@pytest.mark.slow
def test_one_dead_board_costs_only_its_own_cells(sshd: Sshd, cache: Path, short_series: None, tmp_path: Path) -> None:
    dead = sshd.device("dead", port=1)
    devices = fleet(sshd.device(), dead)
    outcome, told = execute(devices, tmp_path / "results")
    status = {cell.device.name: (cell.status, [r.code for r in cell.reasons]) for cell in told.cells}
    assert status == {"loop": ("VALID", []), "dead": ("FAILED", ["unreachable"])}
    assert not outcome.all_valid
    resumed, told = execute(fleet(sshd.device(), sshd.device("dead")), tmp_path / "results", resume=outcome.run)
    assert resumed.all_valid
    assert {cell.device.name for cell in told.cells} == {"dead"}


@pytest.mark.slow
def test_a_slowed_runner_is_named(sshd: Sshd, cache: Path, short_series: None, tmp_path: Path) -> None:
    outcome, told = execute(fleet(sshd.device()), tmp_path / "results", inject_slowdown=0.1)
    assert not outcome.all_valid
    assert [r.code for r in told.cells[0].reasons] == ["slowdown-injected"]


def test_a_board_without_python(sshd: Sshd, cache: Path, short_series: None, tmp_path: Path) -> None:
    (sshd.bin / "python3").write_text("#!/bin/sh\nexit 127\n")
    (sshd.bin / "python3").chmod(0o755)
    _, told = execute(fleet(sshd.device()), tmp_path / "results")
    assert {(c.status, c.reasons[0].code) for c in told.cells} == {("FAILED", "provision")}
    assert "no python3 on the board" in told.cells[0].reasons[0].text


def test_a_board_in_use_is_left_alone(sshd: Sshd, cache: Path, short_series: None, tmp_path: Path) -> None:
    other = SshConnection(target(sshd))
    with Lease(other):
        _, told = execute(fleet(sshd.device()), tmp_path / "results")
    other.close()
    assert {(c.status, c.reasons[0].code) for c in told.cells} == {("FAILED", "lease")}
    assert "in use by" in told.cells[0].reasons[0].text


@pytest.mark.slow
def test_a_killed_runner_is_a_reason(sshd: Sshd, cache: Path, short_series: None, tmp_path: Path) -> None:
    real = shutil.which("python3")
    (sshd.bin / "python3").write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec {real} "$@"\nkill -9 $$\n')
    (sshd.bin / "python3").chmod(0o755)
    _, told = execute(fleet(sshd.device()), tmp_path / "results")
    assert {(c.status, c.reasons[0].code) for c in told.cells} == {("FAILED", "runner")}
    assert "left no result" in told.cells[0].reasons[0].text


@pytest.mark.slow
@pytest.mark.parametrize(("version", "runtime"), [("3.6", "onnxruntime"), ("3.7", "tflite"), ("3.7", "onnxruntime")])
def test_a_real_old_python(version: str, runtime: str, sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    """A real CPython 3.6 or 3.7 behind the server, with the runtime a Jetson Nano or a Coral board would get."""
    python = OLD_PYTHONS[version]
    if python is None:
        pytest.skip(f"no CPython {version} here")
    (sshd.bin / "python3").symlink_to(python)
    fmt = "onnx" if runtime == "onnxruntime" else "tflite"
    if not (MODELS / NET / f"int8.{fmt}").is_file():
        pytest.skip(f"models/{NET} has no int8.{fmt}")
    outcome, told = execute(fleet(sshd.device(runtimes=[runtime])), tmp_path / "results")
    assert outcome.all_valid, [c.reasons for c in told.cells]
    assert {(c.runtime.name, str(c.device.python).rsplit(".", 1)[0]) for c in told.cells} == {(runtime, version)}


@pytest.mark.slow
def test_without_a_litert_wheel_tflite_runtime_stands_in(
    sshd: Sshd, cache: Path, short_series: None, tmp_path: Path
) -> None:
    python = OLD_PYTHONS["3.7"]
    if python is None:
        pytest.skip("no CPython 3.7 here")
    (sshd.bin / "python3").symlink_to(python)
    outcome, told = execute(fleet(sshd.device()), tmp_path / "results")
    assert outcome.all_valid
    assert "tflite" in {c.runtime.name for c in told.cells}
    assert set(store.read_run(outcome.folder).planned) == set(outcome.cells)


@pytest.mark.slow
def test_no_cell_is_half_written(sshd: Sshd, cache: Path, short_series: None, tmp_path: Path) -> None:
    outcome, _ = execute(fleet(sshd.device()), tmp_path / "results")
    names = sorted(path.name for path in (outcome.folder / "cells").iterdir())
    assert names == sorted(f"{cell}.json" for cell in outcome.cells)
    for cell in store.read_cells(outcome.folder):
        assert cell.status == "VALID"
