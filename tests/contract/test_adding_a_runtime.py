"""Does what docs/adding-a-runtime.md says, in a copy of the harness: two files, a line, and a row of wheels."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks.made.sshd import LENIENT
from tests.support.harness_copy import copied, python

pytestmark = pytest.mark.slow

NET = "mobilenet-v3-small"

DESCRIPTION = '''
"""Guesses."""

from __future__ import annotations

from harness.runtimes.record import Runtime

RUNTIME = Runtime(name="guesses", title="Guesses", module="numpy", formats=("tflite",))
'''

BOARD_HALF = '''
"""Guesses what an image shows: its computing is a sum of pixels."""

from typing import Any, Dict

from ..clock import now_ns
from ..files import RunnerError
from .base import MODELS, Model, as_input


class GuessesModel(Model):
    def __init__(self, np: Any, job: Dict[str, Any]) -> None:
        self.np = np
        started = now_ns()
        import numpy

        self.import_ns, self.version = now_ns() - started, numpy.__version__
        if job["delegate"] != "cpu":
            raise RunnerError("delegate-unsupported", "no delegate '%s' here" % job["delegate"])
        started = now_ns()
        with open(job["model"], "rb") as handle:
            self.bias = len(handle.read()) % 7
        self.load_ns = now_ns() - started
        self.output_name = "scores"

    def prepare(self, image: Any) -> Any:
        return as_input(self.np, image, self.np.float32, 1.0, 0)

    def set(self, value: Any) -> None:
        self.value = value

    def invoke(self) -> None:
        scores = self.np.zeros((1, 7), self.np.float32)
        scores[0, (int(self.value.sum()) + self.bias) % 7] = 1.0
        self.scores = scores

    def get(self) -> Any:
        return self.scores

    def quantised(self) -> bool:
        return False

    def applied(self) -> Dict[str, Any]:
        return {"applied": "cpu", "how": "numpy has nothing else", "nodes_total": 1, "nodes_delegated": 0}


MODELS["guesses"] = GuessesModel
'''


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The harness and its tests, elsewhere."""
    return copied(tmp_path / "copy")


def add_guesses(harness: Path) -> None:
    """What the guide asks for."""
    (harness / "runtimes/guesses.py").write_text(DESCRIPTION.lstrip(), encoding="utf-8")
    (harness / "ondevice/runner/runtimes/guesses.py").write_text(BOARD_HALF.lstrip(), encoding="utf-8")
    registry = harness / "runtimes/registry.py"
    text = registry.read_text(encoding="utf-8")
    assert text.count('    "onnxruntime",\n') == 1
    registry.write_text(text.replace('    "onnxruntime",\n', '    "onnxruntime",\n    "guesses",\n'), encoding="utf-8")
    wheels = harness / "runtimes/wheels.json"
    table = json.loads(wheels.read_text(encoding="utf-8"))
    version = "{}.{}".format(*sys.version_info[:2])
    row = next(
        row for row in table["rows"]
        if (row["runtime"], row["python"], row["machine"]) == ("litert", version, os.uname().machine)
    )  # fmt: skip
    numpy = [wheel for wheel in row["wheels"] if wheel["file"].startswith("numpy-")]
    table["rows"].append({**row, "runtime": "guesses", "version": "1", "wheels": numpy})
    wheels.write_text(json.dumps(table), encoding="utf-8")


def test_a_new_runtime_measures(copy: Path, cache: Path) -> None:
    add_guesses(copy / "harness")
    limits = dict.fromkeys((*LENIENT, "predictions", "stopped_s"))  # it guesses
    device = {"name": "here", "board": "generic", "local": True, "runtimes": ["guesses"], "thresholds": limits}
    (copy / "here.yaml").write_text(yaml.safe_dump({"devices": [device]}), encoding="utf-8")
    done = python(copy, "harness", "run", "--devices", "here.yaml", "--model", NET, "--variant", "int8", "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    (cell,) = [json.loads(path.read_text(encoding="utf-8")) for path in copy.glob("results/*/cells/*.json")]
    assert cell["cell"].startswith(f"here+{NET}+int8.tflite+guesses+cpu+t1+")
    assert (cell["status"], cell["runtime"]["name"], cell["runtime"]["delegate_verified"]) == ("VALID", "guesses", True)
    assert len(cell["latency_ns"]) >= 50
    assert len(list(copy.glob("reports/**/index.html"))) >= 1


def test_its_name_is_known_and_misspelt(copy: Path) -> None:
    add_guesses(copy / "harness")
    (copy / "here.yaml").write_text("devices:\n  - {name: here, board: generic, local: true, runtimes: [gueses]}\n")
    done = python(copy, "harness", "run", "--devices", "here.yaml")
    assert "here.yaml:2: 'gueses' is no runtimes; did you mean 'guesses'?" in " ".join(done.stderr.split())


def test_it_passes_the_contract(copy: Path) -> None:
    """The same tests as for all others, which are not told of it."""
    add_guesses(copy / "harness")
    done = python(copy, "pytest", "-q", "tests/contract/test_runtimes.py", "-k", "guesses")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
