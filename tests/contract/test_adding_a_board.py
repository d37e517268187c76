"""Does what docs/adding-a-board.md says, in a copy of the harness: one file and one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from benchmarks.made.sshd import LENIENT
from tests.support.harness_copy import add_line, copied, python

pytestmark = pytest.mark.slow

NET = "mobilenet-v3-small"

FILE = '''
"""Toaster: a board that is asked how hot its slots are."""

from __future__ import annotations

from collections.abc import Sequence

from harness.boards.family import BoardFamily, BoardGroup, Disturbance, ProbeAnswers, Readings
from harness.boards.state import BoardState
from harness.core.check import Check
from harness.core.safetext import clean

FAMILY = BoardFamily("toaster", "Toaster", cpu=None, cpu_part=None, qemu_cpu=None)


def checks(answers: ProbeAnswers) -> list[Check]:
    if answers.family != FAMILY:
        return []
    slots = clean(answers.sections["slots"])
    if not slots:
        return [Check("slots-unknown", "warning", "it tells of no slots", "buy some")]
    return [Check("slots", "ok", f"{slots} slots")]


def toasted(states: Sequence[BoardState]) -> list[Disturbance]:
    uptime = states[-1].texts.get("/proc/uptime", "")
    return [Disturbance(code="toasted", text=f"for {uptime.split()[0]} s")] if uptime.split() else []


GROUP = BoardGroup(
    families=(FAMILY,),
    readings=Readings(commands=(("echo", "dark"),)),
    sections={"slots": "echo 2"},
    checks=checks,
    disturbances=toasted,
)
'''


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the harness with the board that the guide adds, and a device of it."""
    copy = copied(tmp_path / "copy")
    (copy / "harness/boards/toaster.py").write_text(FILE.lstrip(), encoding="utf-8")
    add_line(copy / "harness/boards/registry.py", after='    "coral",', line='    "toaster",')
    thresholds = dict.fromkeys((*LENIENT, "stopped_s"))
    device = {"name": "here", "board": "toaster", "local": True, "runtimes": ["litert"], "thresholds": thresholds}
    (copy / "here.yaml").write_text(yaml.safe_dump({"devices": [device]}), encoding="utf-8")
    return copy


def test_the_doctor_asks_it_and_a_cell_is_measured(copy: Path, cache: Path) -> None:
    asked = python(copy, "harness", "doctor", "--devices", "here.yaml", "--json")
    assert asked.stdout, asked.stderr
    codes = {check["code"]: check["text"] for check in json.loads(asked.stdout)["devices"]["here"]}
    assert codes["slots"] == "2 slots"
    done = python(copy, "harness", "run", "--devices", "here.yaml", "--model", NET, "--variant", "int8", "--quick")
    (cell,) = [json.loads(path.read_text(encoding="utf-8")) for path in copy.glob("results/*/cells/*.json")]
    assert cell["device"]["board"] == "toaster", done.stdout + done.stderr
    assert len(cell["latency_ns"]) >= 50
    assert [reason["code"] for reason in cell["reasons"]] == ["toasted"]


def test_it_passes_the_contract(copy: Path) -> None:
    """The same tests as for all others, which are not told of it."""
    done = python(copy, "pytest", "-q", "tests/contract/test_boards.py", "-k", "toaster")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
