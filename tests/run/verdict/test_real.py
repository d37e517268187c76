"""Every reason not to believe a measurement, brought about for real behind an SSH server, and named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.made.runs import NET
from benchmarks.made.sshd import LENIENT
from harness.config import devices as config
from harness.core.errors import ProvisionError
from harness.records.cell import Cell
from harness.run import attempt
from harness.run.golden.reference import Referee
from harness.run.plan import Options
from harness.run.scheduler import Faked, Run
from harness.runtimes import wheels
from harness.runtimes.releases import Releases
from tests.conftest import MODELS
from tests.support import board_fakes as fakes
from tests.support import model_outputs
from tests.support.loopback import Recorder
from tests.support.sshd_fixtures import Sshd

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _no_second_try(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Here what spoils a measurement doesn't pass."""
    monkeypatch.setattr(attempt, "PASSING", set())


def measured(
    sshd: Sshd, results: Path, *, limits: dict[str, float] | None = None, models: Path = MODELS, state_root: str = "",
    **device: object,
) -> Cell:  # fmt: skip
    """One cell, int8 on LiteRT or the runtime given, with only the limits given."""
    given = sshd.device(**({"runtimes": ["litert"], "thresholds": LENIENT | (limits or {})} | device))
    fleet = config.parse(yaml.safe_dump({"devices": [given]}))
    recorder = Recorder()
    options = Options(models=(NET,), variants=("int8",), quick=True)
    work = Run(fleet, options, models=models, results=results / "results", faked=Faked(state_root=state_root))
    work.execute(recorder)
    (cell,) = recorder.cells
    return cell


def codes(cell: Cell) -> list[str]:
    return [reason.code for reason in cell.reasons]


@contextmanager
def hogs(count: int) -> Iterator[None]:
    # each a session of its own: a kernel that schedules sessions as groups would give them one share together
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"], start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_nothing_wrong_with_commands_and_files_that_are_well(sshd: Sshd, tmp_path: Path) -> None:
    fakes.program(sshd, "vcgencmd", 'case "$1" in get_throttled) echo throttled=0x50000;; *) exit 1;; esac')
    fakes.program(sshd, "nvpmodel", "printf 'NV Power Mode: MAXN\\n0\\n'")
    cell = measured(sshd, tmp_path)
    assert (cell.status, codes(cell)) == ("VALID", [])
    assert cell.evidence["before"]["vcgencmd get_throttled"] == "throttled=0x50000"
    assert cell.evidence["after"]["nvpmodel -q"] == "NV Power Mode: MAXN\n0"
    assert cell.evidence["thresholds"]["predictions"] == 0.03
    assert sum(part.evidence["found"]["elapsed_s"] for part in cell.rounds) >= 1
    assert cell.evidence["warmup_ended"] in ("steady", "max-time")
    assert "manylinux" in cell.evidence["runtime_build"]
    assert cell.allocate_ns is not None
    assert cell.load_ns is not None
    assert 0 < cell.allocate_ns <= cell.load_ns


def test_energy_of_a_pi_5(sshd: Sshd, tmp_path: Path) -> None:
    answer = "printf 'VDD_CORE_A current(7)=2.0A\\nVDD_CORE_V volt(15)=0.8V\\n'"
    fakes.program(sshd, "vcgencmd", f'case "$1" in pmic_read_adc) {answer};; *) exit 1;; esac')
    cell = measured(sshd, tmp_path)
    assert cell.energy_j == pytest.approx(1.6 * sum(cell.latency_ns) / 1e9)
    assert cell.evidence["energy"]["method"].startswith("Pi 5 PMIC")


def test_throttled(sshd: Sshd, tmp_path: Path) -> None:
    fakes.program(sshd, "vcgencmd", 'case "$1" in get_throttled) echo throttled=0x50005;; *) exit 1;; esac')
    cell = measured(sshd, tmp_path)
    assert (cell.status, codes(cell)) == ("INVALID", ["throttled"])
    assert "under-voltage" in cell.reasons[0].text


