"""What no wheel of ours can bring: the board's own GPU runtime, and networks compiled for the Edge TPU."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.made import runtimes
from benchmarks.made.farm import fleet
from benchmarks.made.runs import NET
from harness.core.files import sha256_file
from harness.remote.runner_file import runner_file
from harness.runtimes import edgetpu_compiler as edgetpu
from harness.runtimes import onboard as own
from harness.runtimes import wheels
from tests.conftest import MODELS
from tests.support import board_fakes as fakes
from tests.support.compiler_logs import LOG_MAPPED, LOG_REFUSED
from tests.support.loopback import execute
from tests.support.pythons import OLD_PYTHONS
from tests.support.sshd_fixtures import Sshd

pytestmark = pytest.mark.usefixtures("short_series")

#: Stands in for a GPU's provider: it is in every wheel, a session lists it first, and it takes no node.
AZURE = "AzureExecutionProvider"


def delegate_of(folder: Path, provider: str, python: str = sys.executable, path: str = "") -> dict[str, object]:
    """What the runner finds out about the delegate when CUDA's provider is another one."""
    runner, images, model = folder / "runner.py", folder / "images.npy", MODELS / NET / "int8.onnx"
    runner.write_text(runner_file().read_text().replace("CUDAExecutionProvider", provider))
    np.save(images, np.zeros((2, 48, 48, 1), np.uint8))
    job = {
        "cell": "c", "model": str(model), "model_sha256": sha256_file(model), "inputs": str(images),
        "inputs_sha256": sha256_file(images), "runtime": "onnxruntime", "delegate": "cuda", "threads": 1,
        "warmup": {"min_runs": 1, "min_ns": 0, "max_runs": 1}, "passes": {"min_runs": 1, "min_ns": 0, "max_ns": 1},
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))
    command = [python, str(runner), "--job", str(folder / "job.json"), "--result", str(folder / "result.json")]
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": path}
    subprocess.run(command, check=True, timeout=120, capture_output=True, env=environment)
    assert not list(folder.glob("tmp*")), "the profiler's trace stays on the board"
    answer = json.loads((folder / "result.json").read_text())
    assert len(answer["latency_ns"]) == 2
    delegate = answer["delegate"]
    assert isinstance(delegate, dict)
    return delegate


@pytest.mark.slow
def test_a_provider_that_took_no_node_is_not_believed(tmp_path: Path) -> None:
    """The session lists the provider first, as it would a GPU's; every node ran on the CPU."""
    pytest.importorskip("onnxruntime")
    found = delegate_of(tmp_path, AZURE)
    assert AZURE in str(found["how"])
    assert found["applied"] == "cpu"
    assert found["nodes_delegated"] == 0
    assert found["nodes_left"]


