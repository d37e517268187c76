"""What tells the state of a board, of whatever kind: the runner reads what is there."""

from __future__ import annotations

from harness.records.order import Sources

#: Only Linux and its firmware are asked; commands that a board lacks cost it nothing.
SOURCES = Sources(
    files=(
        "/proc/loadavg",
        "/proc/uptime",
        "/proc/pressure/cpu",
        "/proc/pressure/memory",
        "/sys/devices/system/clocksource/clocksource0/current_clocksource",
        "/sys/devices/system/cpu/online",
    ),
    entries=(
        ("/sys/class/thermal", "thermal_zone", ("type", "temp")),
        ("/sys/devices/system/cpu/cpufreq", "policy", ("scaling_governor", "scaling_cur_freq", "scaling_max_freq")),
    ),
    # Raspberry Pi's firmware (throttle bits, a Pi 5's power), and a Jetson's power mode
    commands=(("vcgencmd", "get_throttled"), ("vcgencmd", "pmic_read_adc"), ("nvpmodel", "-q")),
    repeated=(("vcgencmd", "pmic_read_adc"),),
    # hwmon, and on JetPack 4 the INA3221's own driver, tell power; RAPL counts energy. Of its zones only the packages
    # are read, since what is below them is part of them.
    sensor_folders=(
        ("/sys/class/hwmon", ("",)),
        ("/sys/class/powercap", (r"intel-rapl:\d+$",)),
        ("/sys/bus/i2c/drivers/ina3221x", ("", "iio:device")),
    ),
    sensor_files=(
        "name",
        "label",
        r"(power|energy)\d+_(input|average|label)",
        "energy_uj",
        r"in_power\d+_input",
        r"rail_name_\d+",
    ),
    sensor_channels=r"(in|curr)(\d+)_(input|label)",
)
