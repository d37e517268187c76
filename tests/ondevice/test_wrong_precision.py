"""A runtime that computes with narrower numbers than were asked for is found by what it says, or by its answers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.support import runner_jobs

pytestmark = pytest.mark.slow

#: The runner's own class, but for one thing that it asks its runtime for.
PROGRAM = """
import json, sys
import numpy as np
from harness.ondevice.runner.files import RunnerError
from harness.ondevice.runner.runtimes import {runtime} as module
class Wrong(module.{name}):
{change}
job = json.load(open(sys.argv[1]))
model = Wrong(np, job)
model.set(model.prepare(np.load(job["inputs"])[0]))
model.invoke()
try:
    print(json.dumps(["ran", model.applied()["how"]]))
except RunnerError as error:
    print(json.dumps([error.code, error.text]))
"""
#: ncnn's own defaults, and one narrow form at a time.
NCNN = {
    "its defaults": "    def options(self, wanted): wanted.num_threads = self.threads",
    "float16": "    def options(self, w): module.NcnnModel.options(self, w); w.use_fp16_storage = True",
    "bfloat16": "    def options(self, w): module.NcnnModel.options(self, w); w.use_bf16_storage = True",
    "nothing": "    pass",
}


def told(folder: Path, unpacked: Path, runtime: str, name: str, change: str) -> list[str]:
    """What a changed model says of itself: ``ran``, or an error's code, and the text."""
    there, network = runner_jobs.interpreter(runtime, unpacked), runner_jobs.network(runtime)
    if there is None or network is None:
        pytest.skip(f"{runtime}: not published for a Python here")
    order = runner_jobs.order(folder, network.file, runtime, there.packages, variant=network.variant)
    (folder / "job.json").write_text(order.to_json(), encoding="utf-8")
    program = PROGRAM.format(runtime=runtime, name=name, change=change)
    done = subprocess.run(
        [str(there.python), "-s", "-c", program, str(folder / "job.json")],
        capture_output=True, check=False, timeout=300, encoding="utf-8",
        env={**os.environ, "PYTHONPATH": ":".join([*there.packages, str(REPOSITORY)])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(found, list)
    return found


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


@pytest.mark.parametrize("asked", NCNN)
def test_ncnn(asked: str, unpacked: Path, cache: Path, tmp_path: Path) -> None:
    code, text = told(tmp_path, unpacked, "ncnn", "NcnnModel", NCNN[asked])
    if asked == "nothing":
        assert code == "ran"
        assert "narrow numbers: none" in text
        return
    assert code == "precision-fallback"
    assert "asked for fp32, and ncnn computes with use_" in text


def test_threads_that_were_not_asked_for(unpacked: Path, cache: Path, tmp_path: Path) -> None:
    change = "    def options(self, w): module.NcnnModel.options(self, w); w.num_threads = 2"
    assert told(tmp_path, unpacked, "ncnn", "NcnnModel", change) == [
        "threads-differ",
        "asked for 1 threads, and ncnn has 2",
    ]
    change = "    def config(self): return dict(module.MnnModel.config(self), numThread=2)"
    assert told(tmp_path, unpacked, "mnn", "MnnModel", change) == [
        "threads-differ",
        "asked for 1 threads, and MNN has 2",
    ]
