"""The state of any Linux board: governor and frequencies, temperature, disk, memory, load, clock, Python and libc."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.check import DEFAULTS, Check, Limits
from harness.core.errors import ProvisionError
from harness.core.safetext import clean
from harness.runtimes.registry import RUNTIMES
from harness.runtimes.wheels import available, choose, platform_of

PYTHON_OLDEST = (3, 6)
PYTHON_NEW = (3, 9)


@dataclass(frozen=True)
class CpuFreq:
    """One core's cpufreq files; frequencies in kHz. ``hardware`` is the highest possible frequency."""

    core: str
    governor: str
    current: int
    minimum: int
    maximum: int
    hardware: int


@dataclass(frozen=True)
class PythonInfo:
    """The board's python3: version, 32 or 64 bits, its machine (``aarch64``), and whether numpy is installed."""

    version: tuple[int, int, int]
    bits: int
    machine: str
    numpy: bool


def parse_cpufreq(text: str) -> tuple[CpuFreq, ...]:
    """Parse lines of ``cpu0 ondemand 600000 600000 1500000 1500000``; others are skipped."""
    cores = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 6 and all(word.isascii() and word.isdigit() and len(word) < 10 for word in words[2:]):
            current, minimum, maximum, hardware = (int(word) for word in words[2:])
            cores.append(
                CpuFreq(
                    core=words[0], governor=words[1], current=current, minimum=minimum, maximum=maximum,
                    hardware=hardware,
                )
            )  # fmt: skip
    return tuple(cores)


def parse_thermal(text: str) -> dict[str, float]:
    """Parse lines of ``cpu-thermal 48686`` (the kernel's millidegrees) as degrees Celsius by zone.

    Left out: ``PMIC`` zones, which show a constant on a Jetson Nano, and values that no sensor can mean.
    """
    zones: dict[str, float] = {}
    for zone, value in re.findall(r"^(\S{1,60}) (-?\d{1,7})\s*$", text, re.MULTILINE):
        degrees = int(value) / 1000
        if not zone.upper().startswith("PMIC") and -40 <= degrees <= 150:
            zones[zone] = max(degrees, zones.get(zone, degrees))
    return zones


