"""NVIDIA Jetson: power mode, locked clocks, and tegrastats' line.

Formats: NVIDIA L4T Development Guide 32.7, "Power Management for Jetson Nano" and "Tegrastats Utility".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.boards.cores import CacheLevel, Core
from harness.boards.family import BoardFamily, BoardGroup, Disturbance, ProbeAnswers, Readings, System
from harness.boards.power import PowerSensor
from harness.boards.state import BoardState, whole
from harness.core.check import Check
from harness.core.safetext import clean, plain

_QUERY_POWER_MODE = ("nvpmodel", "-q")


@dataclass(frozen=True)
class PowerMode:
    """The answer of ``nvpmodel -q``: name (``MAXN``, ``5W``) and number (0, 1); None if no number is shown."""

    name: str
    number: int | None


@dataclass(frozen=True)
class CpuClock:
    """One core in ``jetson_clocks --show``; frequencies in kHz."""

    core: int
    online: bool
    governor: str
    minimum: int
    maximum: int
    current: int


@dataclass(frozen=True)
class Clocks:
    """The answer of ``jetson_clocks --show``. ``gpu`` is (minimum, maximum, current) in Hz, None if not shown."""

    cores: tuple[CpuClock, ...]
    gpu: tuple[int, int, int] | None
    power_mode: str | None

    @property
    def locked(self) -> bool:
        """Whether all online cores and the GPU have a fixed frequency, because ``jetson_clocks`` was run."""
        fixed = all(core.minimum == core.maximum for core in self.cores if core.online)
        return bool(self.cores) and fixed and (self.gpu is None or self.gpu[0] == self.gpu[1])


@dataclass(frozen=True)
class TegraStats:
    """One line of tegrastats.

    Attributes:
        ram_mb: used and total memory, in MB.
        cores: (load in percent, MHz) of each core; None for a core that is off.
        gpu_percent: load of the GPU in percent; None if not shown.
        temperatures: degrees Celsius by sensor.
        power_mw: (now, average) by rail, in milliwatts. ``POM_5V_IN`` is the whole board on a Nano.
    """

    ram_mb: tuple[int, int]
    cores: tuple[tuple[int, int] | None, ...]
    gpu_percent: int | None
    temperatures: dict[str, float] = field(default_factory=dict)
    power_mw: dict[str, tuple[int, int]] = field(default_factory=dict)


_CORE = re.compile(
    r"cpu(\d{1,3}): *Online=([01]) +Governor=(\w{1,30}) +MinFreq=(\d{1,12}) +MaxFreq=(\d{1,12}) +CurrentFreq=(\d{1,12})"
)
_GPU = re.compile(r"GPU MinFreq=(\d{1,12}) +MaxFreq=(\d{1,12}) +CurrentFreq=(\d{1,12})")


def parse_nvpmodel(text: str) -> PowerMode | None:
    """Parse the answer of ``nvpmodel -q``, with or without its warnings; None if it shows no power mode."""
    match = re.search(r"NV Power Mode: *(\S{1,40})(?:[ \t]*\r?\n(\d{1,3})[ \t]*\r?$)?", text, re.MULTILINE)
    if match is None:
        return None
    return PowerMode(match[1], int(match[2]) if match[2] else None)


def parse_jetson_clocks(text: str) -> Clocks | None:
    """Parse the answer of ``jetson_clocks --show``; None if it shows no core (not root, not a Jetson)."""
    cores = tuple(
        CpuClock(
            core=int(core),
            online=online == "1",
            governor=governor,
            minimum=int(low),
            maximum=int(high),
            current=int(now),
        )
        for core, online, governor, low, high, now in _CORE.findall(text)
    )
    if not cores:
        return None
    gpu = _GPU.search(text)
    mode = parse_nvpmodel(text)
    return Clocks(
        cores, (int(gpu[1]), int(gpu[2]), int(gpu[3])) if gpu else None, mode.name if mode is not None else None
    )  # fmt: skip


def parse_tegrastats(text: str) -> TegraStats | None:
    """Parse the first tegrastats line of JetPack 4 or 5 in ``text``; None if there is none.

    ``PMIC`` is no temperature here: boards show a constant there, 50 or 100 degrees under any load.
    """
    line = next((line for line in text.splitlines() if "RAM " in line and "CPU [" in line), "")
    ram = re.search(r"\bRAM (\d{1,7})/(\d{1,7})MB", line)
    cpu = re.search(r"\bCPU \[([^\]]{1,400})\]", line)
    if ram is None or cpu is None:
        return None
    cores: list[tuple[int, int] | None] = []
    for word in cpu[1].split(","):
        core = re.fullmatch(r"(\d{1,3})%@(\d{1,5})", word.strip())
        cores.append((int(core[1]), int(core[2])) if core else None)
    gpu = re.search(r"\bGR3D_FREQ (\d{1,3})%", line)
    temperatures = {
        name: float(value)
        for name, value in re.findall(r"\b([A-Za-z]\w{0,30})@(-?\d{1,3}(?:\.\d{1,3})?)C\b", line)
        if not name.upper().startswith("PMIC")
    }
    rails = re.findall(r"\b([A-Z][A-Z0-9_]{1,30}) (\d{1,7})(?:mW)?/(\d{1,7})(?:mW)?(?= |$)", line)
    return TegraStats(
        ram_mb=(int(ram[1]), int(ram[2])),
        cores=tuple(cores),
        gpu_percent=int(gpu[1]) if gpu else None,
        temperatures=temperatures,
        power_mw={name: (int(now), int(average)) for name, now, average in rails},
    )


def check_power_mode(text: str) -> list[Check]:
    """Warn of a power mode other than the fastest: it caps frequencies and may switch cores off."""
    mode = parse_nvpmodel(text)
    if mode is None:
        answer = f": it says {clean(text)!r}" if text else ""
        fix = "is it a Jetson with JetPack? allow `sudo -n nvpmodel -q`"
        return [Check("power-mode-unknown", "warning", f"nvpmodel shows no power mode{answer}", fix)]
    if not mode.name.startswith("MAXN"):
        text = f"power mode {mode.name}: frequencies are capped and cores may be off"
        fix = "sudo nvpmodel -m 0 (a Nano then needs a 5 V 4 A supply on its barrel jack, jumper J48 set)"
        return [Check("power-mode", "warning", text, fix)]
    return [Check("power-mode", "ok", f"power mode {mode.name}")]


def check_clocks(text: str) -> list[Check]:
    """Warn of unlocked clocks: latencies then depend on how fast the governor reacts."""
    clocks = parse_jetson_clocks(text)
    if clocks is None:
        fix = "allow `sudo -n jetson_clocks --show`"
        return [Check("clocks-unknown", "note", "jetson_clocks can't be asked without a password", fix)]
    off = [str(core.core) for core in clocks.cores if not core.online]
    checks = []
    if off:
        text = f"cores {', '.join(off)} are off"
        checks.append(Check("cores-off", "warning", text, "sudo nvpmodel -m 0"))
    if not clocks.locked:
        fix = "sudo jetson_clocks (lasts until the next boot)"
        checks.append(Check("clocks-unlocked", "warning", "clocks go up and down with the load", fix))
    return checks or [Check("clocks", "ok", "all cores on, clocks locked")]


_PROVIDERS = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}


def check_providers(text: str, delegates: Sequence[str]) -> list[Check]:
    """Check that the board's own ONNX Runtime has the execution providers of the GPU delegates.

    The board itself must have it, because no wheel on PyPI has them for a Jetson.

    Args:
        text: the probe's answer, e.g. ``1.11.0 TensorrtExecutionProvider CUDAExecutionProvider CPUExecutionProvider``.
        delegates: the delegates that devices.yaml names.
    """
    needed = [name for name in delegates if name in _PROVIDERS]
    if not needed:
        return []
    version, *offered = clean(text, 400).split() or [""]
    fix = "install NVIDIA's onnxruntime-gpu for this JetPack and Python (Jetson Zoo), or leave the delegate out"
    if not version:
        return [Check("gpu-runtime-missing", "error", "python3 there has no onnxruntime of its own", fix)]
    missing = [_PROVIDERS[name] for name in needed if _PROVIDERS[name] not in offered]
    if missing:
        text = f"onnxruntime {version} there has no {' and no '.join(missing)}"
        return [Check("gpu-runtime-missing", "error", text, fix)]
    return [Check("gpu-runtime", "ok", f"onnxruntime {version} with {', '.join(_PROVIDERS[name] for name in needed)}")]


def power_mode_changed(states: Sequence[BoardState]) -> list[Disturbance]:
    """Report a power mode that differs between before and after the cell."""
    before, after = (parse_nvpmodel(s.texts.get(" ".join(_QUERY_POWER_MODE), "")) for s in (states[0], states[-1]))
    if before is None or after is None or before == after:
        return []
    return [Disturbance(code="power-mode-changed", text=plain(f"power mode '{before.name}' became '{after.name}'"))]


def ina3221_rails(state: BoardState) -> dict[str, float]:
    """Watts by rail from JetPack 4's own driver: its files ``rail_name_0`` and ``in_power0_input`` (milliwatts)."""
    rails = {}
    for path, text in state.texts.items():
        match = re.match(r"(.*/)in_power(\d+)_input$", path)
        milliwatts = whole(text)
        if match and milliwatts is not None:
            rails[state.texts.get(f"{match[1]}rail_name_{match[2]}", path)] = milliwatts / 1e3
    return rails


