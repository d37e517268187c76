"""Rounds of a cell in forked processes, over a real sshd: what they tell, and where they are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.made.farm import fleet
from harness.records.cell import Cell
from tests.support import board_fakes as fakes
from tests.support.loopback import execute
from tests.support.sshd_fixtures import Sshd

#: Nothing that this machine does meanwhile is to spoil a round.
LENIENT = dict.fromkeys(("waited", "stolen", "others", "memory_stall", "dispersion", "drift", "machine", "stopped_s"))


def measured(sshd: Sshd, folder: Path, runtime: str = "litert") -> Cell:
    device = sshd.device(runtimes=[runtime], thresholds=LENIENT, rounds=3)
    _, told = execute(fleet(device), folder / "results")
    (cell,) = told.cells
    return cell


def alone(cell: Cell) -> list[bool]:
    """Which rounds were processes of their own."""
    assert len({each.peak_rss_bytes is None for each in cell.rounds}) in (1, 2)
    return [each.peak_rss_bytes is not None for each in cell.rounds]


def test_the_first_round_tells_how_a_process_starts(sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    cell = measured(sshd, tmp_path)
    assert cell.status == "VALID", cell.reasons
    assert alone(cell) == [True, False, False]
    first, *forked = cell.rounds
    assert (cell.load_ns, cell.first_inference_ns) == (first.load_ns, first.first_inference_ns)
    assert cell.peak_rss_bytes == first.peak_rss_bytes
    assert first.evidence["import_ns"]["numpy"] > 0
    assert [each.evidence["import_ns"] for each in forked] == [{}, {}]
    assert all("XNNPACK" in each.evidence["stderr"] for each in cell.rounds)
    assert all(each.before and each.after and each.before.form == 2 for each in cell.rounds)


def test_a_runtime_that_dies_after_a_fork_is_measured_without(sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    started = "import os\nstarted = os.getpid()\ninvoke = Interpreter.invoke\n"
    dies = "def dies(self):\n    os.kill(os.getpid(), 9 * (os.getpid() != started))\n    return invoke(self)\n"
    fakes.python(sshd, site=fakes.patched(started + dies + "Interpreter.invoke = dies"))
    cell = measured(sshd, tmp_path)
    assert cell.status == "VALID", cell.reasons
    assert alone(cell) == [True, True, True]


def test_a_runtime_that_starts_threads_is_never_forked(sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    fakes.python(sshd, site=fakes.patched(thread))
    cell = measured(sshd, tmp_path)
    assert cell.status == "VALID", cell.reasons
    assert alone(cell) == [True, True, True]


@pytest.mark.parametrize("most", [1, 2])
def test_a_server_that_allows_few_sessions_is_enough(most: int, sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    config = sshd.folder / "sshd_config"
    sshd.stop()
    sshd.most_sessions = most
    sshd.start()
    assert f"MaxSessions {most}\n" in config.read_text()
    cell = measured(sshd, tmp_path)
    assert cell.status == "VALID", cell.reasons
    assert len(cell.rounds) == 3
