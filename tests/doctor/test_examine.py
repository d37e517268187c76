"""The probe runs in plain shells; whatever a board answers, it is judged and never raises."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.boards import coral as edgetpu
from harness.boards import jetson
from harness.boards import raspberry_pi as pi
from harness.boards.registry import FAMILIES
from harness.core.check import Limits
from harness.doctor import linux
from harness.doctor.examine import Answered, Listed, examine, render_board
from harness.doctor.probe import MARK, MAX_ANSWER_BYTES, PROBE, sections
from tests.support.checks import codes

#: A healthy Raspberry Pi 4 as the probe would show it (put together by hand; recorded parts are in the other file).
HEALTHY = {
    "model": "Raspberry Pi 4 Model B Rev 1.4",
    "cpu": "      4 CPU part\t: 0xd08",
    "python": "3.11.2 64 aarch64 -",
    "libc": "glibc 2.36",
    "cpufreq": "\n".join(f"cpu{n} performance 1500000 600000 1500000 1500000" for n in range(4)),
    "thermal": "cpu-thermal 48686",
    "throttled": "throttled=0x0",
    "disk": "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/root 30000000 5000000 24000000 18% /",
    "memory": "MemTotal: 3884264 kB\nMemAvailable: 3400000 kB",
    "load": "0.05 0.08 0.03 1/150 1234",
    "clock": "1000.250000000",
}
PI4 = FAMILIES["raspberry-pi-4"]


def answer(**changed: str) -> str:
    """The healthy answer with some sections changed."""
    told = HEALTHY | changed
    return "".join(f"{MARK}{name}\n{text}\n" for name, text in told.items()) + f"{MARK}end\n"


def worst(text: str, board: str = "raspberry-pi-4", *, emulated: bool = False) -> dict[str, str]:
    """Severity by code of everything that is not fine."""
    checks = examine(Answered(text, 1000.0, 1000.5), Listed(FAMILIES[board], emulated=emulated))
    return {check.code: check.severity for check in checks if check.severity != "ok"}


def test_a_healthy_board_has_nothing_to_say() -> None:
    checks = examine(Answered(answer(), 1000.0, 1000.5), Listed(PI4))
    assert {check.severity for check in checks} == {"ok"}
    assert render_board("pi4", checks) == f"pi4: {len(checks)} of {len(checks)} checks fine"
    assert "Cortex-A72 as Raspberry Pi 4 has" in render_board("pi4", checks, verbose=True)


@pytest.mark.parametrize(
    ("section", "text", "code", "severity"),
    [
        ("python", "", "python-missing", "error"),
        ("python", "Traceback: broken", "python-missing", "error"),
        ("python", "3.5.3 64 aarch64 -", "python-old", "error"),
        ("python", "3.7.3 64 aarch64 -", "python-older", "note"),
        ("python", "3.11.2 32 armv7l numpy", "python-32-bit", "note"),
        ("libc", "musl libc (aarch64)", "glibc-missing", "error"),
        ("python", "3.11.2 32 aarch64 -", "numpy-missing", "error"),
        ("python", "3.99.0 64 aarch64 -", "runtime-missing", "error"),
        ("libc", "glibc 2.24", "runtime-missing", "error"),
        ("libc", "ldd (Debian GLIBC 2.19-18+deb8u10) 2.19", "runtime-missing", "error"),
        ("cpu", "      4 CPU part\t: 0xd0b", "board-differs", "warning"),
        ("cpufreq", "", "governor-unknown", "note"),
        ("cpufreq", "cpu0 powersave 600000 600000 600000 1500000", "frequency-limit", "warning"),
        ("thermal", "", "temperature-unknown", "note"),
        ("throttled", "", "throttled-unknown", "warning"),
        ("throttled", "VCHI initialization failed", "throttled-unknown", "warning"),
        ("throttled", "throttled=0x100", "throttled-bits", "note"),
        ("throttled", "throttled=0x8", "soft-temperature-limit", "error"),
        ("disk", "", "disk-unknown", "warning"),
        ("disk", "/dev/root 30000000 29990000 10000 100% /", "disk-full", "error"),
        ("memory", "MemTotal: 948304 kB\nMemAvailable: 90000 kB", "memory-low", "warning"),
        ("memory", "MemTotal: 948304 kB", "memory-unknown", "note"),
        ("load", "3.90 2.00 1.00 5/300 99", "busy", "warning"),
        ("load", "", "load-unknown", "note"),
        ("clock", "", "clock-unknown", "warning"),
        ("clock", "900.5", "clock-offset", "warning"),
        ("clock", "1010.%N", "clock-offset", "warning"),
    ],
)
def test_each_problem_is_named_with_its_fix(section: str, text: str, code: str, severity: str) -> None:
    assert worst(answer(**{section: text}))[code] == severity


def test_other_boards_are_asked_other_things() -> None:
    assert worst(answer(cpu="", throttled="")) == {"throttled-unknown": "warning"}
    assert worst(answer(cpu="", throttled=""), emulated=True) == {}
    nano = worst(answer(cpu="4 CPU part\t: 0xd07", nvpmodel="NV Power Mode: 5W\n1"), "jetson-nano")
    assert nano == {"power-mode": "warning", "clocks-unknown": "note"}
    assert worst(answer(cpu=""), "coral-dev") == {"edgetpu-missing": "error"}
    assert worst(answer(cpu="", throttled=""), "generic") == {}


def test_what_devices_yaml_asks_for_is_checked() -> None:
    asked = {"sent": 1000.0, "received": 1000.5}
    checks = examine(Answered(answer(), **asked), Listed(PI4, runtimes=["litert", "tflite"], delegates=["edgetpu"]))
    assert [check.code for check in checks if check.severity == "error"] == ["edgetpu-missing"]
    old = answer(python="3.6.9 64 aarch64 -")
    (missing,) = (c for c in examine(Answered(old, **asked), Listed(PI4, runtimes=["litert"])) if c.severity == "error")
    assert missing.code == "runtime-missing"
    assert "no litert is published for Python 3.6" in missing.text
    assert "onnxruntime" in missing.fix


def test_clock_is_judged_within_what_can_be_known() -> None:
    inside = linux.check_clock("1003.0", 1000.0, 1004.0, Limits(clock_s=1.0))
    assert inside[0].severity == "ok"
    ahead = linux.check_clock("1100.0", 1000.0, 1001.0)
    assert "99.5 s ahead of" in ahead[0].text


def test_glibc_of_mendel_and_jetpack_is_enough_for_their_python() -> None:
    jetpack = linux.check_python("3.6.9 64 aarch64 numpy", "ldd (Ubuntu GLIBC 2.27-3ubuntu1.6) 2.27")
    assert [(check.severity, check.code) for check in jetpack] == [("ok", "runtime"), ("note", "python-older")]
    assert "onnxruntime" in jetpack[0].text
    mendel = linux.check_python("3.7.3 64 aarch64 -", "glibc 2.28")
    assert "tflite" in mendel[0].text


def test_a_pmic_zone_is_no_temperature() -> None:
    assert linux.parse_thermal("PMIC-Die 100000\nCPU-therm 41500\nbroken x\nodd 999999") == {"CPU-therm": 41.5}


def test_an_answer_cut_short_is_an_error_and_the_rest_is_still_judged() -> None:
    text = answer()
    assert worst(text.rpartition(MARK)[0]) == {"answer-incomplete": "error"}
    assert worst("")["answer-incomplete"] == "error"
    assert worst("x" * (MAX_ANSWER_BYTES * 3))["answer-incomplete"] == "error"


def test_hostile_words_cannot_reach_the_terminal() -> None:
    bad = "\x1b[31mred\x07\u202e" + "x" * 5000
    text = answer(
        throttled=bad, python=bad, libc=bad, model=bad, cpu="4 CPU part\t: 0xd0b", cpufreq=f"{bad} {bad} 1 1 1 2"
    )
    shown = render_board(bad, examine(Answered(text, 0.0, 1.0), Listed(PI4)), verbose=True)
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert max(map(len, shown.splitlines())) < 1000


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_the_probe_runs_in_plain_shells(shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    command = [program, "sh", "-c", PROBE] if shell == "busybox" else [program, "-c", PROBE]
    sent = time.time()
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = sections(done.stdout)
    assert told["end"] == "end"
    assert linux.parse_df(told["disk"])
    assert linux.parse_meminfo(told["memory"])
    assert linux.parse_python(told["python"])
    found = {check.code for check in examine(Answered(done.stdout, sent, time.time()), Listed(FAMILIES["generic"]))}
    assert "clock" in found
    assert not found & {"answer-incomplete", "disk-unknown", "clock-unknown", "python-missing", "load-unknown"}


@given(st.text(max_size=300), st.sampled_from(sorted(FAMILIES)))
def test_any_answer_is_judged(text: str, board: str) -> None:
    assert render_board("x", examine(Answered(text, 0.0, 1.0), Listed(FAMILIES[board])))


@given(st.sampled_from(sorted(HEALTHY)), st.text(max_size=120))
def test_any_section_is_judged(section: str, text: str) -> None:
    assert examine(Answered(answer(**{section: text}), 0.0, 1.0), Listed(PI4))


@given(st.text(alphabet="RAMCPU []%@,/0123456789MBoffx_\n:=GTEdgTPU", max_size=200))
def test_parsers_give_a_record_or_none(text: str) -> None:
    for parse in (
        jetson.parse_tegrastats, jetson.parse_jetson_clocks, jetson.parse_nvpmodel, edgetpu.parse_compiler_log,
        pi.parse_throttled, pi.parse_measure_temp, pi.parse_measure_clock,
    ):  # fmt: skip
        parse(text)
    jetson.parse_tegrastats(f"RAM 1/2MB CPU [{text}] {text}")


@given(st.integers(0, 0xFFFFFFFF))
def test_every_throttle_value_is_read_back(value: int) -> None:
    throttled = pi.parse_throttled(f"throttled={value:#x}")
    assert throttled is not None
    assert throttled.value == value
    assert len(throttled.now) + len(throttled.past) == (value & 0xF000F).bit_count()
    assert throttled.unknown_bits == value & ~0xF000F


@pytest.mark.parametrize(
    ("text", "delegates", "found"),
    [
        # put together by hand, from the names in ONNX Runtime's manual: no recorded answer of a Jetson was found
        ("1.11.0 TensorrtExecutionProvider CUDAExecutionProvider CPUExecutionProvider", ["tensorrt", "cuda", "cpu"],
         [("ok", "gpu-runtime")]),
        # the providers as in github.com/nazdridoy/kokoro-tts/issues/59: a build for the CPU alone
        ("1.31.1 AzureExecutionProvider CPUExecutionProvider", ["cuda"], [("error", "gpu-runtime-missing")]),
        ("", ["tensorrt"], [("error", "gpu-runtime-missing")]),
        ("", ["cpu"], []),
    ],
)  # fmt: skip
def test_gpu_runtime(text: str, delegates: list[str], found: list[tuple[str, str]]) -> None:
    assert codes(jetson.check_providers(text, delegates)) == found


def test_compiler_on_the_controller() -> None:
    assert codes(edgetpu.check_compiler(True)) == [("ok", "edgetpu-compiler")]
    assert codes(edgetpu.check_compiler(False)) == [("error", "edgetpu-compiler-missing")]
