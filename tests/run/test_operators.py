"""Timing operators in a run: who gets times, what is said instead, and what is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from benchmarks.made.answers import good
from benchmarks.made.cells import device, make_cell, make_run
from benchmarks.made.farm import fleet
from harness.config.devices import Device, parse
from harness.core.errors import RunnerError
from harness.estimate.prefixes import call_alone, operators
from harness.records.answer import PrefixTimes
from harness.records.operators import NoTimes, OperatorTimes
from harness.results import store
from harness.results.operators import by_time
from harness.run.context import Context
from harness.run.operators import TakenApart, extra_s, timeable, timing, with_times
from tests.support.answers import parse as parse_answer
from tests.support.jobs import EMULATED, job
from tests.support.loopback import execute
from tests.support.sshd_fixtures import Sshd

LOCAL = {"name": "here", "board": "generic", "local": True}


def context(keys: dict[str, object] | None = None, *, profile_ops: bool = True) -> Context:
    one: Device = parse(yaml.safe_dump({"devices": [keys or LOCAL]})).devices[0]
    return Context("run", one, None, profile_ops=profile_ops)


def two() -> TakenApart:
    content = job().shipped.path.read_bytes()
    return TakenApart(call_alone(content), operators(content)[:2])


def samples(rounds: int, *medians: int) -> PrefixTimes:
    return PrefixTimes(rounds=rounds, samples=tuple((ns, ns + 1, ns + 2) * rounds for ns in medians))


def test_tflite_files_on_the_wall_clock_are_timed_where_it_is_asked_for() -> None:
    found = timeable(job(), context())
    assert isinstance(found, TakenApart)
    assert found.operators == operators(job().shipped.path.read_bytes())
    assert timeable(job(), context(profile_ops=False)) is None
    assert timeable(job(), context(EMULATED)) is None
    assert timeable(job(), context({**EMULATED, "clock": "wall"})) is None
    order = timing(found)
    assert order is not None
    assert len(order.prefixes) == len(found.operators) + 1
    assert extra_s(found) > extra_s(None) == 0


def test_other_files_and_delegates_are_not(tmp_path: Path) -> None:
    shipped = job().shipped
    onnx = replace(shipped, artifact=shipped.artifact.model_copy(update={"format": "onnx"}))
    assert timeable(job(shipped=onnx), context()) is None
    assert "runs on edgetpu" in str(timeable(job(delegate="edgetpu"), context()))
    (tmp_path / "x.tflite").write_bytes(b"\x10\0\0\0TFL3")
    artifact = shipped.artifact.model_copy(update={"sha256": "0" * 64})
    damaged = timeable(job(shipped=replace(shipped, path=tmp_path / "x.tflite", artifact=artifact)), context())
    assert isinstance(damaged, NoTimes)
    assert "damaged" in damaged.reason
    assert timing(damaged) is None
    assert extra_s(damaged) == 0


def test_a_cell_gets_its_times_or_the_reason() -> None:
    cell = make_cell("resvgg19-pruned", "fp32", device("here", "generic", emulated=False))
    assert with_times(cell, None, None) is cell
    times = with_times(cell, two(), samples(3, 10, 500, 900, 950)).operator_times
    assert isinstance(times, OperatorTimes)
    assert [part.cost.value for part in by_time(times).parts] == [490, 400]
    for answer, why in (
        (None, "older runner"),
        (PrefixTimes(rounds=0, samples=(), why="OSError: \x1b[31mno"), "OSError"),
        (samples(3, 10, 500, 900), "3 files for 2 operators"),
        (PrefixTimes(rounds=2, samples=((1, 2), (1,), (1, 2), (1, 2))), "not those of 2 rounds"),
        (PrefixTimes(rounds=1, samples=((), (), (), ())), "not those of 1 rounds"),
    ):
        found = with_times(cell, two(), answer).operator_times
        assert isinstance(found, NoTimes)
        assert why in found.reason
        assert "\x1b" not in found.reason
    reason = NoTimes(reason="no")
    assert with_times(cell, reason, None).operator_times is reason


def test_a_stored_cell_keeps_them_and_others_are_as_before(tmp_path: Path) -> None:
    plain = make_cell("squeezenet", "int8", device("here", "generic", emulated=False))
    cell = make_cell("resvgg19-pruned", "fp32", device("here", "generic", emulated=False))
    timed = with_times(cell, two(), samples(3, 10, 500, 900, 950))
    run = make_run(tmp_path / "results", [plain, timed])
    assert {each.cell: each for each in store.read_cells(run)} == {plain.cell: plain, timed.cell: timed}
    assert "operator_times" not in (run / "cells" / f"{plain.cell}.json").read_text()


@pytest.mark.parametrize(
    "wrong",
    [
        {"rounds": -1},
        {"rounds": 101},
        {"samples": [[-1]]},
        {"samples": [[10**14]]},
        {"samples": [[1.5]]},
        {"samples": [[1] * 5001]},
        {"samples": [[1]] * 2003},
        {"why": "x" * 2001},
        {"path": "/etc/passwd"},
    ],
)
def test_a_boards_times_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(RunnerError, match="prefixes"):
        parse_answer(good() | {"prefixes": {"rounds": 1, "samples": [[1]], **wrong}})


@pytest.mark.slow
def test_a_real_board_tells_where_the_time_goes(sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    """The sum of the operators is the whole network's time, and the network's own latency is about the same."""
    outcome, told = execute(
        fleet(sshd.device(runtimes=["litert"])), tmp_path / "results", models=("resvgg19-pruned",), profile_ops=True
    )
    for cell in told.cells:
        assert isinstance(cell.operator_times, OperatorTimes), cell.operator_times
        found = by_time(cell.operator_times)
        assert found.told
        assert found.total == pytest.approx(found.whole, rel=0.25)
        assert found.whole == pytest.approx(sorted(cell.latency_ns)[len(cell.latency_ns) // 2], rel=0.6)
    assert outcome.cells