def test_throttled_for_a_moment_in_between(sshd: Sshd, tmp_path: Path) -> None:
    said = tmp_path / "bits"
    said.write_text("throttled=0x0\n")
    fakes.program(sshd, "vcgencmd", f'case "$1" in get_throttled) cat {said};; *) exit 1;; esac')
    fakes.python(sshd, meanwhile=f"echo throttled=0x40000 >{said}")
    cell = measured(sshd, tmp_path)
    assert (cell.status, codes(cell)) == ("INVALID", ["throttled"])
    assert "during the cell" in cell.reasons[0].text


def test_governor_changed(sshd: Sshd, tmp_path: Path) -> None:
    policy = fakes.state_files(tmp_path / "state")
    fakes.python(sshd, meanwhile=f"echo powersave >{policy}/scaling_governor")
    cell = measured(sshd, tmp_path, state_root=str(tmp_path / "state"))
    assert set(codes(cell)) == {"governor-changed", "state-replaced"}
    assert cell.evidence["state_root"] == str(tmp_path / "state")


def test_power_mode_changed(sshd: Sshd, tmp_path: Path) -> None:
    said = tmp_path / "mode"
    said.write_text("NV Power Mode: MAXN\n0\n")
    fakes.program(sshd, "nvpmodel", f"cat {said}")
    fakes.python(sshd, meanwhile=f"printf 'NV Power Mode: 5W\\n1\\n' >{said}")
    assert codes(measured(sshd, tmp_path)) == ["power-mode-changed"]


def test_frequency_dropped(sshd: Sshd, tmp_path: Path) -> None:
    policy = fakes.state_files(tmp_path / "state")
    swing = f"echo 600000 >{policy}/f; mv {policy}/f {policy}/scaling_cur_freq; sleep 0.15"
    swing += f"; echo 1500000 >{policy}/f; mv {policy}/f {policy}/scaling_cur_freq; sleep 0.15"
    fakes.python(sshd, meanwhile=f"while kill -0 $$; do {swing}; done")
    cell = measured(sshd, tmp_path, limits={"frequency_drop": 0.15}, state_root=str(tmp_path / "state"))
    assert set(codes(cell)) == {"frequency-dropped", "state-replaced"}
    assert "from 1500 to 600 MHz" in next(r.text for r in cell.reasons if r.code == "frequency-dropped")


def test_background_load(sshd: Sshd, tmp_path: Path) -> None:
    with hogs(3 * (os.cpu_count() or 1)):
        cell = measured(sshd, tmp_path, limits={"waited": 0.25})
    assert codes(cell) == ["background-load"]
    assert "waited for a processor" in cell.reasons[0].text
    assert {busy["name"] for busy in cell.evidence["busiest"]} & {"sh"}


def test_unstable(sshd: Sshd, tmp_path: Path) -> None:
    """A runtime that gets slower all the time, as on a board that heats up."""
    slower = (
        "import time\nreal, count = Interpreter.invoke, [0]\n"
        "def invoke(self):\n    count[0] += 1\n    time.sleep(count[0] * 5e-6)\n    return real(self)\n"
        "Interpreter.invoke = invoke"
    )
    fakes.python(sshd, site=fakes.patched(slower))
    cell = measured(sshd, tmp_path, limits={"drift": 0.1})
    assert codes(cell) == ["unstable"]
    assert "the median moved by +" in cell.reasons[0].text
    assert cell.evidence["warmup_ended"] in ("max-time", "max-runs")


def test_clock_stepped(sshd: Sshd, tmp_path: Path) -> None:
    """The board's clock goes an hour ahead, as when NTP finds it wrong."""
    late = "import sys, time\nreal = time.time\ntime.time = lambda: real() + 3600 * ('ai_edge_litert' in sys.modules)"
    fakes.python(sshd, site=late)
    cell = measured(sshd, tmp_path)
    assert codes(cell) == ["clock-stepped"]
    assert "+3600" in cell.reasons[0].text


def test_wrong_cpu(sshd: Sshd, tmp_path: Path) -> None:
    part = {line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("CPU part")}
    board = "jetson-nano" if any("0xd08" in line for line in part) else "raspberry-pi-4"
    assert codes(measured(sshd, tmp_path, board=board)) == ["wrong-cpu"]


#: A runtime that computes something else than the one the artifact was judged with.
ROLLED = (
    "import numpy\nreal = Interpreter.get_tensor\n"
    "Interpreter.get_tensor = lambda self, index: numpy.roll(real(self, index), 1)"
)


