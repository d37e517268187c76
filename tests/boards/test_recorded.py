"""What real boards and tools printed, as recorded in public documents (source named at each), read and judged."""

# ruff: noqa: E501, W291 - lines are kept as they were recorded

from __future__ import annotations

import pytest

from harness.boards import coral as edgetpu
from harness.boards import jetson
from harness.boards import raspberry_pi as pi
from harness.doctor import linux
from tests.support.checks import codes
from tests.support.compiler_logs import LOG_MAPPED, LOG_REFUSED


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # github.com/raspberrypi/firmware/issues/615: a Pi 3 with a weak supply, now and a moment later
        ("throttled=0x50005", [("error", "under-voltage"), ("error", "throttled")]),
        ("throttled=0x50000", [("warning", "under-voltage-before"), ("warning", "throttled-before")]),
        # github.com/imrahil/OctoPrint-NavbarTemp/issues/75: a Pi whose frequency is capped by heat
        ("throttled=0x20002", [("error", "frequency-capped")]),
        # github.com/duckietown/Software/issues/358: a healthy Pi 3B+
        ("throttled=0x0\n", [("ok", "throttled")]),
    ],
)
def test_pi_throttled(text: str, found: list[tuple[str, str]]) -> None:
    assert codes(pi.check_throttled(text)) == found


def test_pi_temperature_and_clock() -> None:
    # github.com/duckietown/Software/issues/358
    assert pi.parse_measure_temp("temp=62.3'C \n") == 62.3
    assert pi.parse_measure_clock("frequency(45)=1400000000 ") == 1_400_000_000
    # github.com/raspberrypi/Raspberry-Pi-OS-64bit/issues/135: a Pi 4 that has just slowed down
    assert pi.parse_measure_temp("temp=80.8'C") == 80.8
    assert pi.parse_measure_clock("frequency(48)=1000212864") == 1_000_212_864
    assert codes(linux.check_temperature({"cpu-thermal": 80.8})) == [("error", "hot")]


def test_pi_thermal_zone_and_governor() -> None:
    # github.com/raspberrypi/Raspberry-Pi-OS-64bit/issues/135: type cpu-thermal, temp 74010
    zones = linux.parse_thermal("cpu-thermal 74010")
    assert zones == {"cpu-thermal": 74.01}
    assert codes(linux.check_temperature(zones)) == [("warning", "warm")]
    # github.com/raspberrypi/linux/issues/1918: a Pi 3: ondemand, 1200000 kHz, 42932 millidegrees
    assert codes(linux.check_temperature(linux.parse_thermal("cpu-thermal 42932"))) == [("ok", "temperature")]
    found = linux.check_cpufreq("cpu0 ondemand 1200000 600000 1200000 1200000")
    assert codes(found) == [("warning", "governor")]


# github.com/dusty-nv/jetson-inference/issues/1206: a Jetson Nano while it works
NANO_BUSY = (
    "RAM 1504/3956MB (lfb 331x4MB) IRAM 0/252kB(lfb 252kB) CPU [44%@1479,22%@1479,26%@1479,14%@1479] EMC_FREQ 7%@1600"
    " GR3D_FREQ 86%@921 NVDEC 716 VIC_FREQ 0%@140 APE 25 PLL@39C CPU@44C PMIC@100C GPU@42.5C AO@47.5C thermal@42.5C"
    " POM_5V_IN 4531/3285 POM_5V_GPU 1113/213 POM_5V_CPU 539/722"
)
# github.com/rbonghi/jetson_stats/issues/187: JetPack 4.6 on a TX2 with two cores off
TX2_IDLE = (
    "RAM 1689/3825MB (lfb 339x4MB) SWAP 0/1913MB (cached 0MB) CPU [3%@345,off,off,0%@345,1%@345,1%@345] EMC_FREQ 0%"
    " GR3D_FREQ 0% PLL@50.5C MCPU@50.5C PMIC@50C GPU@50C BCPU@50.5C thermal@50.3C"
)


