"""CI: this project's own workflow runs what it says, and the example for others is run, command by command."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import MODELS, REPOSITORY

EXAMPLE = REPOSITORY / "examples/benchmark.yml"
WORKFLOWS = REPOSITORY / ".github/workflows"
NET = "mobilenet-v3-small"


def own() -> dict[str, Any]:
    return dict(yaml.safe_load((WORKFLOWS / "ci.yml").read_text(encoding="utf-8")))


def test_this_project_tests_itself() -> None:
    """The command of the README, for every change, with no right to change anything."""
    workflow = own()
    triggers = workflow[True]  # YAML 1.1 reads "on" so
    assert {"push", "pull_request"} <= set(triggers)
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert job["timeout-minutes"] <= 180
    assert job["steps"][-1]["run"] == "make test"
    assert re.search(r"^test:", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M)


def test_its_actions_are_pinned_and_what_it_caches_is_used() -> None:
    (job,) = own()["jobs"].values()
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert [name.partition("@")[0] for name in used] == ["actions/checkout", "actions/cache"]
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name) for name in used), used
    (kept,) = [step["with"] for step in job["steps"] if step.get("uses", "").startswith("actions/cache@")]
    text = (WORKFLOWS / "ci.yml").read_text(encoding="utf-8")
    assert f"HARNESS_CACHE=$GITHUB_WORKSPACE/{kept['path']}/" in text
    for pattern in re.findall(r"'([^']+)'", kept["key"]):
        assert list(REPOSITORY.glob(pattern)), pattern
    ignored = (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert f"/{kept['path']}/" in ignored


def test_its_commands_are_shell() -> None:
    for path in sorted(WORKFLOWS.glob("*")):
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            for step in job["steps"]:
                if "run" in step:
                    done = subprocess.run(
                        ["bash", "-n"], input=step["run"], text=True, capture_output=True, check=False
                    )
                    assert done.returncode == 0, done.stderr


def test_no_example_runs_in_this_repository() -> None:
    """An example lies where nothing runs it: it needs a folder ``harness/`` with this project in it."""
    assert [path.name for path in WORKFLOWS.iterdir()] == ["ci.yml"]
    assert "harness/tools/" not in (WORKFLOWS / "ci.yml").read_text(encoding="utf-8")
    assert EXAMPLE.is_file()


def steps() -> list[dict[str, Any]]:
    return list(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["jobs"]["boards"]["steps"])


def test_it_names_files_that_are_there() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert "./harness/tools/system-packages" in text
    for name in ("tools/system-packages", "requirements.lock", "harness/runtimes/wheels.json"):
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
