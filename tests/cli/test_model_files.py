"""``harness run --model FILE`` and ``harness add`` from the shell: what they print, and their exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import REPOSITORY
from tests.support import onnx_networks

pytest.importorskip("onnx")


def harness(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(REPOSITORY), os.environ.get("PYTHONPATH", "")))},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "devices.yaml").write_text("devices: [{name: here, board: generic, local: true}]\n")
    onnx_networks.several(tmp_path / "several.onnx", busy=True)
    return tmp_path


BAD = {
    "no file": (["--model", "./none.onnx"], "none.onnx: not there"),
    "open sizes": (["--model", "several.onnx"], "--shape a=1x512 --shape b=1x512"),
    "no shape": (["--model", "several.onnx", "--shape", "a"], "--shape 'a' is no input with its sizes"),
    "no such input": (["--model", "several.onnx", "--shape", "z=1x4"], "has no input 'z'"),
    "no inputs": (["--model", "several.onnx", "--shape", "a=1x4,b=1x4", "--inputs", "none.npz"], "none.npz: not there"),
    "cut short": (["--model", "cut.onnx"], "cut.onnx"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("command", ["run", "add"])
def test_bad_usage_is_one_line_and_two(command: str, case: str, folder: Path) -> None:
    (folder / "cut.onnx").write_bytes((folder / "several.onnx").read_bytes()[:200])
    words, said = BAD[case]
    done = harness(folder, command, *(words if command == "run" else words[1:]))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert {path.name for path in folder.iterdir()} == {"devices.yaml", "several.onnx", "cut.onnx"}


@pytest.mark.slow
def test_a_file_is_added_run_and_told_in_json(folder: Path, cache: Path) -> None:
    done = harness(folder, "add", "several.onnx", "--shape", "a=1x4", "--shape", "b=1x4", "--name", "both")
    assert done.returncode == 0, done.stderr
    first, second, *_ = done.stdout.splitlines()
    assert first.startswith("models/both: ")
    assert second.startswith("  fp32.onnx: ")
    assert "golden outputs by onnxruntime" in second
    done = harness(folder, "run", "--model", "both,several.onnx", "--shape", "a=1x4,b=1x4", "--rounds", "1", "--json")
    told = json.loads(done.stdout)
    assert done.returncode in (0, 1), done.stderr  # 1 where this machine is busy
    assert {name.split("+")[1] for name in told["cells"]} == {"both", "several"}
    assert told["report"]


@pytest.mark.slow
def test_own_inputs_reach_the_board(folder: Path, cache: Path) -> None:
    np.savez(folder / "own.npz", a=np.ones((2, 4), np.float32), b=np.ones((2, 4), np.float32), mode=np.array([1, 0]))
    shape = ("--shape", "a=1x4,b=1x4")
    done = harness(folder, "run", "--model", "./several.onnx", *shape, "--inputs", "own.npz", "--rounds", "1", "--json")
    (name,) = json.loads(done.stdout)["cells"]
    assert "+given-" in name
