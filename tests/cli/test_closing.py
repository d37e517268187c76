"""What a run says at its end, and its exit code."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks.made.cells import device, in_rounds, make_cell
from benchmarks.made.checkout import environment
from benchmarks.made.farm import Farm
from benchmarks.made.runs import NET
from harness.cli.closing import again_argv, bad_lines, closing, summary
from harness.records.cell import Reason
from harness.run.outcome import Bad, Outcome, Wide
from tests.conftest import MODELS
from tests.support.faults_fixtures import farm

__all__ = ["farm"]  # a fixture

AGAIN = again_argv(
    devices=Path("my boards.yaml"), models=Path("models"), results=Path("results"), reports=Path("reports"), run="r1"
)
LOAD = Reason(code="background-load", text="65% of the time the runner waited\nfor a processor (limit 40%)")
LOST = Reason(code="unreachable", text="pi: nobody answers at pi.local:22 within 20 s")


def bad(number: int, reason: Reason, status: str, device: str = "pi") -> Bad:
    return Bad(f"{device}+c{number}", device, f"net{number}/int8.tflite litert t1", status, (reason,))


def outcome(*cells: Bad) -> Outcome:
    found = Outcome("r1", Path("results/r1"), {"good": "VALID"}, bad=list(cells))
    found.cells.update({each.cell: each.status for each in cells})
    return found


def test_each_cell_that_does_not_count_has_a_line() -> None:
    said = closing(outcome(bad(1, LOAD, "INVALID", "here")), AGAIN).splitlines()
    assert said[0] == "run r1: 1 VALID, 1 INVALID"
    (line,) = [line for line in said if line.startswith("  INVALID")]
    assert line == (
        "  INVALID here net1/int8.tflite litert t1: background-load: 65% of the time the runner waited for a processor "
        "(limit 40%)"
    )
    assert "harness run --devices 'my boards.yaml' --models models" in said[-2]
    assert said[-2].endswith("--resume r1")
    assert shlex.split(said[-2]) == AGAIN
    assert any(line.startswith("INVALID: measured, but") for line in said)
    assert not any(line.startswith("FAILED:") for line in said)


def test_cells_that_are_not_precise_enough_are_named() -> None:
    cell = in_rounds(make_cell(dev=device("here", "generic", emulated=False)), 12, apart=0.05)
    wide, alone = (Wide.of(each, 0.00005) for each in (cell, in_rounds(cell, 1)))
    assert wide
    assert alone
    found = Outcome("r1", Path("results/r1"), {cell.cell: "VALID"}, precision=0.00005, wide=[wide, alone])
    said = closing(found, AGAIN).splitlines()
    assert said[1] == "2 VALID, but not within ±0.0050%:"
    assert re.fullmatch(r"  here \S+ litert t1: ±\d\.\d% after 12 rounds, a thousand rounds would not do", said[2])
    assert said[3].endswith("one round can't tell")
    assert said[4:6] == ["to go on with these:", f"  {shlex.join(AGAIN)}"]
    told = summary(found, AGAIN)
    assert (told["precision"], told["again"]) == (0.00005, shlex.join(AGAIN))
    first = told["not_precise"][0]  # type: ignore[index]
    assert (first["cell"], first["rounds"], first["more_rounds"]) == (cell.cell, 12, None)


def test_a_precise_cell_is_not_named() -> None:
    cell = in_rounds(make_cell(dev=device("here", "generic", emulated=False)), 10, apart=0.001)
    assert Wide.of(cell, 0.02) is None
    counted = in_rounds(make_cell(), 1)
    assert Wide.of(counted, 0.02) is None  # rounds do not differ there


def test_many_that_share_a_reason_share_a_line() -> None:
    cells = [*(bad(k, LOST, "FAILED") for k in range(26)), bad(1, LOAD, "INVALID", "here")]
    lines = bad_lines(cells)
    assert len(lines) == 2
    assert lines[0].startswith("FAILED pi, 26 cells (net0/int8.tflite litert t1, ")
    assert lines[0].endswith("and 23 more): unreachable: pi: nobody answers at pi.local:22 within 20 s")
    assert max(map(len, bad_lines([bad(1, Reason(code="internal", text="x" * 4000), "FAILED")]))) < 300


def test_all_valid_says_nothing_of_it() -> None:
    assert closing(outcome(), AGAIN).splitlines() == ["run r1: 1 VALID", "artifact bytes sent: 0"]
    assert summary(outcome(), AGAIN)["again"] is None


def test_programs_get_all_of_it() -> None:
    found = summary(outcome(bad(1, LOAD, "INVALID", "here")), AGAIN)
    assert json.loads(json.dumps(found))["not_valid"] == [
        {"cell": "here+c1", "device": "here", "status": "INVALID", "reasons": [LOAD.model_dump()]}
    ]
    assert shlex.split(found["again"]) == AGAIN


@pytest.mark.parametrize(
    ("body", "accept", "code"),
    [
        ("answer['predictions_stable'] = False", (), 1),
        ("answer['predictions_stable'] = False", ("--accept-invalid",), 0),
        ("os.kill(os.getpid(), 9)", ("--accept-invalid",), 1),
        ("", (), 0),
    ],
)
def test_the_exit_code(body: str, accept: tuple[str, ...], code: int, farm: Farm, tmp_path: Path) -> None:
    farm.places["good"].python(body)
    (tmp_path / "devices.yaml").write_text(yaml.safe_dump({"devices": [farm.entry("good", runtimes=["litert"])]}))
    words = ["--devices", "devices.yaml", "--models", str(MODELS), "--quick", "--model", NET, "--variant", "int8"]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", *words, *accept], cwd=tmp_path, env=environment(), text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("report: reports/") or lines[-1].endswith("index.html")
    assert ("not VALID:" in lines) == bool(body)


def test_a_report_that_can_not_be_made_costs_no_summary(farm: Farm, tmp_path: Path) -> None:
    """Its folder was well at the start, and is not any more."""
    reports = tmp_path / "reports"
    farm.places["good"].python(f"open({str(reports)!r}, 'w').close()")
    (tmp_path / "devices.yaml").write_text(yaml.safe_dump({"devices": [farm.entry("good", runtimes=["litert"])]}))
    words = ["--devices", "devices.yaml", "--models", str(MODELS), "--quick", "--model", NET, "--variant", "int8"]
    for more in ((), ("--json",)):
        reports.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "harness", "run", *words, *more], cwd=tmp_path, env=environment(), text=True,
            capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "the results are stored, but there is no report" in done.stderr
        if more:
            answer = json.loads(done.stdout)
            assert (answer["statuses"], answer["report"]) == ({"VALID": 1}, None)
        else:
            assert "1 VALID" in done.stdout
