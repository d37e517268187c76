"""The whole way to emulated boards of 32 bits: a Raspberry Pi 2, and a Pi 4 that has 32-bit programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.results import store
from tests.conftest import MODELS
from tests.support.emulate_fixtures import boards_of, gone

pytestmark = [pytest.mark.qemu, pytest.mark.slow, pytest.mark.soak]
#: Board and the machine that its kernel names.
KERNELS = {"pi2": "armv7l", "pi4": "aarch64"}
PARTS = {"pi2": "0xc07", "pi4": "0xd08"}
BOARDS = """
devices:
  - {name: pi2, board: raspberry-pi-2, emulate: true}
  - {name: pi4, board: raspberry-pi-4, emulate: true, os: armhf}
"""


@pytest.fixture(autouse=True)
def _qemu() -> None:
    from harness.emulate import requirements

    if requirements():
        pytest.skip(f"missing: {requirements()}")


def test_both_boards_answer_as_this_machine_does(tmp_path: Path, cache: Path) -> None:
    """VALID, by the runtime that is published for them, each with its own CPU's part; no ONNX Runtime, and why."""
    (tmp_path / "devices.yaml").write_text(BOARDS)
    command = [
        sys.executable, "-m", "harness", "run", "--devices", str(tmp_path / "devices.yaml"), "--models", str(MODELS),
        "--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports"), "--json", "--quick",
        "--model", "resvgg19-pruned", "--variant", "int8",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    cells = list(store.read_cells(Path(str(answer["folder"]))))
    assert {cell.device.name for cell in cells} == set(PARTS)
    for cell in cells:
        assert (cell.status, cell.runtime.name, cell.model.format) == ("VALID", "tflite", "tflite")
        assert cell.runtime.delegate_verified
        assert (cell.device.machine, cell.device.cpu_part) == ("armv7l", PARTS[cell.device.name])
        assert cell.evidence["uname_machine"] == KERNELS[cell.device.name]
        assert cell.accuracy is not None
        assert cell.outputs is not None
    assert len({cell.predictions for cell in cells}) == 1
    assert "no onnxruntime is published for Python 3.11 on armv7l" in done.stdout + done.stderr
    sent = answer["sent_bytes"]
    assert all(10_000 < sent[name] < 1_000_000 for name in PARTS), "the runtime was on the new storages"
    assert gone(*boards_of(cache))