def test_outputs_differ(sshd: Sshd, tmp_path: Path) -> None:
    fakes.python(sshd, site=fakes.patched(ROLLED))
    cell = measured(sshd, tmp_path, models=_confident(tmp_path))
    assert codes(cell) == ["outputs-differ"]
    assert "output 'Identity' (int8) differs" in cell.reasons[0].text


def test_predictions_differ(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this machine can't make golden outputs, the share of right answers has to do."""

    def none(*_given: object) -> None:
        raise ProvisionError("no runtime for this machine")

    monkeypatch.setattr(Referee, "golden", none)
    fakes.python(sshd, site=fakes.patched(ROLLED))
    cell = measured(sshd, tmp_path, models=_confident(tmp_path))
    assert codes(cell) == ["predictions-differ"]


def test_not_finite(sshd: Sshd, tmp_path: Path) -> None:
    """Weights that are NaN: each answer's highest place is the first class, which is right now and then."""
    pytest.importorskip("onnx")
    models = model_outputs.shipped_with(tmp_path, model_outputs.linear(weights=np.nan))
    cell = measured(sshd, tmp_path, models=models, runtimes=["onnxruntime"])
    assert (cell.status, codes(cell)) == ("INVALID", ["not-finite"])
    assert cell.reasons[0].text.startswith(f"{len(cell.latency_ns)} of {len(cell.latency_ns)} outputs held NaN")
    assert cell.evidence["not_finite"] == len(cell.latency_ns)


def test_an_output_of_whole_numbers_is_not_ranked(sshd: Sshd, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    models = model_outputs.shipped_with(tmp_path, model_outputs.linear(then="ArgMax"))
    cell = measured(sshd, tmp_path, models=models, runtimes=["onnxruntime"])
    assert (cell.status, codes(cell)) == ("FAILED", ["no-scores"])
    assert cell.reasons[0].text.startswith("output 'scores' is int64 [1, 1], which are no scores")
    assert cell.accuracy is None


def _confident(folder: Path) -> Path:
    """The models, with an accuracy in the manifest that leaves a bound to break whatever the stand-in's quality."""
    right = folder / "models"
    shutil.copytree(MODELS / NET, right / NET)
    path = right / NET / "manifest.json"
    manifest = json.loads(path.read_text())
    for artifact in manifest["artifacts"]:
        artifact["accuracy"] = max(artifact["accuracy"], 0.95)
    path.write_text(json.dumps(manifest))
    return right


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler for the delegate")
@pytest.mark.parametrize("allowed", [False, True])
def test_delegate_fallback(allowed: bool, sshd: Sshd, tmp_path: Path) -> None:
    """The delegate's library loads, and takes nothing: the CPU did all the work without a word."""
    fakes.python(sshd, libraries=fakes.idle_delegate(tmp_path / "lib"))
    cell = measured(sshd, tmp_path, delegates=["edgetpu"], allow_fallback=allowed)
    assert (cell.status, codes(cell)) == ("INVALID" if allowed else "FAILED", ["delegate-fallback"])
    assert cell.runtime.nodes_delegated in (0, None) or cell.runtime.delegate_applied != "edgetpu"


def test_another_release_than_the_one_asked_for(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another release lies on the board where the one asked for should."""
    monkeypatch.setattr(Releases, "bundle", lambda _, wanted, platform, *_rest: wheels.choose(wanted.name, platform))
    cell = measured(sshd, tmp_path, runtimes=["litert==2.2.0"])
    assert (cell.status, codes(cell)) == ("FAILED", ["other-release"])
    assert cell.reasons[0].text.startswith("asked for litert==2.2.0, the board ran 2.")


def test_a_passing_load_is_measured_again(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock steps once: the first measurement doesn't count, the second does, and the first's reason is kept."""
    monkeypatch.setattr(attempt, "PASSING", {"clock-stepped"})
    once = tmp_path / "stepped"
    site = (
        "import os, sys, time\nreal = time.time\n"
        f"first = not os.path.exists({str(once)!r})\n"
        f"open({str(once)!r}, 'a').close()\n"
        "time.time = lambda: real() + 3600 * (first and 'ai_edge_litert' in sys.modules)"
    )
    fakes.python(sshd, site=site)
    cell = measured(sshd, tmp_path)
    assert (cell.status, codes(cell)) == ("VALID", [])
    assert [r["code"] for r in cell.evidence["earlier"][0]["reasons"]] == ["clock-stepped"]


#: Stops the runner from within, and has it told to go on after a while.
STOP = (
    "import os, signal, subprocess\n"
    "def stop(seconds):\n"
    "    subprocess.Popen(['sh', '-c', 'sleep %g; kill -CONT %d' % (seconds, os.getpid())])\n"
    "    os.kill(os.getpid(), signal.SIGSTOP)\n"
    "invoke, get, seen = Interpreter.invoke, Interpreter.get_tensor, {'invoke': 0, 'get': 0}\n"
)
BETWEEN = (
    "def stopping(self, *words):\n    seen['get'] += 1\n    if seen['get'] == 30:\n        stop({0})\n"
    "    return get(self, *words)\nInterpreter.get_tensor = stopping"
)
INSIDE = (
    "def counting(self, *words):\n    seen['get'] += 1\n    return get(self, *words)\n"
    "def stopping(self):\n    if seen['get'] == 30:\n        seen['get'] += 1000\n        stop({0})\n"
    "    return invoke(self)\nInterpreter.get_tensor, Interpreter.invoke = counting, stopping"
)
WARM_UP = (
    "def stopping(self):\n    seen['invoke'] += 1\n    if seen['invoke'] == 10:\n        stop({0})\n"
    "    return invoke(self)\nInterpreter.invoke = stopping"
)


@pytest.mark.parametrize(("where", "seconds"), [(BETWEEN, 2), (INSIDE, 2), (WARM_UP, 2), (INSIDE, 0.3)])
def test_stopped(where: str, seconds: float, sshd: Sshd, tmp_path: Path) -> None:
    """As by Ctrl-Z, or a debugger that looks in: between two inferences, in one, before the series."""
    fakes.python(sshd, site=fakes.patched(STOP + where.format(seconds)))
    cell = measured(sshd, tmp_path)
    assert codes(cell) == ["stopped"]
    assert "told to go on, 1 times; the runner stood still for" in cell.reasons[0].text
    assert seconds - 0.1 <= cell.evidence["found"]["idle_s"] <= seconds + 1


def test_stopped_by_what_tells_nobody(sshd: Sshd, tmp_path: Path) -> None:
    """A container that is paused gets no signal: only its clocks show it. For the thread it is a long sleep."""
    fakes.python(
        sshd, site=fakes.patched("import time\n" + STOP + INSIDE.format(1).replace("stop(1)", "time.sleep(1)"))
    )
    cell = measured(sshd, tmp_path)
    assert codes(cell) == ["stopped"]
    assert cell.evidence["found"]["continued"] == 0


def test_a_machine_that_slept(sshd: Sshd, tmp_path: Path) -> None:
    """A laptop whose lid was closed for twenty seconds: one clock went on meanwhile."""
    slept = (
        "import sys, time\nreal = time.clock_gettime\n"
        "time.clock_gettime = lambda clock: real(clock) + 20 * (clock == 7 and 'ai_edge_litert' in sys.modules)"
    )
    fakes.python(sshd, site=slept)
    cell = measured(sshd, tmp_path)
    assert codes(cell) == ["stopped"]
    assert "slept for 20.0 s" in cell.reasons[0].text


WAITS = "    time.sleep(0.03)"
WORKS = "    until = time.perf_counter() + 0.15\n    while time.perf_counter() < until: pass"


@pytest.mark.parametrize("slow", [WAITS, WORKS])
def test_slow_is_not_stopped(slow: str, sshd: Sshd, tmp_path: Path) -> None:
    """Each inference waits for an accelerator, or really takes so long."""
    patch = f"import time\nreal = Interpreter.invoke\ndef invoke(self):\n{slow}\n    return real(self)\n"
    fakes.python(sshd, site=fakes.patched(f"{patch}Interpreter.invoke = invoke"))
    cell = measured(sshd, tmp_path)
    assert (cell.status, codes(cell)) == ("VALID", [])
