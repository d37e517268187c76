"""Rounds in forked processes, by the shipped runner: what they answer, and how they end."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

from harness.records.answer import RunnerFailure, RunnerResult, parse_answer
from harness.records.order import Order, Passes
from harness.remote.runner_file import runner_file
from tests.support import runner_jobs
from tests.support.runner_jobs import Interpreter

LONG = Passes(min_runs=1, min_ns=10**11, max_ns=10**11)


@pytest.fixture(params=["litert", "tflite", "onnxruntime", "openvino"])
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Parent:
    """A runner that forks, and what it said first."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process, self.result = process, folder / "result.json"
        assert process.stdin is not None
        assert process.stdout is not None
        self.stdin: IO[bytes] = process.stdin
        self.stdout: IO[bytes] = process.stdout

    def send(self, content: object) -> None:
        self.stdin.write(json.dumps(content).encode() + b"\n")

    def answer(self) -> dict[str, Any]:
        line = self.stdout.readline()
        assert len(line) <= 4096
        return dict(json.loads(line))

    def begin(self, order: Order) -> None:
        self.send({"job": order.to_plain(), "result": str(self.result)})

    def measure(self, order: Order) -> tuple[dict[str, Any], RunnerResult | RunnerFailure]:
        self.begin(order)
        return self.answer(), parse_answer(self.result.read_bytes(), order.cell)

    def child(self) -> int:
        """The process that measures now."""
        pid = self.process.pid
        while not (found := Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            time.sleep(0.01)
        return int(found[0])


@contextmanager
def parent(python: Path, folder: Path, first: dict[str, object]) -> Iterator[Parent]:
    words = [str(python), "-s", str(runner_file()), "--forks", "--job", "-", "--result", str(folder / "none")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            made = Parent(process, folder)
            made.send(first)
            yield made
        finally:
            process.kill()


def prepared(runtime: str, folder: Path) -> tuple[Interpreter, Order]:
    found = runner_jobs.interpreter(runtime)
    model = runner_jobs.network(runtime)
    if found is None or model is None:
        pytest.skip(f"no {runtime} for a Python here")
    return found, runner_jobs.order(folder, model.file, runtime, found.packages, variant=model.variant)


def first_of(order: Order) -> dict[str, object]:
    return {"packages": list(order.packages), "runtime": order.runtime}


def test_forked_processes_measure_one_after_another(runtime: str, tmp_path: Path) -> None:
    found, order = prepared(runtime, tmp_path)
    with parent(found.python, tmp_path, first_of(order)) as forks:
        assert forks.answer() == {"forks": True}
        for cell in ("one", "two"):
            said, measured = forks.measure(replace(order, cell=cell))
            assert said["status"] == 0, base64.b64decode(said["stderr"])
            assert isinstance(measured, RunnerResult)
            assert (measured.forked, measured.import_ns, len(measured.latency_ns)) == (True, {}, 2)
        wrong = replace(order, model_sha256="0" * 64)
        said, failure = forks.measure(wrong)
        assert said["status"] == 1
        assert isinstance(failure, RunnerFailure)
        assert failure.code == "corrupt-file"
        said, measured = forks.measure(order)
        assert said["status"] == 0
        forks.stdin.close()
        assert forks.process.wait(10) == 0


def test_a_forked_process_predicts_what_a_process_of_its_own_does(tmp_path: Path) -> None:
    found, order = prepared("litert", tmp_path)
    alone = runner_jobs.answer(tmp_path, found.python, order)
    with parent(found.python, tmp_path, first_of(order)) as forks:
        forks.answer()
        _, forked = forks.measure(order)
    assert isinstance(forked, RunnerResult)
    assert alone["outputs_sha256"] == forked.outputs_sha256
    assert (alone["forked"], list(alone["import_ns"])) == (False, ["numpy", "runtime"])
    assert alone["delegate"] == forked.delegate.model_dump(mode="json", exclude_unset=True)


def test_a_forked_process_that_is_killed_costs_its_round_alone(tmp_path: Path) -> None:
    found, order = prepared("litert", tmp_path)
    with parent(found.python, tmp_path, first_of(order)) as forks:
        forks.answer()
        forks.begin(replace(order, passes=LONG))
        os.kill(forks.child(), signal.SIGKILL)
        assert forks.answer()["status"] == 128 + signal.SIGKILL
        assert not forks.result.exists()
        assert forks.measure(order)[0]["status"] == 0


@pytest.mark.parametrize("how", ["stdin ends", "the parent is killed"])
def test_a_forked_process_outlives_nobody(how: str, tmp_path: Path) -> None:
    found, order = prepared("litert", tmp_path)
    with parent(found.python, tmp_path, first_of(order)) as forks:
        forks.answer()
        forks.begin(replace(order, passes=LONG))
        child = forks.child()
        if how == "stdin ends":
            forks.stdin.close()
        else:
            forks.process.kill()
        forks.process.wait(10)
        for _ in range(500):
            if not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split(")")[1][:3]:
                return
            time.sleep(0.01)
    raise AssertionError("it still measures")


@pytest.mark.parametrize(
    ("runtime", "why"), [("none", "ImportError: the runner knows no runtime 'none'"), ("litert", "No module")]
)
def test_what_can_not_be_forked_says_why(runtime: str, why: str, tmp_path: Path) -> None:
    found, order = prepared("litert", tmp_path)
    packages = order.packages if runtime == "none" else [str(tmp_path)]
    with parent(found.python, tmp_path, {"packages": list(packages), "runtime": runtime}) as forks:
        said = forks.answer()
        assert said["forks"] is False
        assert why in said["why"]
        assert forks.process.wait(10) == 0
