"""Somebody else's pictures: from a folder to a report of two networks and a pruned one, as the guide's page says it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from harness.records import manifest as manifests
from harness.results import load
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "your-own-data.md").read_text()
NETWORKS = ["mobilenet-v3-small", "squeezenet", "squeezenet-pruned"]
CALM = ", ".join(
    f"{name}: null" for name in ("waited", "dispersion", "drift", "others", "stolen", "memory_stall", "frequency_drop")
)


@pytest.mark.slow
@pytest.mark.train
def test_a_folder_of_pictures_becomes_a_report(tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("tensorflow")
    (draw,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    run(tmp_path, sys.executable, "-c", draw)
    (tmp_path / "tasks" / "shapes.yaml").write_text(re.findall(r"```yaml\n(.*?)```", PAGE, re.S)[0])
    (tmp_path / "here.yaml").write_text(
        f"devices:\n  - {{name: here, board: generic, local: true, runtimes: [litert], thresholds: {{{CALM}}}}}\n"
    )
    commands = re.findall(r"^\$ (harness .*)$", PAGE, re.M)
    assert [shlex.split(command)[1] for command in commands] == ["data", "build", "run", "report", "add", "run"]
    page = ""
    for command in commands:
        run(
            tmp_path, sys.executable, "-m", *shlex.split(command), *(["--accept-invalid"] if " run " in command else [])
        )
        if command.startswith("harness report"):  # the last run, of one network, makes it anew
            page = (tmp_path / "reports" / "index.html").read_text()
    models = tmp_path / "models" / "shapes"
    assert manifests.names(models) == NETWORKS
    for name in NETWORKS:
        record = manifests.load(models, name)
        assert (record.task, record.classes) == ("shapes", ("circle", "square", "triangle"))
        assert record.artifacts[0].input.shape == (1, 64, 64, 3)
        assert record.macs is not None
        accuracy = record.artifacts[0].accuracy
        assert accuracy is not None
        assert accuracy > 0.6, f"{name}: chance is a third"
    assert (manifests.load(models, NETWORKS[2]).macs or 0) < (manifests.load(models, NETWORKS[1]).macs or 0) / 2
    table = load(tmp_path / "results")
    assert set(table["model"]) == {*NETWORKS, "theirs"}
    theirs = table[table["model"] == "theirs"]["accuracy"].unique()
    assert theirs == [manifests.load(tmp_path / "models", "theirs").artifacts[0].accuracy]
    for name in NETWORKS:
        assert name in page
    for word in ("CK+", "expression", "face"):
        assert word not in page, f"{word}: this is about circles and squares"


def run(folder: Path, *words: str) -> None:
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=2400, check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert "Traceback" not in done.stderr
