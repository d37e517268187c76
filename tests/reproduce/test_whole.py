"""The whole experiment for real, on a few drawn faces in the form of a CK+ copy: killed at any point, it goes on."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("keras")
pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.soak]

from benchmarks.made.checkout import environment  # noqa: E402
from harness.records import manifest as manifests  # noqa: E402
from harness.results import store  # noqa: E402
from tests.support.ckplus_drawn import write_copy  # noqa: E402

#: What it says when it is that far, in this order; a pruned network is called as its parent while it is exported.
POINTS = (
    "timing a few training steps",
    "squeezenet epoch 1/",
    "squeezenet-pruned, random split: about",
    "squeezenet: int8.tflite",
    "squeezenet, subject-disjoint split, fold 1 of 4: about",
    "squeezenet-pruned, subject-disjoint split, fold 1 of 4: took",
)


def words(copy: Path, out: Path) -> list[str]:
    return [
        sys.executable, "-m", "harness", "reproduce", "--data", str(copy), "--out", str(out), "--profile", "quick",
        "--model", "squeezenet-pruned",
    ]  # fmt: skip


def killed_at(point: str, copy: Path, out: Path) -> None:
    """Begin or go on, and end by SIGKILL as soon as that is said."""
    process = subprocess.Popen(
        words(copy, out), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if point in line:
            break
    else:
        pytest.fail("".join(said[-20:]))
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_it_goes_on_after_each_kill(tmp_path: Path, cache: Path) -> None:
    copy, out = write_copy(tmp_path / "copy", "tree", 5), tmp_path / "out"
    for point in POINTS:
        killed_at(point, copy, out)
    done = subprocess.run(words(copy, out), env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr[-2000:]  # 1: this machine was too busy for some cell
    assert not re.search(r"Traceback", done.stderr)
    assert re.search(r"^ +1 +done  squeezenet, random split$", done.stderr, re.M)
    for name in ("squeezenet", "squeezenet-pruned"):
        record = manifests.load(out / "models", name)
        assert [check.scheme for check in record.cross_checks] == ["subject"]
        assert all(artifact.unseen is None for artifact in record.artifacts), "real faces know no strangers"
    (run,) = store.list_runs(out / "results")
    assert sum(1 for _ in store.read_cells(run)) == 14
    assert "A quick look" in (out / "reports" / "index.html").read_text()
    again = subprocess.run(words(copy, out), env=environment(), capture_output=True, text=True, check=False)
    assert "epoch 1/" not in again.stderr, "nothing is trained twice"
    assert len(store.list_runs(out / "results")) == 1
