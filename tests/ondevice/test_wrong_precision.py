"""A runtime that computes with narrower numbers, or on other threads, than it was asked for: found and named.

The runner is the shipped one, but for one line that asks its runtime for something else.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.config.devices import parse
from harness.records import manifest as manifests
from harness.records.answer import RunnerResult, parse_answer
from harness.records.cell import RuntimeInfo
from harness.remote.runner_file import runner_file
from harness.run.inventory import Shipped
from harness.run.plan import CellJob
from harness.run.verdict.fallback import fallbacks
from tests.conftest import MODELS
from tests.support import runner_jobs

pytestmark = pytest.mark.slow

#: The line that puts narrow numbers off.
PUT_OFF = "setattr(wanted, name, name in WANTED.get(self.variant, ()))"
THREADS = '{"backend": "CPU", "numThread": self.threads, '


def said(folder: Path, runtime: str, line: str, instead: str) -> list[str]:
    """What the verdict has against a runner with one line changed."""
    there, network = runner_jobs.interpreter(runtime), runner_jobs.network(runtime)
    if there is None or network is None:
        pytest.skip(f"{runtime}: not published for a Python here")
    given = runner_jobs.order(folder, network.file, runtime, there.packages, variant=network.variant)
    (folder / "job.json").write_text(given.to_json(), encoding="utf-8")
    text = runner_file().read_text(encoding="utf-8")
    assert text.count(line) == 1
    (folder / "runner.py").write_text(text.replace(line, instead), encoding="utf-8")
    words = [str(folder / "runner.py"), "--job", str(folder / "job.json"), "--result", str(folder / "result.json")]
    subprocess.run([str(there.python), "-s", *words], check=False, timeout=300)
    answer = parse_answer((folder / "result.json").read_bytes(), "c")
    assert isinstance(answer, RunnerResult), answer
    device = parse("devices:\n- {name: here, board: generic, local: true}\n").devices[0]
    manifest = manifests.load(MODELS, "resvgg19-pruned")
    shipped = Shipped(manifest, manifest.artifacts[0], network.file)
    asked = CellJob("c", device, shipped, runtime, "cpu", threads=1, samples=None)
    info = RuntimeInfo(name=runtime, delegate="cpu", delegate_applied="cpu", delegate_verified=True, threads=1)
    return fallbacks(asked, answer, info)


@pytest.mark.parametrize(
    ("instead", "named"),
    [
        ("pass", "float16"),  # ncnn's own defaults
        ("setattr(wanted, name, name == 'use_fp16_storage')", "float16"),
        ("setattr(wanted, name, name == 'use_bf16_storage')", "bfloat16"),
        (PUT_OFF, ""),
    ],
)
def test_ncnn_with_narrow_numbers(instead: str, named: str, cache: Path, tmp_path: Path) -> None:
    found = said(tmp_path, "ncnn", PUT_OFF, instead)
    if not named:
        assert found == []
        return
    assert len(found) == 1
    assert found[0].startswith(f"asked for float32, the board computed in {named} (")
    assert "use_" in found[0]


@pytest.mark.parametrize(
    ("runtime", "line", "instead"),
    [
        ("ncnn", "wanted.num_threads = self.threads", "wanted.num_threads = 2"),
        ("mnn", THREADS, THREADS.replace("self.threads", "2")),
    ],
)
def test_more_threads(runtime: str, line: str, instead: str, cache: Path, tmp_path: Path) -> None:
    (found,) = said(tmp_path, runtime, line, instead)
    assert found.startswith("asked for 1 thread, the board computed with 2")
