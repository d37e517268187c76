"""Estimated cycles on a real QEMU board: the same each time, and nothing that is counted moves by them."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from harness.config.devices import parse
from harness.core.errors import EstimateError
from harness.estimate.estimator import check
from harness.records.cell import Cell
from harness.records.estimate import Estimate, OperatorCosts
from harness.results import formats
from tests.support.loopback import execute

pytestmark = pytest.mark.qemu
BOARD = "devices:\n  - {name: pi4, board: raspberry-pi-4, emulate: true, runtimes: [litert]}\n"


@pytest.fixture(autouse=True)
def _programs() -> None:
    from harness.emulate import requirements

    if requirements():
        pytest.skip(f"missing: {requirements()}")
    try:
        check("raspberry-pi-4")
    except EstimateError as error:
        pytest.skip(str(error))


def boot(results: Path, *, estimate: bool | None = None, profile_ops: bool = False) -> tuple[Cell, Path]:
    """Our network on a freshly booted Pi 4."""
    outcome, told = execute(
        parse(BOARD), results, models=("resvgg19-pruned",), estimate=estimate, profile_ops=profile_ops
    )
    (cell,) = told.cells
    assert cell.status == "VALID", cell.reasons
    return cell, outcome.folder


def test_it_is_the_same_each_time_and_moves_nothing_that_is_counted(cache: Path, tmp_path: Path) -> None:
    plain, _ = boot(tmp_path)
    assert plain.estimate is None
    first, _ = boot(tmp_path, estimate=True)
    second, run = boot(tmp_path, profile_ops=True)
    counts = [statistics.median(cell.latency_ns) for cell in (plain, first, second)]
    assert max(counts) / min(counts) < 1.001
    assert isinstance(first.estimate, Estimate)
    assert isinstance(second.estimate, Estimate)
    assert first.estimate.cycles == pytest.approx(second.estimate.cycles, rel=0.001)
    assert first.estimate.instructions == pytest.approx(counts[0], rel=0.001)
    assert 0.3 < first.estimate.cycles / first.estimate.instructions < 1.5

    assert first.operators is None
    assert isinstance(second.operators, OperatorCosts)
    parts = sum(operator.cycles for operator in second.operators.operators)
    assert parts == pytest.approx(second.estimate.cycles, rel=0.03)
    assert b'"CONV_2D"' in formats.export(run, "chrome-trace")
