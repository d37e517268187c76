"""What the runner is asked for, and how long it may take."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from benchmarks.made.farm import fleet
from benchmarks.made.runs import NET
from harness.run import measure
from harness.run.images import prepare
from harness.run.inventory import inventory
from harness.run.plan import Options, make
from harness.run.session import open_session
from tests.conftest import MODELS
from tests.support.loopback import execute
from tests.support.sshd_fixtures import Sshd


def test_mlperf_asks_for_its_floors(sshd: Sshd, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the ten minutes made two seconds: whole passes until both floors are reached."""
    monkeypatch.setattr(measure, "MLPERF_S", 2)
    outcome, told = execute(fleet(sshd.device(runtimes=["litert"])), tmp_path / "results", mlperf=True)
    assert outcome.all_valid
    (cell,) = told.cells
    assert sum(cell.latency_ns) >= 2e9
    assert sum(cell.latency_ns[:-20]) < 2e9
    assert len(cell.latency_ns) >= measure.MLPERF_RUNS


@pytest.mark.slow
def test_a_runtime_is_compiled_before_the_first_cell(sshd: Sshd, cache: Path) -> None:
    """So that the first process is like all later ones."""
    sshd.forget()
    devices = fleet(sshd.device(runtimes=["litert"]))
    shipped = inventory(MODELS, (NET,), ("int8",))
    jobs = make(devices, shipped, Options(quick=True)).jobs["loop"]
    with open_session(devices.devices[0], lambda message: None, threading.Event().wait) as session:
        session.deploy(jobs, {20: prepare(shipped[0].manifest.split, samples=20)})
        compiled = {path.name.split(".")[0] for path in Path(session.connection.root).rglob("__pycache__/*.pyc")}
    assert {"interpreter", "multiarray"} <= compiled