#: Sizes and nominal clock: NVIDIA Jetson Nano module data sheet DA-09366, Tegra X1 technical reference manual.
#: Associativity: Arm's technical reference manual of the Cortex-A57 (DDI 0488).
_NANO_CORE = Core(
    name="Cortex-A57",
    model="cortex-a57",
    llvm=14,
    in_order=False,
    caches=(CacheLevel(32, 2), CacheLevel(2048, 16)),
    clock_hz=1_430_000_000,
)
_FAMILIES = (
    BoardFamily(
        name="jetson-nano",
        title="NVIDIA Jetson Nano",
        cpu="Cortex-A57",
        cpu_part="0xd07",
        qemu_cpu="cortex-a57",
        delegates=("tensorrt", "cuda", "cpu"),
        systems=(System("JetPack 4.6", python="3.6", glibc=(2, 27)),),
        core=_NANO_CORE,
    ),
)


def _checks(answers: ProbeAnswers) -> list[Check]:
    """Check power mode and clocks of a Jetson, and on any board the GPU that devices.yaml asks for."""
    checks = []
    if answers.family in _FAMILIES:
        checks += check_power_mode(answers.sections["nvpmodel"])
        checks += check_clocks(answers.sections["jetson_clocks"])
    return checks + check_providers(answers.sections["onnxruntime"], answers.delegates)


