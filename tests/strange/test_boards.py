"""What lies on a stranger's board: its shell, its noise, its Python, its folders. The matrix is the benchmark's."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.strangers import Findings, World, missing
from benchmarks.strangers.matrix import MATRIX, build
from tests.conftest import MODELS, REPOSITORY

#: One of each sort, which take little time together.
FEW = ("zsh", "csh", "noise-no-end", "home-modules", "one-session", "nologin", "cache-is-a-file", "unknown-key")


@pytest.fixture(scope="module")
def few(world: World) -> Findings:
    stranger, devices, _ = build(world, tuple(kind for kind in MATRIX if kind.name in FEW))
    return stranger.doctor(stranger.list_boards(*devices))


@pytest.mark.parametrize("kind", [kind for kind in MATRIX if kind.name in FEW], ids=lambda kind: kind.name)
def test_the_doctor(kind: Any, few: Findings) -> None:
    assert not few.error, few.error
    if kind.name not in few:
        pytest.skip("can't be had here")
    found = few[kind.name]
    assert found.healthy == kind.works, found
    if not kind.works:
        assert kind.judges(found), found


@pytest.fixture(scope="module")
def agreement() -> dict[str, Any]:
    """``python -m benchmarks.doctor_agrees``, as it is called from a clean clone."""
    if reason := missing():
        pytest.skip(reason)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.doctor_agrees", "--json", "--models", str(MODELS)], cwd=REPOSITORY,
        capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr[-3000:]
    return {**json.loads(done.stdout), "exit": done.returncode, "stderr": done.stderr}


@pytest.mark.slow
@pytest.mark.parametrize("name", [kind.name for kind in MATRIX])
def test_doctor_and_run_agree(name: str, agreement: dict[str, Any]) -> None:
    if name in agreement["skipped"]:
        pytest.skip(agreement["skipped"][name])
    (row,) = [row for row in agreement["boards"] if row["board"] == name]
    assert row["agree"], row
    assert row["right"], row


@pytest.mark.slow
def test_its_exit_code(agreement: dict[str, Any]) -> None:
    right = all(row["agree"] and row["right"] for row in agreement["boards"])
    assert agreement["exit"] == (0 if right else 1)
    assert "Traceback" not in agreement["stderr"]