@pytest.mark.slow
def test_a_provider_that_took_the_nodes_is(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    found = delegate_of(tmp_path, "CPUExecutionProvider")
    assert found["applied"] == "cuda"
    assert found["nodes_delegated"] == found["nodes_total"] != 0
    assert found["nodes_left"] == []


@pytest.mark.slow
@pytest.mark.skipif(OLD_PYTHONS["3.6"] is None, reason="no Python 3.6 here")
def test_so_it_is_on_a_jetson_nanos_python(tmp_path: Path) -> None:
    """Python 3.6 and ONNX Runtime 1.10 have another profiler; on another processor, and without a GPU."""
    folders = runtimes.fetched(wheels.choose("onnxruntime", wheels.Platform("3.6", "x86_64", (2, 27))))
    found = delegate_of(tmp_path, "CPUExecutionProvider", str(OLD_PYTHONS["3.6"]), os.pathsep.join(folders))
    assert found["applied"] == "cuda"
    assert found["nodes_delegated"] == found["nodes_total"] != 0


@pytest.mark.slow
def test_a_gpu_cell_takes_the_boards_own_runtime(sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    """Ours has no GPU in it, and would hide the one that has."""
    for minor in range(6, 15):
        place = sshd.home / f".local/lib/python3.{minor}/site-packages"
        place.mkdir(parents=True)
        (place / "numpy.py").write_text("raise ImportError('numpy of the board itself')")
    devices = fleet(sshd.device(runtimes=["onnxruntime"], delegates=["cuda"]))
    outcome, told = execute(devices, tmp_path / "results")
    (cell,) = told.cells
    assert [(cell.status, reason.code) for reason in cell.reasons] == [("FAILED", "runtime-missing")]
    assert "numpy of the board itself" in cell.reasons[0].text
    assert outcome.sent_bytes["loop"] < 5_000_000  # the runner, the network and the images; the runtime alone is 16 MB


def test_where_a_boards_own_packages_are() -> None:
    assert own.packages("/home/me", "3.6.9") == ("/home/me/.local/lib/python3.6/site-packages",)
    assert own.packages(None, "3.6.9") == ()


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for edgetpu_compiler, which is not to be had: takes its options, writes a file, prints a recorded log.
    Returns the folder it counts in."""
    folder = tmp_path / "compiler"
    folder.mkdir()
    (folder / "log").write_text(LOG_MAPPED)
    (folder / "edgetpu_compiler").write_text(
        f'#!/bin/sh\n[ "$1" = -s ] && [ "$2" = -o ] || exit 2\necho >>{folder}/calls\ncat {folder}/log\n'
        f'[ -e {folder}/refuse ] || {{ cat "$4"; echo compiled; }} >"$3/model_edgetpu.tflite"\n'
    )
    (folder / "edgetpu_compiler").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.mark.slow
def test_an_edge_tpu_gets_the_compiled_network(compiler: Path, sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    devices = fleet(sshd.device(runtimes=["litert"], delegates=["edgetpu", "cpu"]))
    _, told = execute(devices, tmp_path / "results")
    cells = {cell.runtime.delegate: cell for cell in told.cells}
    plain = MODELS / NET / "int8.tflite"
    made = edgetpu.compiled(plain, sha256_file(plain))
    assert made is not None
    assert cells["edgetpu"].model.sha256 == made.sha256 != sha256_file(plain)
    assert cells["cpu"].model.sha256 == sha256_file(plain)
    assert (sshd.home / ".cache/harness/objects" / made.sha256).is_file()
    # no such library on this board: said, and never a number of the CPU's under the Edge TPU's name
    assert [reason.code for reason in cells["edgetpu"].reasons] == ["delegate-missing"]
    assert any("sent again for every inference" in message for message in told.messages)  # what the log tells
    assert (compiler / "calls").read_text().count("\n") == 1


def test_what_the_compiler_refuses_is_told_and_stays_as_it_was(compiler: Path, cache: Path) -> None:
    (compiler / "log").write_text(LOG_REFUSED)
    (compiler / "refuse").write_text("")
    plain = MODELS / NET / "int8.tflite"
    for _ in range(2):
        found = edgetpu.compiled(plain, sha256_file(plain))
        assert found is not None
        assert found.model is None
        assert "Invalid model" in found.log
    assert (compiler / "calls").read_text().count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler for the delegate")
def test_a_compiled_network_is_the_same_when_resumed(compiler: Path, sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    fakes.python(sshd, libraries=fakes.idle_delegate(tmp_path / "lib"))
    devices = fleet(sshd.device(runtimes=["litert"], delegates=["edgetpu"], allow_fallback=True))
    outcome, told = execute(devices, tmp_path / "results")
    assert told.cells[0].status == "INVALID"
    assert told.cells[0].model.sha256 != sha256_file(MODELS / NET / "int8.tflite")
    _, again = execute(devices, tmp_path / "results", resume=outcome.run)
    assert [cell.cell for cell in again.cells] == [told.cells[0].cell]


@pytest.mark.slow
def test_without_the_compiler_it_is_said(
    sshd: Sshd, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edgetpu, "COMPILER", "no-such-compiler")
    _, told = execute(fleet(sshd.device(runtimes=["litert"], delegates=["edgetpu"])), tmp_path / "results")
    assert any("no-such-compiler is not installed here" in message for message in told.messages)
    assert told.cells[0].status == "FAILED"
