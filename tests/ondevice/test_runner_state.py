"""What the runner reads of a board: what the order names, raw, and nothing else of a board's kind."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from harness.ondevice.runner.state import Board
from harness.records.order import Sources
from harness.run.sources import SOURCES

#: What every state has, whatever is asked for.
ALWAYS = {"/proc/stat cpu", "wall_s", "monotonic_ns", "boottime_ns"}

FILES = {
    "/proc/loadavg": "0.5 0.4 0.3",
    "/sys/class/thermal/thermal_zone0/temp": "41000",
    "/sys/class/thermal/thermal_zone0/mode": "enabled",
    "/sys/class/thermal/cooling_device0/type": "fan",
    "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "ondemand",
    "/sys/class/hwmon/hwmon0/name": "rpi_volt",
    "/sys/class/hwmon/hwmon1/name": "ina219",
    "/sys/class/hwmon/hwmon1/in1_input": "5000",
    "/sys/class/hwmon/hwmon1/in2_input": "5000",
    "/sys/class/hwmon/hwmon1/curr1_input": "900",
    "/sys/class/hwmon/hwmon2/power1_average": "12000000",
    "/sys/class/hwmon/hwmon2/power1_crit": "1",
    "/sys/class/powercap/intel-rapl:0/energy_uj": "77",
    "/sys/class/powercap/intel-rapl:0:0/energy_uj": "7",
    "/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input": "1500",
    "/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_0": "POM_5V_IN",
    "/sys/bus/i2c/drivers/ina3221x/6-0040/power/energy_uj": "0",
}
LEFT_OUT = {
    "/sys/class/thermal/thermal_zone0/mode",
    "/sys/class/thermal/cooling_device0/type",
    "/sys/class/hwmon/hwmon0/name",
    "/sys/class/hwmon/hwmon1/in2_input",
    "/sys/class/hwmon/hwmon2/power1_crit",
    "/sys/class/powercap/intel-rapl:0:0/energy_uj",
    "/sys/bus/i2c/drivers/ina3221x/6-0040/power/energy_uj",
}


def board(root: Path, sources: Sources) -> Board:
    for path, text in FILES.items():
        file = Path(f"{root}{path}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n", encoding="utf-8")
    commands = root / "bin"
    commands.mkdir()
    (commands / "vcgencmd").write_text(f'#!/bin/sh\n[ "$1" = "$(cat {root}/answers)" ] && echo "$1=0x0"\n')
    (commands / "vcgencmd").chmod(0o755)
    return Board(str(root), json.loads(json.dumps(asdict(sources))))


def test_what_the_order_names_is_read_as_it_is(tmp_path: Path) -> None:
    state = board(tmp_path, SOURCES).state()
    assert {path: state[path] for path in FILES.keys() - LEFT_OUT} == {
        path: text for path, text in FILES.items() if path not in LEFT_OUT
    }
    assert not LEFT_OUT & state.keys()


def test_without_sources_the_process_itself_is_told(tmp_path: Path) -> None:
    keys = board(tmp_path, Sources()).full_state().keys()
    assert {key for key in keys if not key.startswith("self ")} == ALWAYS


def test_a_command_is_repeated_where_it_answered(tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("get_throttled")
    machine = board(tmp_path, SOURCES)
    assert machine.full_state()["vcgencmd get_throttled"] == "get_throttled=0x0"
    assert not [key for key in machine.state() if key.startswith("vcgencmd")]
    (tmp_path / "answers").write_text("pmic_read_adc")
    assert "vcgencmd get_throttled" not in machine.full_state()
    assert machine.state()["vcgencmd pmic_read_adc"] == "pmic_read_adc=0x0"
