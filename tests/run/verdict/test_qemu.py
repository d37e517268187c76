"""Reasons not to believe a measurement, acted out inside an emulated board: its /sys, its vcgencmd, its runtime.

One board, on the wall clock since load, frequency and steadiness are judged on that alone. The fakes are put on it over
SSH; the runner, the way to it and the verdict are those of every run.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from benchmarks.made.runs import NET
from benchmarks.made.sshd import LENIENT
from harness.config import devices as config
from harness.records.cell import Cell
from harness.remote.base import Command
from harness.run import measure
from harness.run.cell import Measurement
from harness.run.context import Context
from harness.run.images import prepare
from harness.run.inventory import inventory
from harness.run.plan import Options, make
from harness.run.session import Session, open_session
from tests.conftest import MODELS
from tests.support.board_fakes import patched

pytestmark = [pytest.mark.qemu, pytest.mark.slow]

POLICY = "sys/devices/system/cpu/cpufreq/policy0"
#: Well on the first call; from the second on, which is after the passes, under-voltage now, and another governor. Asked
#: for its currents, which is at every look between passes, it moves the frequency: what is looked at surely changes.
VCGENCMD = f"""#!/bin/sh
cd "$(dirname "$0")/.." || exit 1
case "$1" in
get_throttled)
  if [ -e called ]; then echo powersave >{POLICY}/scaling_governor; echo throttled=0x50005; else echo throttled=0x0; fi
  if [ -e wrong ]; then : >called; fi ;;
pmic_read_adc)
  echo "no currents"
  if [ -e low ]; then khz=1500000; rm low; elif [ -e wrong ]; then khz=600000; : >low; else exit 0; fi
  echo $khz >{POLICY}/scaling_cur_freq ;;
*) exit 1 ;;
esac
exit 0
"""
NVPMODEL = """#!/bin/sh
cd "$(dirname "$0")/.." || exit 1
if [ -e asked ]; then printf 'NV Power Mode: 5W\\n1\\n'; else printf 'NV Power Mode: MAXN\\n0\\n'; fi
[ -e wrong ] && : >asked
exit 0
"""


class Faked:
    """An emulated board with a tree of fakes on it."""

    def __init__(self, session: Session, root: Path) -> None:
        self.session, self.root = session, str(root)
        shipped = [s for s in inventory(MODELS, (NET,), ("int8",)) if s.artifact.format == "tflite"]
        fleet = config.parse(yaml.safe_dump({"devices": [DEVICE]}))
        (self.job,) = make(fleet, shipped, Options(quick=True)).jobs["faked"]
        self.test = prepare(shipped[0].manifest.split, samples=20)
        session.deploy([self.job], {20: self.test})
        for name, text in (("vcgencmd", VCGENCMD), ("nvpmodel", NVPMODEL)):
            self.put(f"bin/{name}", text)
        self.shell(f"chmod +x {self.root}/bin/*")
        for name, text in (("governor", "performance"), ("cur_freq", "1500000"), ("max_freq", "1500000")):
            self.put(f"{POLICY}/scaling_{name}", f"{text}\n")

    def shell(self, command: str, stdin: bytes = b"") -> None:
        self.session.connection.run(Command(["sh", "-c", command], timeout_s=120, stdin=stdin)).check(command)

    def put(self, name: str, text: str) -> None:
        path = f"{self.root}/{name}"
        self.shell(f'mkdir -p "$(dirname {path})" && cat >{path}', text.encode())

    def cell(self, *, fakes: bool = True, slower: float = 0.0, site: bool = False) -> Cell:
        """One cell; with ``fakes`` the tree stands in for /sys, with ``site`` the runtime is a changed one."""
        context = Context(
            "run", self.job.device, self.session.probe, inject_slowdown=slower, state_root=self.root if fakes else ""
        )
        prepared = self.session.prepared(self.job, self.test)
        if site:
            prepared = replace(prepared, packages=(f"{self.root}/site", *prepared.packages))
        return measure.run_cell(
            self.session.connection, Measurement(self.job, self.test, context), prepared, limit_s=300
        )


DEVICE = {
    "name": "faked", "board": "raspberry-pi-4", "emulate": True, "clock": "wall", "runtimes": ["litert"],
    "thresholds": {**LENIENT, "frequency_drop": 0.15, "clock_step_s": None},
}  # fmt: skip


@pytest.fixture(scope="module")
def board() -> Iterator[Faked]:
    from harness.emulate import requirements

    if requirements():
        pytest.skip(f"missing: {requirements()}")
    (device,) = config.parse(yaml.safe_dump({"devices": [DEVICE]})).devices
    with open_session(device, lambda message: None, threading.Event().wait) as session:
        yield Faked(session, Path("/tmp/fakes"))


def codes(cell: Cell) -> dict[str, str]:
    assert cell.device.machine == "aarch64"
    return {reason.code: reason.text for reason in cell.reasons}


def test_an_untouched_board_is_valid(board: Faked) -> None:
    assert (board.cell(fakes=False).status, set(codes(board.cell()))) == ("VALID", {"state-replaced"})


def test_all_that_a_boards_files_and_commands_tell(board: Faked) -> None:
    """Under-voltage, another governor, another power mode, a frequency that falls, a runner that slows itself."""
    board.shell(f"cd {board.root} && : >wrong")
    try:
        cell = board.cell(slower=0.05)
    finally:
        board.shell(f"cd {board.root} && rm -f wrong called asked")
    found = codes(cell)
    assert cell.status == "INVALID"
    assert set(found) == {
        "throttled", "governor-changed", "power-mode-changed", "frequency-dropped", "slowdown-injected",
        "state-replaced",
    }  # fmt: skip
    assert "under-voltage" in found["throttled"]
    assert "'performance' became 'powersave'" in found["governor-changed"]
    assert "'MAXN' became '5W'" in found["power-mode-changed"]
    assert "from 1500 to 600 MHz" in found["frequency-dropped"]
    assert "5.0% slower" in found["slowdown-injected"]
    assert cell.evidence["before"]["vcgencmd get_throttled"] == "throttled=0x0"


def test_a_runtime_that_answers_otherwise_in_each_pass(board: Faked) -> None:
    moody = (
        "import numpy\nreal, count = Interpreter.get_tensor, [0]\n"
        "def get_tensor(self, index):\n    count[0] += 1\n"
        "    return numpy.roll(real(self, index), (count[0] - 1) // 20 % 2)\n"
        "Interpreter.get_tensor = get_tensor"
    )
    # found first when the runner imports numpy, it changes what is imported later and gives way to the real one
    real = "import os; sys.path.remove(os.path.dirname(__file__)); del sys.modules['numpy']; import numpy\n"
    board.put("site/numpy.py", patched(moody) + real)
    cell = board.cell(fakes=False, site=True)
    assert (cell.status, set(codes(cell))) == ("INVALID", {"unstable-predictions"})
    assert json.dumps(cell.evidence["delegate"])