def test_tegrastats() -> None:
    stats = jetson.parse_tegrastats(NANO_BUSY)
    assert stats is not None
    assert stats.ram_mb == (1504, 3956)
    assert stats.cores == ((44, 1479), (22, 1479), (26, 1479), (14, 1479))
    assert stats.gpu_percent == 86
    assert stats.temperatures == {"PLL": 39, "CPU": 44, "GPU": 42.5, "AO": 47.5, "thermal": 42.5}
    assert stats.power_mw == {"POM_5V_IN": (4531, 3285), "POM_5V_GPU": (1113, 213), "POM_5V_CPU": (539, 722)}
    other = jetson.parse_tegrastats(TX2_IDLE)
    assert other is not None
    assert other.cores[:3] == ((3, 345), None, None)
    assert other.power_mw == {}
    assert max(other.temperatures.values()) == 50.5


# github.com/jfey/SmallThings, jetson-nano.md: a Nano as it boots
CLOCKS_DEFAULT = """\
SOC family:tegra210  Machine:jetson-nano
Online CPUs: 0-3
CPU Cluster Switching: Disabled
cpu0: Online=1 Governor=schedutil MinFreq=102000 MaxFreq=1428000 CurrentFreq=1428000 IdleStates: WFI=1 c7=1
cpu1: Online=1 Governor=schedutil MinFreq=102000 MaxFreq=1428000 CurrentFreq=1428000 IdleStates: WFI=1 c7=1
cpu2: Online=1 Governor=schedutil MinFreq=102000 MaxFreq=1428000 CurrentFreq=1428000 IdleStates: WFI=1 c7=1
cpu3: Online=1 Governor=schedutil MinFreq=102000 MaxFreq=1428000 CurrentFreq=1428000 IdleStates: WFI=1 c7=1
GPU MinFreq=76800000 MaxFreq=921600000 CurrentFreq=153600000
EMC MinFreq=204000000 MaxFreq=1600000000 CurrentFreq=1600000000 FreqOverride=0
Fan: speed=0
NV Power Mode: MAXN
"""
# From the comment of a public Python script (an index of public code shows its text, not its repository): a Nano in
# its 5 W mode, before and after jetson_clocks
CLOCKS_5W = """\
SOC family:tegra210  Machine:NVIDIA Jetson Nano Developer Kit
Online CPUs: 0-1
CPU Cluster Switching: Disabled
cpu0: Online=1 Governor=schedutil MinFreq=921600 MaxFreq=921600 CurrentFreq=921600 IdleStates: WFI=1 c7=1 
cpu1: Online=1 Governor=schedutil MinFreq=921600 MaxFreq=921600 CurrentFreq=921600 IdleStates: WFI=1 c7=1 
cpu2: Online=0 Governor=schedutil MinFreq=921600 MaxFreq=921600 CurrentFreq=921600 IdleStates: WFI=1 c7=1 
cpu3: Online=0 Governor=schedutil MinFreq=921600 MaxFreq=921600 CurrentFreq=921600 IdleStates: WFI=1 c7=1 
GPU MinFreq=76800000 MaxFreq=614400000 CurrentFreq=460800000
EMC MinFreq=204000000 MaxFreq=1600000000 CurrentFreq=1600000000 FreqOverride=0
Fan: speed=0
NV Power Mode: 5W
"""
CLOCKS_5W_LOCKED = CLOCKS_5W.replace(
    "GPU MinFreq=76800000 MaxFreq=614400000 CurrentFreq=460800000",
    "GPU MinFreq=614400000 MaxFreq=614400000 CurrentFreq=614400000",
)


def test_jetson_clocks() -> None:
    default = jetson.parse_jetson_clocks(CLOCKS_DEFAULT)
    assert default is not None
    assert default.cores[3] == jetson.CpuClock(3, True, "schedutil", 102_000, 1_428_000, 1_428_000)
    assert default.gpu == (76_800_000, 921_600_000, 153_600_000)
    assert default.power_mode == "MAXN"
    assert codes(jetson.check_clocks(CLOCKS_DEFAULT)) == [("warning", "clocks-unlocked")]
    assert codes(jetson.check_clocks(CLOCKS_5W)) == [("warning", "cores-off"), ("warning", "clocks-unlocked")]
    assert codes(jetson.check_clocks(CLOCKS_5W_LOCKED)) == [("warning", "cores-off")]
    whole = CLOCKS_5W_LOCKED.replace("Online=0", "Online=1")
    assert codes(jetson.check_clocks(whole)) == [("ok", "clocks")]


@pytest.mark.parametrize(
    ("text", "mode", "found"),
    [
        # Both from a public transcript of a Nano's `sudo nvpmodel -q` (repository not shown by the index)
        ("NV Power Mode: 5W\n1\n", ("5W", 1), ("warning", "power-mode")),
        ("NVPM WARN: fan mode is not set!\nNV Power Mode: MAXN\n0\n", ("MAXN", 0), ("ok", "power-mode")),
    ],
)
def test_nvpmodel(text: str, mode: tuple[str, int], found: tuple[str, str]) -> None:
    parsed = jetson.parse_nvpmodel(text)
    assert parsed == jetson.PowerMode(*mode)
    assert codes(jetson.check_power_mode(text)) == [found]


# github.com/google-coral/edgetpu/issues/342
LOG_MOSTLY_CPU = """\
Number of operations that will run on Edge TPU: 2
Number of operations that will run on CPU: 153

Operator                       Count      Status


TRANSPOSE                      70         Operation not supported
FULLY_CONNECTED                1          More than one subgraph is not supported
PAD                            1          Mapped to Edge TPU
PAD                            17         More than one subgraph is not supported
ADD                            10         More than one subgraph is not supported
MEAN                           2          More than one subgraph is not supported
CONV_2D                        35         More than one subgraph is not supported
QUANTIZE                       1          Mapped to Edge TPU
QUANTIZE                       1          Operation is otherwise supported, but not mapped due to some unspecified limitation
DEPTHWISE_CONV_2D              17         More than one subgraph is not supported
"""
# github.com/google-coral/edgetpu/issues/219
LOG_NONE = """\
Number of operations that will run on Edge TPU: 0
Number of operations that will run on CPU: 2

Operator                       Count      Status

MUL                            1          Operation is otherwise supported, but not mapped due to some unspecified limitation
SPLIT                          1          Operation is otherwise supported, but not mapped due to some unspecified limitation
"""
# github.com/PINTO0309/openvino2tensorflow/issues/28, without its table
LOG_STREAMED = """\
Edge TPU Compiler version 15.0.340273435

Model compiled successfully in 3388 ms.

Input model: resnet18/model_full_integer_quant.tflite
Input size: 13.35MiB
Output model: resnet18/model_full_integer_quant_edgetpu.tflite
Output size: 13.79MiB
On-chip memory used for caching model parameters: 6.15MiB
On-chip memory remaining for caching model parameters: 5.75KiB
Off-chip memory used for streaming uncached model parameters: 7.03MiB
Number of Edge TPU subgraphs: 1
Total number of operations: 84
Operation log: resnet18/model_full_integer_quant_edgetpu.log

Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of the model will \
instead run on the CPU, which is slower. If possible, consider updating your model to use only operations supported \
by the Edge TPU. For details, visit g.co/coral/model-reqs.
Number of operations that will run on Edge TPU: 78
Number of operations that will run on CPU: 6
"""
# github.com/WongKinYiu/yolov7/pull/1672, as LOG_MAPPED: the first rows of its table
ROWS_MAPPED = """
Operator                       Count      Status

ADD                            3          Mapped to Edge TPU
RESHAPE                        6          Mapped to Edge TPU
"""