def _temperatures(sections: Mapping[str, str]) -> dict[str, float]:
    stats = parse_tegrastats(sections["tegrastats"])
    return stats.temperatures if stats else {}


GROUP = BoardGroup(
    families=_FAMILIES,
    readings=Readings(
        commands=(_QUERY_POWER_MODE,),
        sensor_folders=(("/sys/bus/i2c/drivers/ina3221x", ("", "iio:device")),),
        sensor_files=(r"in_power\d+_input", r"rail_name_\d+"),
    ),
    sections={
        "nvpmodel": "nvpmodel -q || sudo -n nvpmodel -q",
        "jetson_clocks": "sudo -n jetson_clocks --show",
        "tegrastats": "timeout 2 tegrastats --interval 100 | head -n 1",
        "onnxruntime": (
            # a GPU build may be installed for this user only
            '[ "$HARNESS_GPU" = none ] || PYTHONNOUSERSITE= timeout 10 python3 -c'
            " 'import onnxruntime as o;print(o.__version__,*o.get_available_providers())'"
        ),
    },
    checks=_checks,
    temperatures=_temperatures,
    disturbances=power_mode_changed,
    power_sensors=(PowerSensor("INA3221 by JetPack's driver", ina3221_rails),),
    # L4T Development Guide 32.7, "Power Monitor"; an Orin has VDD_IN
    whole_board_rails=("POM_5V_IN", "VDD_IN", "VIN_SYS_5V0"),
)
