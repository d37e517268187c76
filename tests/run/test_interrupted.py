"""A run that is interrupted: at any moment, by any of the usual signals, alone or with all its processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from benchmarks.made.checkout import environment
from benchmarks.made.farm import Farm, descendants
from benchmarks.made.runs import NET
from harness.core.signals import Signals
from harness.results import store
from tests.conftest import MODELS
from tests.support.emulate_fixtures import gone
from tests.support.faults_fixtures import farm, until

__all__ = ["farm"]  # a fixture

#: From the second cell on, each takes long.
LONG = "count('waiting')\ntime.sleep(0.1 if cells == 1 else 60)"
ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def started(tmp_path: Path, entry: dict[str, object], *more: str) -> subprocess.Popen[str]:
    (tmp_path / "devices.yaml").write_text(yaml.safe_dump({"devices": [entry]}))
    words = [
        "--devices",
        "devices.yaml",
        "--models",
        str(MODELS),
        "--quick",
        "--model",
        NET,
        "--variant",
        "int8",
        *more,
    ]
    hears = lambda: [signal.signal(number, signal.SIG_DFL) for number in ENDING]  # noqa: E731 - as in a terminal
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "run", *words], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hears,
    )  # fmt: skip


def ended(process: subprocess.Popen[str], within_s: float = 30) -> str:
    """What it said; it must have ended as an interrupted run does."""
    out, said = process.communicate(timeout=within_s)
    assert process.returncode == 130, said
    assert out == ""
    assert not re.search(r"Traceback|Exception|Error:", said), said
    return said


@pytest.mark.parametrize("everyone", [False, True], ids=["alone", "group"])
@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
def test_in_the_middle_of_cells(number: signal.Signals, everyone: bool, farm: Farm, tmp_path: Path) -> None:
    """``timeout`` signals the whole group. Finished cells stay, no other is stored, and the line that goes on works."""
    place = farm.places["bad"]
    place.python(LONG)
    process = started(tmp_path, farm.entry("bad", runtimes=["litert"]), "--threads", "1,2,3")
    until(lambda: (place.bin / "waiting").exists() and (place.bin / "waiting").stat().st_size == 2)
    below = descendants(process.pid)
    (os.killpg if everyone else os.kill)(process.pid, number)
    said = ended(process)
    assert gone(*below)
    run = store.find_run(tmp_path / "results")
    assert [len(cell.latency_ns) > 0 for cell in store.read_cells(run)] == [True]
    assert f"--resume {run.name}" in said.splitlines()[-1]
    place.python("time.sleep(0.1)")
    words = said.splitlines()[-1].split()
    done = subprocess.run(
        [sys.executable, "-m", *words, "--json"], cwd=tmp_path, env=environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statuses"] == {"VALID": 3}


def test_twice(farm: Farm, tmp_path: Path) -> None:
    """A board that doesn't let go: the second time ends it at once, and the line is there all the same."""
    place = farm.places["bad"]
    place.python(LONG)
    process = started(tmp_path, farm.entry("bad", runtimes=["litert"]), "--threads", "1,2")
    until(lambda: (place.bin / "waiting").exists() and (place.bin / "waiting").stat().st_size == 2)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.01)
    said = ended(process, 10)
    assert "--resume " in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_while_it_connects(number: signal.Signals, farm: Farm, tmp_path: Path) -> None:
    place = farm.places["bad"]
    place.python(agent="count('probing')\ntime.sleep(30)")
    process = started(tmp_path, farm.entry("bad", runtimes=["litert"]))
    until((place.bin / "probing").exists)
    os.killpg(process.pid, number)
    assert "--resume " in ended(process)
    assert list(store.read_cells(store.find_run(tmp_path / "results"))) == []


def test_while_it_reports(farm: Farm, tmp_path: Path) -> None:
    farm.places["bad"].python("time.sleep(0.1)")
    process = started(tmp_path, farm.entry("bad", runtimes=["litert"]))
    assert process.stdout is not None
    assert "1 VALID" in process.stdout.readline()  # the summary comes first
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "--resume " in said.splitlines()[-1]
    assert "Traceback" not in said


@pytest.mark.parametrize("after_s", [0.5, 1.0, 2.0, 3.0])
def test_at_any_moment(after_s: float, farm: Farm, tmp_path: Path) -> None:
    """While it starts: imports, plans, connects. Before our first line ran, it is Python's to say."""
    farm.places["bad"].python(LONG)
    process = started(tmp_path, farm.entry("bad", runtimes=["litert"]), "--threads", "1,2")
    time.sleep(after_s)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode in (130, -signal.SIGINT)
    assert process.returncode != 130 or "Traceback" not in said


def test_what_is_ignored_stays_ignored(farm: Farm, tmp_path: Path) -> None:
    """nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals(leave=lambda code: None) as signals:
            signals.noting = True
            os.kill(os.getpid(), signal.SIGHUP)
            assert not signals.noted
            os.kill(os.getpid(), signal.SIGTERM)
            assert signals.noted
    finally:
        signal.signal(signal.SIGHUP, before)


def test_once_is_noted_twice_leaves(capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> None:
    left: list[int] = []
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, inherited))
    with Signals(leave=left.append) as signals:
        signals.noting, signals.last_words = True, "the line\n"
        os.kill(os.getpid(), signal.SIGINT)
        assert (signals.noted, left) == (True, [])
        os.kill(os.getpid(), signal.SIGTERM)
        assert left == [130]
    assert "the line\n" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
