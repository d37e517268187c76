"""``harness show``, and ``harness doctor --model``: what is in a file, and what can take it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MODELS, REPOSITORY
from tests.support.modelfiles import Onnx, value

DEVICES = """
defaults: {user: bench}
devices:
  - {name: nano, board: jetson-nano, host: nano.local, runtimes: [onnxruntime]}
  - {name: pi, board: raspberry-pi-4, host: pi.local}
  - {name: coral, board: coral-dev, emulate: true, delegates: [cpu, edgetpu]}
"""


def harness(*args: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *args], capture_output=True, text=True, cwd=cwd, check=False
    )


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "devices.yaml"
    path.write_text(DEVICES)
    return path


def test_a_network_by_its_name() -> None:
    done = harness("show", "resvgg19-pruned")
    assert done.returncode == 0, done.stderr
    assert "models/resvgg19-pruned/int8.tflite: tflite, int8" in done.stdout
    assert "multiply-accumulates  1,346,224" in done.stdout
    assert "scale 0.00390625, zero point -128" in done.stdout
    assert "pi4: litert" in done.stdout


def test_a_file_and_why_a_board_can_not_take_it(tmp_path: Path, fleet: Path) -> None:
    path = Onnx(opset=16, ir=8, inputs=[value("x", ("n", 4))]).write(tmp_path / "mine.onnx")
    done = harness("show", str(path), "--devices", str(fleet), "--shape", "x=1x4", "--json")
    assert done.returncode == 0, done.stderr
    (file,) = json.loads(done.stdout)["files"]
    assert (file["format"], file["macs"], file["versions"]) == ("onnx", 0, {"ir": 8, "opset": 16})
    assert file["inputs"][0]["shape"] == [1, 4]
    (nano,) = file["boards"]["nano"]
    assert (nano["runtime"], nano["version"], nano["python"], nano["runs"]) == ("onnxruntime", "1.10.0", "3.6", False)
    assert "opset 16" in nano["why"]
    by_runtime = {board: [(way["runtime"], way["runs"]) for way in file["boards"][board]] for board in ("pi", "coral")}
    assert [runs for runtime, runs in by_runtime["pi"] if runtime == "onnxruntime"] == [True, True]
    assert [runs for runtime, runs in by_runtime["pi"] if runtime == "openvino"] == [True, True]
    assert [runs for runtime, runs in by_runtime["coral"] if runtime == "onnxruntime"] == [True, False]
    assert [runs for runtime, runs in by_runtime["coral"] if runtime == "openvino"] == [True, False]


def test_all_known_boards_where_there_is_no_list(tmp_path: Path) -> None:
    done = harness("show", str(MODELS / "resvgg19-pruned" / "int8.tflite"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for board in ("raspberry-pi-5", "jetson-nano", "coral-dev", "generic"):
        assert f"  {board}: " in done.stdout


def test_only_some_boards(fleet: Path) -> None:
    done = harness("show", "squeezenet", "--devices", str(fleet), "--only", "pi")
    assert "pi: " in done.stdout
    assert "nano" not in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody",), "model 'nobody' is not in models/"),
        (("./missing.onnx",), "not there"),
        (("resvgg19-pruned", "--shape", "x"), "--shape"),
        (("resvgg19-pruned", "--devices", "missing.yaml"), "missing.yaml"),
        (("resvgg19-pruned", "--only", "nobody"), "no device 'nobody'"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_2(words: tuple[str, ...], said: str) -> None:
    done = harness("show", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_open_sizes_are_asked_for(tmp_path: Path) -> None:
    path = Onnx(inputs=[value("x", ("batch", 3, "height", "width"))]).write(tmp_path / "mine.onnx")
    done = harness("show", str(path))
    assert done.returncode == 2
    assert "--shape x=1x3x224x224" in done.stderr


def test_doctor_asks_boards_about_a_file(tmp_path: Path, fleet: Path) -> None:
    path = Onnx(opset=30, ir=20).write(tmp_path / "mine.onnx")
    done = harness("doctor", "--devices", str(fleet), "--only", "coral", "--model", str(path), "--json")
    checks = json.loads(done.stdout)["devices"]["coral"]
    (unfit,) = [check for check in checks if check["code"] == "model-unfit"]
    assert unfit["severity"] == "error"
    assert "IR version 20" in unfit["text"]
    assert done.returncode == 1
    done = harness("doctor", "--devices", str(fleet), "--only", "coral", "--model", "resvgg19-pruned")
    assert "model-unfit: int8.tflite" not in done.stdout
    done = harness("doctor", "--devices", str(REPOSITORY / "devices.yaml"), "--model", "./missing.tflite")
    assert (done.returncode, "not there" in done.stderr) == (2, True)


@pytest.mark.slow
def test_a_kept_network_has_the_sizes_that_it_was_kept_with(tmp_path: Path) -> None:
    path = Onnx(inputs=[value("x", ("n", 4))], outputs=[value("y", ("n", 4))]).write(tmp_path / "mine.onnx")
    done = harness("add", str(path), "--shape", "x=2x4", "--models", str(tmp_path / "models"))
    assert done.returncode == 0, done.stderr
    done = harness("show", "mine", "--models", str(tmp_path / "models"))
    assert "input   x: 2x4 float32, in the file nx4" in done.stdout, done.stderr


def test_a_32_bit_board_gets_what_is_published_for_it(tmp_path: Path) -> None:
    (tmp_path / "devices.yaml").write_text(
        "devices:\n  - {name: two, board: raspberry-pi-2, emulate: true}\n"
        "  - {name: four, board: raspberry-pi-4, emulate: true, os: armhf}\n"
    )
    done = harness("show", str(MODELS / "resvgg19-pruned" / "int8.tflite"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("two", "four"):
        assert f"  {name}: tflite 2.14.0: can run it" in done.stdout