def parse_df(text: str) -> int | None:
    """Free bytes from the output of ``df -Pk`` (POSIX form, one file system); None where it is missing."""
    match = re.search(r"^\S.* +\d{1,15} +\d{1,15} +(\d{1,15}) +\d{1,3}% +/", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def parse_meminfo(text: str) -> tuple[int, int] | None:
    """Total and available bytes from the lines of /proc/meminfo; None where one is missing (kernels before 3.14)."""
    kib = dict(re.findall(r"^(Mem(?:Total|Available)): +(\d{1,15}) kB", text, re.MULTILINE))
    if len(kib) < 2:
        return None
    return int(kib["MemTotal"]) * 1024, int(kib["MemAvailable"]) * 1024


def parse_python(text: str) -> PythonInfo | None:
    """Parse the probe's ``3.11.2 64 aarch64 numpy`` (or ``-`` for no numpy); None where python3 is missing or fails."""
    match = re.search(r"^(\d{1,2})\.(\d{1,3})\.(\d{1,3}) (32|64) (\S{1,40}) (numpy|-)\s*$", text, re.MULTILINE)
    if match is None:
        return None
    version = (int(match[1]), int(match[2]), int(match[3]))
    return PythonInfo(version, int(match[4]), match[5], match[6] == "numpy")


def parse_libc(text: str) -> tuple[int, int] | None:
    """glibc's version from ``glibc 2.36`` or ``ldd (Debian GLIBC 2.36-9) 2.36``; None for musl and others."""
    match = re.search(r"^glibc (\d)\.(\d{1,2})\b", text, re.MULTILINE)
    match = match or re.search(r"^ldd \(.*\) (\d)\.(\d{1,2})$", text, re.MULTILINE)
    return (int(match[1]), int(match[2])) if match else None


def check_cpufreq(text: str) -> list[Check]:
    """Warn of a governor other than ``performance``, and of a limit below the hardware's maximum."""
    cores = parse_cpufreq(text)
    if not cores:
        return [Check("governor-unknown", "note", "no cpufreq: the clock can't be seen (as on an emulated board)")]
    checks = []
    governors = sorted({core.governor for core in cores})
    if governors != ["performance"]:
        fix = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        text = f"governor {', '.join(map(clean, governors))}: the clock follows the load"
        checks.append(Check("governor", "warning", text, fix))
    capped = [core for core in cores if core.maximum < core.hardware]
    if capped:
        first = capped[0]
        text = f"{first.core} may run at {first.maximum // 1000} MHz at most; it can do {first.hardware // 1000}"
        fix = "look for a limit: power mode, scaling_max_freq, arm_freq in config.txt"
        checks.append(Check("frequency-limit", "warning", clean(text), fix))
    return checks or [Check("governor", "ok", f"governor performance, up to {cores[0].maximum // 1000} MHz")]


def check_temperature(zones: dict[str, float], limits: Limits = DEFAULTS) -> list[Check]:
    """Check the hottest sensor of an idle board."""
    if not zones:
        return [Check("temperature-unknown", "note", "no temperature sensor to be seen")]
    zone, degrees = max(zones.items(), key=lambda item: item[1])
    text = f"{degrees:.1f} °C ({clean(zone, 40)})"
    fix = "let it cool down, fit a heat sink or a fan, stop what else is running"
    if degrees >= limits.hot_c:
        return [Check("hot", "error", f"{text}: it will slow down", fix)]
    if degrees >= limits.warm_c:
        return [Check("warm", "warning", f"{text} before the run has begun", fix)]
    return [Check("temperature", "ok", text)]


def check_disk(text: str, limits: Limits = DEFAULTS) -> list[Check]:
    """Check that the home folder has enough room for runtime, models and images."""
    free = parse_df(text)
    if free is None:
        return [
            Check("disk-unknown", "warning", "df gives no free space for the home folder", "is there a home folder?")
        ]
    mib = free >> 20
    if mib < limits.disk_mib:
        return [Check("disk-full", "error", f"{mib} MiB free; a run needs {limits.disk_mib}", "free some space")]
    return [Check("disk", "ok", f"{mib} MiB free")]


def check_memory(text: str, limits: Limits = DEFAULTS) -> list[Check]:
    """Check that there is enough memory for the largest network."""
    memory = parse_meminfo(text)
    if memory is None:
        return [Check("memory-unknown", "note", "/proc/meminfo does not tell the available memory")]
    mib = memory[1] >> 20
    if mib < limits.memory_mib:
        fix = "stop other programs (a desktop, a browser)"
        return [Check("memory-low", "warning", f"{mib} of {memory[0] >> 20} MiB available", fix)]
    return [Check("memory", "ok", f"{mib} of {memory[0] >> 20} MiB available")]


def check_load(text: str, cores: int, limits: Limits = DEFAULTS) -> list[Check]:
    """Check for other work there, which disturbs every timing. ``cores``: those that share the load, at least 1."""
    match = re.match(r"(\d{1,6}\.\d\d) (\d{1,6}\.\d\d) ", text)
    if match is None:
        return [Check("load-unknown", "note", "/proc/loadavg can't be read")]
    load = float(match[1])
    if load > limits.load_per_core * max(1, cores):
        fix = "stop what else is running (`top` shows it), or wait after booting"
        return [Check("busy", "warning", f"load average {load:.2f} on {max(1, cores)} cores", fix)]
    return [Check("load", "ok", f"load average {load:.2f}")]


def check_clock(text: str, sent: float, received: float, limits: Limits = DEFAULTS) -> list[Check]:
    """Check the board's clock against the controller's.

    Args:
        text: the board's ``date +%s.%N``, in seconds since 1970 (BusyBox gives whole seconds only).
        sent, received: the controller's clock when the probe was sent and when its answer arrived, in seconds. The
            board's clock was read in between, so the offset is known to half of the difference.
    """
    match = re.match(r"(\d{1,12})(?:\.(\d{1,9})\b)?", text)
    if match is None:
        return [Check("clock-unknown", "warning", "the board does not tell its time", "is `date` there?")]
    offset = float(f"{match[1]}.{match[2] or 5}") - (sent + received) / 2
    unsure = (received - sent) / 2 + (0.0 if match[2] else 0.5)
    text = f"{abs(offset):.1f} s {'ahead of' if offset > 0 else 'behind'} this machine's"
    if abs(offset) > limits.clock_s + unsure:
        fix = "sudo timedatectl set-ntp true; a Pi without a clock battery needs the network for it"
        return [Check("clock-offset", "warning", f"the clock is {text}", fix)]
    return [Check("clock", "ok", f"clock within {limits.clock_s + unsure:.1f} s")]


def check_python(python: str, libc: str, runtimes: Sequence[str] = ()) -> list[Check]:
    """Check that the runtime table has wheels for the board's Python and C library: any, and each of ``runtimes``."""
    info = parse_python(python)
    if info is None:
        answer = f": {clean(python, 80)!r}" if python else ""
        return [Check("python-missing", "error", f"no usable python3{answer}", "sudo apt install python3")]
    version = ".".join(map(str, info.version))
    if info.version < PYTHON_OLDEST:
        fix = "install Python 3.6 or newer as python3"
        return [Check("python-old", "error", f"Python {version}; the runner needs 3.6", fix)]
    checks = _check_runtimes(info, version, libc, runtimes)
    if info.bits == 32:
        text = f"Python {version} is a 32-bit program on {clean(info.machine)}"
        checks.append(Check("python-32-bit", "note", text, "a 64-bit system has more runtimes and is faster"))
    if info.version < PYTHON_NEW:
        text = f"Python {version}: only older runtimes have wheels for it"
        checks.append(Check("python-older", "note", text, "a newer system image, where there is one for this board"))
    return checks


def _check_runtimes(info: PythonInfo, version: str, libc: str, runtimes: Sequence[str]) -> list[Check]:
    glibc = parse_libc(libc)
    if glibc is None:
        text = f"no glibc ({clean(libc, 80) or 'nothing said'}): runtimes' wheels need it, musl has none"
        return [Check("glibc-missing", "error", text, "use a Debian or Ubuntu image")]
    system = f"Python {version}, {info.bits} bits, glibc {glibc[0]}.{glibc[1]}"
    words = version, info.machine, info.bits, f"glibc {glibc[0]}.{glibc[1]}"
    platform = platform_of(*words, "there" if info.numpy else None)
    fits, with_numpy = available(platform), available(platform_of(*words, "there"))
    missing = []
    for name in runtimes:
        try:
            choose(name, platform)
        except ProvisionError as error:
            fix = error.fix or "choose another under `runtimes:` in devices.yaml"
            missing.append(Check("runtime-missing", "error", clean(error.message), fix))
    if missing:
        return missing
    if runtimes or any(RUNTIMES[name].converter is None for name in fits):
        return [Check("runtime", "ok", f"{system}: {', '.join(fits)}")]
    if fits:  # networks are converted only for a runtime that was asked for
        text = f"{system}: only {' and '.join(fits)} fit, which are used only where they are named"
        fix = "name one under `runtimes:` in devices.yaml, or use a newer system image"
        return [Check("runtime-missing", "error", text, fix)]
    if with_numpy:
        text = f"{system}: {', '.join(with_numpy)} needs the board's own numpy"
        return [Check("numpy-missing", "error", text, "sudo apt install python3-numpy")]
    fix = "use a newer system image, or a Python that docs/boards names for this board"
    return [Check("runtime-missing", "error", f"{system} on {clean(info.machine)}: no runtime has a wheel", fix)]
