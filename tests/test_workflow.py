"""The CI example: every command in it is run, in a repository laid out as its first lines say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import MODELS, REPOSITORY

WORKFLOW = REPOSITORY / ".github/workflows/benchmark.yml"
NET = "mobilenet-v3-small"


def steps() -> list[dict[str, Any]]:
    return list(yaml.safe_load(WORKFLOW.read_text())["jobs"]["boards"]["steps"])


def test_it_names_files_that_are_there() -> None:
    text = WORKFLOW.read_text()
    assert "./harness/tools/system-packages" in text
    for name in ("tools/system-packages", "requirements.lock", "harness/provision/wheels.json"):
        assert f"harness/{name}" in text
        assert (REPOSITORY / name).is_file()
    assert [step["name"] for step in steps() if "compare" in step.get("run", "")] == ["Compare with the baseline"]


@pytest.mark.soak  # makes an environment of its own and measures three times: five minutes
@pytest.mark.slow
@pytest.mark.qemu
def test_every_command(tmp_path: Path, cache: Path) -> None:
    """Passes against its own figures, and fails against figures a tenth better."""
    from harness.emulate import requirements

    if requirements():
        pytest.skip(f"missing: {requirements()}")
    home = tmp_path / "repository"
    for name in ("harness", "tools", "pyproject.toml", "requirements.lock", "README.md"):
        source, target = REPOSITORY / name, home / "harness" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    shutil.copytree(MODELS / NET, home / "models" / NET)
    commands = {step["name"]: step["run"] for step in steps() if "run" in step}
    compare = commands.pop("Compare with the baseline")
    for name, command in commands.items():
        run(home, command, name)
    baseline = home / "benchmarks/baseline"
    shutil.copytree(home / "results" / json.loads((home / "summary.json").read_text())["run"], baseline)
    run(home, commands["Measure"], "Measure")
    assert "0 slower" in run(home, compare, "Compare")
    for path in (baseline / "cells").iterdir():
        cell = json.loads(path.read_text())
        cell["latency_ns"] = [int(value * 0.9) for value in cell["latency_ns"]]
        path.write_text(json.dumps(cell))
    assert "slower by" in run(home, compare, "Compare", code=1)


def run(home: Path, command: str, name: str, *, code: int = 0) -> str:
    """As a GitHub runner does: bash, ending at the first failure."""
    leave_out = ("PYTHONPATH", "VIRTUAL_ENV")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command], cwd=home, capture_output=True, text=True,
        timeout=1500, check=False, env={key: text for key, text in os.environ.items() if key not in leave_out},
    )  # fmt: skip
    assert done.returncode == code, f"{name}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout
