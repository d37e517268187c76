"""What a board's state is understood as, and that what runners read has not changed."""

from __future__ import annotations

import re

import pytest

from harness.boards.registry import READINGS
from harness.boards.state import BoardState

#: As a runner on a Raspberry Pi 4 sends it, shortened.
PI4 = {
    "/proc/loadavg": "0.52 0.58 0.59 1/150 1234",
    "/proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\nfull avg10=0.00 total=0",
    "/proc/stat cpu": "cpu  1000 50 300 90000 20 0 5 40 0 0",
    "/sys/class/thermal/thermal_zone0/temp": "48686",
    "/sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "/sys/class/thermal/thermal_zone1/temp": "51000",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource": "arch_sys_counter",
    "/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "600000",
    "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "ondemand",
    "/sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "1500000",
    "/sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq": "1800000",
    "/sys/devices/system/cpu/cpufreq/policy4/scaling_governor": "performance",
    "boottime_ns": "7000000000",
    "monotonic_ns": "5000000000",
    "self continued": "0",
    "self cpu_ns": "1500000000",
    "wall_s": "1764100000.25",
}


def test_a_state_is_understood() -> None:
    state = BoardState.parse(PI4)
    assert (state.wall_s, state.monotonic_ns, state.boottime_ns) == (1764100000.25, 5_000_000_000, 7_000_000_000)
    assert (state.temperature_c, state.frequency_mhz, state.limit_mhz) == (51.0, 1800.0, 1500.0)
    assert (state.governor, state.load, state.clock_source) == ("ondemand", 0.52, "arch_sys_counter")
    assert state.memory_stall_us == 1000
    assert state.ticks == (1000, 50, 300, 90000, 20, 0, 5, 40)
    assert (state.runner.cpu_ns, state.runner.continued, state.runner.waited_ns) == (1_500_000_000, 0, None)
    assert state.texts == PI4


@pytest.mark.parametrize("raw", [None, [], "text", {}, {"wall_s": None}, {1: 2}, {"before": {"temperature_c": 40.0}}])
def test_what_is_no_state_says_nothing(raw: object) -> None:
    state = BoardState.parse(raw)
    assert (state.wall_s, state.temperature_c, state.governor, state.ticks) == (None, None, None, None)


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "-", "1e999", "9" * 5000, "\x1b[2J", "٣"])
def test_odd_texts_are_unknown(text: str) -> None:
    known = vars(BoardState.parse(dict.fromkeys(PI4, text)))
    strings = ("texts", "governors", "clock_source")
    unusual = {name: value for name, value in known.items() if name not in (*strings, "runner") and value is not None}
    assert not unusual
    assert set(vars(known["runner"]).values()) == {None}


def test_what_a_runner_reads_is_what_it_always_read() -> None:
    """Results of before and after must have the same evidence."""
    assert READINGS.files == (
        "/proc/loadavg", "/proc/uptime", "/proc/pressure/cpu", "/proc/pressure/memory",
        "/sys/devices/system/clocksource/clocksource0/current_clocksource", "/sys/devices/system/cpu/online",
    )  # fmt: skip
    assert READINGS.entries == (
        ("/sys/class/thermal", "thermal_zone", ("type", "temp")),
        ("/sys/devices/system/cpu/cpufreq", "policy", ("scaling_governor", "scaling_cur_freq", "scaling_max_freq")),
    )
    assert READINGS.commands == (("vcgencmd", "get_throttled"), ("vcgencmd", "pmic_read_adc"), ("nvpmodel", "-q"))
    assert READINGS.repeated == (("vcgencmd", "pmic_read_adc"),)
    assert READINGS.sensor_folders == (
        ("/sys/class/hwmon", ("",)),
        ("/sys/class/powercap", (r"intel-rapl:\d+$",)),
        ("/sys/bus/i2c/drivers/ina3221x", ("", "iio:device")),
    )


@pytest.mark.parametrize(
    ("names", "patterns", "before"),
    [
        (("name", "label", "power1_input", "power12_average", "power1_label", "energy3_input", "in_power0_input",
          "rail_name_2", "energy_uj", "names", "power1_max", "power_input", "in1_input", "max_energy_range_uj",
          "temp1_input"),
         READINGS.sensor_files,
         r"^(name|label|(power|energy)\d+_(input|average|label)|in_power\d+_input|rail_name_\d+|energy_uj)$"),
        (("in1_input", "curr2_label", "in1_max", "curr_input", "power1_input"),
         (READINGS.sensor_channels,), r"^(in|curr)(\d+)_(input|label)$"),
    ],
)  # fmt: skip
def test_sensors_are_the_same_files(names: tuple[str, ...], patterns: tuple[str, ...], before: str) -> None:
    for name in names:
        assert any(re.fullmatch(pattern, name) for pattern in patterns) == bool(re.match(before, name)), name
