"""What the runner is asked for, and how long it may take."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import measure
from tests.sshd_fixtures import Sshd
from tests.test_run_loopback import execute, fleet


def test_mlperf_asks_for_its_floors(sshd: Sshd, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the ten minutes made two seconds: whole passes until both floors are reached."""
    monkeypatch.setattr(measure, "MLPERF_S", 2)
    outcome, told = execute(fleet(sshd.device(runtimes=["litert"])), tmp_path / "results", mlperf=True)
    assert outcome.all_valid
    (cell,) = told.cells
    assert sum(cell.latency_ns) >= 2e9
    assert sum(cell.latency_ns[:-20]) < 2e9
    assert len(cell.latency_ns) >= measure.MLPERF_RUNS
