"""The proofs of measuring in their short form: each program runs, keeps its promise and says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MODELS, REPOSITORY

pytestmark = pytest.mark.slow


def run(name: str, *words: str) -> str:
    """A benchmark's table; fails where it ends with anything but 0."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--models", str(MODELS), *words], cwd=REPOSITORY,
        capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.soak
def test_as_fast_as_a_bare_loop_and_the_runtimes_own_tool(cache: Path) -> None:
    """On the wall clock: needs a quiet machine, which a build machine rarely is. One more try if it wasn't."""
    try:
        said = run("against_tools", "--rounds", "7")
    except AssertionError:
        said = run("against_tools", "--rounds", "15")
    assert "within 0.98 to 1.02" in said


@pytest.mark.qemu
def test_boots_agree(cache: Path) -> None:
    assert "medians within 0.0" in run("boots", "--boots", "2", "--quick")


@pytest.mark.qemu
def test_three_percent_more_instructions_are_caught(cache: Path) -> None:
    assert "as promised" in run("gate", "instructions", "--comparisons", "4", "--boots", "2")


@pytest.mark.soak
def test_ten_percent_more_time_is_caught(cache: Path) -> None:
    """On the wall clock: needs a quiet machine."""
    assert "as promised" in run("gate", "wall", "--comparisons", "10")


def printed(name: str, *words: str) -> list[str]:
    """The lines of a benchmark that comes to its end, whatever this machine lets it find."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--models", str(MODELS), *words], cwd=REPOSITORY,
        capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines, done.stderr[-2000:]
    assert "as promised" in lines[-1], done.stdout[-2000:] + done.stderr[-2000:]
    assert done.returncode == ("NOT" in lines[-1])
    return lines


@pytest.mark.alone
def test_runs_are_compared_in_each_weather(cache: Path) -> None:
    words = ("--comparisons", "1", "--rounds", "2", "--networks", "resvgg19-pruned", "--disturbed")
    lines = printed("weathers", "--weather", "quiet,busy", *words)
    rows = [line.split(" | ") for line in lines if line.startswith(("| quiet", "| busy"))]
    assert [(row[0].strip("| "), row[1], row[2]) for row in rows] == [
        (weather, kind, "1") for weather in ("quiet", "busy") for kind in ("A/A", "A/B")
    ]
    assert "10% slower; gate 3%; pairs: disjoint" in lines[-2] + lines[-3]


@pytest.mark.qemu
def test_no_weather_matters_where_instructions_are_counted(cache: Path) -> None:
    words = ("--comparisons", "1", "--networks", "resvgg19-pruned", "--gate", "1%", "--slower", "0.03")
    said = run("weathers", "--emulated", "--weather", "busy", *words)
    assert "| busy | A/A | 1 | 0 of 1 runs | 0.0%" in said
    assert "| busy | A/B | 1 | 1 of 1 judged cells | 100.0%" in said


@pytest.mark.alone
def test_intervals_are_held_beside_those_of_other_tools(cache: Path) -> None:
    lines = printed("coverage", "--trials", "1", "--processes", "2", "--runs", "20", "--rounds", "2", "--disturbed")
    programs = [line.split(" | ")[0].strip("| ") for line in lines if line.startswith("| ")][1:]
    assert programs == ["harness, all rounds", "harness, 1 round", "benchmark_litert_model", "pyperf"]
