"""The command line: quick, one line for each error, exit codes as promised."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MODELS, REPOSITORY


def harness(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *args], capture_output=True, text=True, cwd=cwd or REPOSITORY, check=False
    )


def test_help_is_quick() -> None:
    """At most 0.3 s of processor time more than an empty Python, best of five: other programs' load doesn't count."""

    def best(*argv: str) -> float:
        times = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *argv], capture_output=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(times)

    assert best("-m", "harness", "--help") - best("-c", "pass") < 0.3


@pytest.mark.parametrize(
    "command", ["run", "report", "build", "show", "doctor", "emulate", "compare", "export", "data"]
)
def test_every_command_has_help(command: str) -> None:
    done = harness(command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


@pytest.mark.parametrize(
    ("text", "args", "said"),
    [
        ("devices:\n  - name: pi4\n    board: raspberry-pi-4\n    hots: x\n", (), "devices.yaml:4: unknown key 'hots'"),
        ("devices: [{name: a, board: generic, local: true}]\n", ("--model", "resvg19"), "harness build resvg19"),
        ("devices: [{name: a, board: generic, local: true}]\n", ("--only", "b"), "no device 'b'"),
        ("devices: [{name: a, board: generic, local: true}]\n", ("--threads", "x"), "--threads"),
        ("devices: [{name: a, board: generic, local: true}]\n", ("--variant", "int3"), "no artifact"),
        ("devices: [{name: a, board: generic, local: true}]\n", ("--precision", "1_0%"), "--precision '1_0%' is not"),
        ("devices: [{name: a, board: generic, local: true}]\n", ("--budget", "5"), "--precision 2%"),
        (
            "devices: [{name: a, board: generic, local: true}]\n",
            ("--precision", "2%", "--budget", "inf"),
            "--budget inf: from",
        ),
        (
            "devices: [{name: a, board: generic, local: true}]\n",
            ("--precision", "2%", "--budget", "nan"),
            "--budget nan: from",
        ),
        (
            "devices: [{name: a, board: generic, local: true}]\n",
            ("--models", "resvgg19,mnasnet"),
            "harness run --model resvgg19,mnasnet",
        ),
    ],
)
def test_a_bad_order_is_refused_before_anything_is_touched(
    text: str, args: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (tmp_path / "devices.yaml").write_text(text)
    done = harness("run", "--models", str(MODELS), *args, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["devices.yaml"]


def test_nothing_to_report_on_is_one_line(tmp_path: Path) -> None:
    done = harness("report", "--results", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_without_the_train_extra_build_says_how_to_get_it() -> None:
    hidden = "import sys; sys.modules['tensorflow'] = None; sys.argv = ['harness', 'build']"
    code = f"{hidden}; import harness.cli.app as c; c.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 2
    assert "[train]" in done.stderr
    assert "Traceback" not in done.stderr


def test_version() -> None:
    assert harness("--version").stdout.strip()