def test_compiler_log_with_operators_left_on_the_cpu() -> None:
    log = edgetpu.parse_compiler_log(LOG_MOSTLY_CPU)
    assert log is not None
    assert (log.on_tpu, log.on_cpu, log.compiled, log.complete) == (2, 153, True, True)
    assert len(log.operators) == 10
    assert log.operators[0] == edgetpu.Operator("TRANSPOSE", 70, "Operation not supported")
    (check,) = edgetpu.check_compiler_log(LOG_MOSTLY_CPU)
    assert (check.severity, check.code) == ("warning", "edgetpu-partly-mapped")
    assert "153 of 155 operators stay on the CPU" in check.text
    assert "70 TRANSPOSE: Operation not supported" in check.text
    assert codes(edgetpu.check_compiler_log(LOG_NONE))[0] == ("error", "edgetpu-none-mapped")


def test_compiler_summary_without_its_table() -> None:
    log = edgetpu.parse_compiler_log(LOG_STREAMED)
    assert log is not None
    assert log.version == "15.0.340273435"
    assert (log.subgraphs, log.total, log.on_tpu, log.on_cpu) == (1, 84, 78, 6)
    assert log.on_chip_bytes == round(6.15 * 2**20)
    assert log.off_chip_bytes == round(7.03 * 2**20)
    assert codes(edgetpu.check_compiler_log(LOG_STREAMED)) == [
        ("warning", "edgetpu-partly-mapped"), ("warning", "edgetpu-streamed"),
    ]  # fmt: skip


def test_compiler_log_of_a_network_that_is_all_mapped() -> None:
    log = edgetpu.parse_compiler_log(LOG_MAPPED)
    assert log is not None
    assert (log.on_tpu, log.on_cpu, log.complete) == (246, 0, True)
    assert codes(edgetpu.check_compiler_log(LOG_MAPPED)) == [("warning", "edgetpu-streamed")]
    whole = LOG_MAPPED.replace("41.75KiB", "0.00B")
    assert codes(edgetpu.check_compiler_log(whole)) == [("ok", "edgetpu-mapped")]
    assert codes(edgetpu.check_compiler_log(whole + ROWS_MAPPED)) == [("warning", "edgetpu-log-incomplete")]


def test_compiler_that_gave_up() -> None:
    log = edgetpu.parse_compiler_log(LOG_REFUSED)
    assert log is not None
    assert not log.compiled
    assert codes(edgetpu.check_compiler_log(LOG_REFUSED)) == [("error", "edgetpu-not-compiled")]
    assert codes(edgetpu.check_compiler_log("")) == [("error", "edgetpu-not-compiled")]
    assert edgetpu.parse_compiler_log("sh: 1: edgetpu_compiler: not found") is None


@pytest.mark.parametrize(
    ("usb", "found", "library"),
    [
        # ids: github.com/blakeblackshear/frigate/issues/7459 (not yet used, and ready)
        ("1a6e:089a 5000", [("ok", "edgetpu")], True),
        ("1d6b:0003 5000\n18d1:9302 5000", [("ok", "edgetpu")], True),
        ("18d1:9302 480", [("warning", "edgetpu-usb2")], True),
        ("18d1:9302 5000", [("error", "edgetpu-library")], False),
        ("1d6b:0003 5000", [("error", "edgetpu-missing")], True),
    ],
)
def test_usb_accelerator(usb: str, found: list[tuple[str, str]], library: bool) -> None:
    paths = "ls: cannot access '/dev/apex_*': No such file or directory"
    paths += "\n\tlibedgetpu.so.1 (libc6,AArch64) => /lib/aarch64-linux-gnu/libedgetpu.so.1" if library else ""
    assert codes(edgetpu.check_device(usb, paths)) == found


def test_dev_board_on_pcie() -> None:
    assert codes(edgetpu.check_device("", "/dev/apex_0\n/usr/lib/aarch64-linux-gnu/libedgetpu.so.1")) == [
        ("ok", "edgetpu")
    ]
