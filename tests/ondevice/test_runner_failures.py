"""Each way in which a runner can fail, brought about for real, and its code. The list is held against the runner's."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.made.runs import NET
from harness.core.files import sha256_file
from harness.remote.runner_file import runner_bytes, runner_file
from tests.conftest import MODELS

#: What is changed in a good job, by the code that must come of it. "python" entries change the environment.
WRONG: dict[str, dict[str, Any]] = {
    "corrupt-file": {"model_sha256": "0" * 64},
    "bad-inputs": {"images": np.zeros((2, 48, 48, 1), np.float32)},
    "no-scores": {"classes": 8},
    "bad-model": {"images": np.zeros((2, 32, 32, 1), np.uint8)},
    "delegate-missing": {"delegate": "edgetpu"},
    "delegate-unsupported": {"delegate": "cuda"},
    "runtime-missing": {"runtime": "tflite"},
    "runtime-error": {"file": b"no model at all"},
    "out-of-memory": {"header": (10**12, 48, 48, 1)},
}


@pytest.fixture(scope="module")
def where() -> Iterator[str]:
    """PYTHONPATH with LiteRT on it, as a local device has it."""
    from benchmarks.common import LOCAL, bench

    with bench(LOCAL, NET, "int8", models=MODELS) as made:
        yield ":".join(made.session.prepared(made.job, made.test).packages)


def answer(folder: Path, pythonpath: str, change: dict[str, Any]) -> dict[str, Any]:
    """What the runner says to a job that is right but for ``change``."""
    images, model = folder / "images.npy", MODELS / NET / "int8.tflite"
    np.save(images, change.get("images", np.zeros((2, 48, 48, 1), np.uint8)))
    if "header" in change:
        with images.open("wb") as handle:
            header = {"descr": "|u1", "fortran_order": False, "shape": change["header"]}
            np.lib.format.write_array_header_1_0(handle, header)
    if "file" in change:
        model = folder / "model.tflite"
        model.write_bytes(change["file"])
    job = {
        "cell": "c", "model": str(model), "model_sha256": sha256_file(model), "inputs": str(images),
        "inputs_sha256": sha256_file(images), "runtime": "litert", "delegate": "cpu", "threads": 1, "classes": 7,
        "warmup": {"min_runs": 1, "min_ns": 0, "max_runs": 1}, "passes": {"min_runs": 1, "min_ns": 0, "max_ns": 1},
    }  # fmt: skip
    job.update({key: value for key, value in change.items() if key in job})
    (folder / "job.json").write_text(json.dumps(job))
    python = str(getattr(sys, "_base_executable", sys.executable))
    subprocess.run(
        [python, "-s", str(runner_file()), "--job", str(folder / "job.json"), "--result", str(folder / "result.json")],
        check=False, timeout=120, capture_output=True, env={**os.environ, "PYTHONPATH": pythonpath},
    )  # fmt: skip
    found = json.loads((folder / "result.json").read_text())
    assert isinstance(found, dict)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("code", WRONG)
def test_each_is_named(code: str, where: str, tmp_path: Path) -> None:
    found = answer(tmp_path, where, WRONG[code])
    assert (found["status"], found["code"]) == ("error", code), found["text"]
    assert found["text"]


@pytest.mark.slow
def test_the_job_is_right_but_for_that(where: str, tmp_path: Path) -> None:
    assert answer(tmp_path, where, {})["status"] == "ok"


def test_no_code_is_without_a_proof() -> None:
    """A new code in the runner needs an entry above."""
    source = runner_bytes().decode()
    raised = {
        node.args[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "RunnerError"
        if isinstance(node.args[0], ast.Constant)
    }
    assert raised | set(re.findall(r'"code": "([a-z-]+)"', source)) == set(WRONG)
