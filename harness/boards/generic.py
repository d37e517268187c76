"""A generic Linux board: the files that every kernel has. It is the family of any board without its own."""

from __future__ import annotations

from collections.abc import Sequence

from harness.boards.family import BoardFamily, BoardGroup, Disturbance, Readings
from harness.boards.power import PowerSensor, hwmon_rails
from harness.boards.state import BoardState
from harness.core.safetext import plain


def governor_changed(states: Sequence[BoardState]) -> list[Disturbance]:
    """Report a frequency governor that differs from the first state's. The text names the first such core cluster."""
    for path, before in states[0].governors.items():
        changed = next((s.governors[path] for s in states if s.governors.get(path, before) != before), None)
        if changed is not None:
            text = plain(f"{path}: '{before}' became '{changed}'")[:500]
            return [Disturbance(code="governor-changed", text=text)]
    return []


GROUP = BoardGroup(
    families=(
        BoardFamily(
            name="generic",
            title="Generic Linux machine",
            cpu=None,
            cpu_part=None,
            qemu_cpu=None,
            delegates=("edgetpu", "tensorrt", "cuda", "cpu"),
        ),
    ),
    readings=Readings(
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
        sensor_folders=(
            ("/sys/class/hwmon", ("",)),
            # whole packages only: their subzones are part of them
            ("/sys/class/powercap", (r"intel-rapl:\d+$",)),
        ),
        sensor_files=("name", "label", r"(power|energy)\d+_(input|average|label)", "energy_uj"),
        sensor_channels=r"(in|curr)(\d+)_(input|label)",
    ),
    disturbances=governor_changed,
    power_sensors=(PowerSensor("hwmon power", hwmon_rails),),
)
