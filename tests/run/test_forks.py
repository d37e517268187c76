"""Rounds of a cell in forked processes, over a real sshd: what they tell, and where they are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.made.farm import fleet
from harness.records.cell import Cell
from harness.records.order import Order, Passes, Sources, WarmUp
from harness.remote.base import Completed
from harness.run.forks import Forks
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


class Board:
    """Stands in for a connection whose program says what a test wants."""

    label, root, home = "board", "/root", None

    def __init__(self, *lines: bytes) -> None:
        self.lines = list(lines)
        self.written = b""
        self.closed = 0

    def hold(self, argv: list[str], env: dict[str, str] | None = None) -> Board:
        assert argv[-2:] == ["--result", "/root/results/litert.forks"]
        assert env == {"PYTHONHASHSEED": "0"}
        return self

    def write(self, data: bytes) -> None:
        self.written += data

    def line(self, timeout_s: float) -> bytes:
        return self.lines.pop(0)

    def close(self) -> None:
        self.closed += 1


def ask(board: Board, forks: Forks | None = None, packages: tuple[str, ...] = ("p",)) -> Completed | None:
    order = Order(
        cell="c", model="m", model_sha256="", inputs="i", inputs_sha256="", variant="int8", runtime="litert",
        packages=packages, delegate="cpu", threads=1, classes=7, quantised_output=True, sources=Sources(),
        warmup=WarmUp(min_runs=1, min_ns=0, max_runs=1), passes=Passes(min_runs=1, min_ns=0, max_ns=1),
    )  # fmt: skip
    connection: Any = board
    return (forks or Forks()).run(connection, "runner", order, result="r", limit_s=1)


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"7", b"null", b"\xff", b'{"status": 1}', b'{"status": "x", "stderr": ""}', b"[" * 4000,
     b'{"status": Infinity, "stderr": ""}', b'{"status": NaN, "stderr": ""}', b'{"status": 0, "stderr": "%"}',
     b'{"status": null, "stderr": null}', b'{"status": {}, "stderr": []}'],
)  # fmt: skip
def test_an_answer_that_is_none_ends_the_process(line: bytes) -> None:
    board = Board(b"motd", b'{"forks": true}', line)
    done = ask(board)
    assert done is not None
    assert done.returncode == 1
    assert b"gave no answer" in done.stderr
    assert board.closed == 1


def test_noise_before_the_first_answer_is_bounded() -> None:
    board = Board(*[b"hello"] * 100, b'{"forks": true}')
    forks = Forks()
    assert ask(board, forks) is None
    assert len(board.lines) == 81
    assert ask(board, forks) is None
    assert (board.closed, len(board.lines)) == (1, 81)


def test_another_process_forks_after_each_round() -> None:
    answer = b'{"status": 0, "stderr": "aGk="}'
    board = Board(b'{"forks": true}', answer, answer, b'{"forks": true}', answer)
    forks = Forks()
    for _ in range(2):
        assert ask(board, forks) == Completed(0, b"", b"hi")
    forks.end()
    assert ask(board, forks) == Completed(0, b"", b"hi")
    assert board.written.count(b'"runtime": "litert"}\n') == 2


def test_another_release_is_not_forked_from_the_first_ones_process() -> None:
    """It would run the release that its parent has imported."""
    answer = b'{"status": 0, "stderr": "aGk="}'
    board = Board(b'{"forks": true}', answer, b'{"forks": true}', answer, b'{"forks": true}', answer)
    forks = Forks()
    for packages in (("one",), ("two",), ("one",)):
        assert ask(board, forks, packages) == Completed(0, b"", b"hi")
    assert board.written.count(b'"packages": ["one"], "runtime": "litert"}\n') == 2
    assert board.written.count(b'"packages": ["two"], "runtime": "litert"}\n') == 1
