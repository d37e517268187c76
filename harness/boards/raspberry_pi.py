"""Raspberry Pi: the firmware's reports of voltage, clocks and temperature, and the power of a Pi 5."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.boards.cores import CacheLevel, Core
from harness.boards.family import BoardFamily, BoardGroup, Disturbance, ProbeAnswers, Readings, System
from harness.boards.power import PowerSensor
from harness.boards.state import BoardState
from harness.core.check import Check
from harness.core.safetext import clean

_GET_THROTTLED = ("vcgencmd", "get_throttled")
_READ_PMIC = ("vcgencmd", "pmic_read_adc")

_POWER = "use the official power supply (5.1 V 3 A for a Pi 4, 5 V 5 A for a Pi 5) and a short cable"
_COOL = "let it cool down and fit a heat sink or a fan"

#: Bits of ``vcgencmd get_throttled`` for the present state. The bits 16 places higher tell the same since boot. Source:
#: Raspberry Pi documentation, "vcgencmd", get_throttled; the same on a Pi 5 (raspberrypi/documentation#3257).
_BITS: dict[int, tuple[str, str, str]] = {
    0: ("under-voltage", "under-voltage", _POWER),
    1: ("frequency-capped", "the ARM frequency is capped", "see the other messages: voltage or heat caps it"),
    2: ("throttled", "the CPU is throttled", "see the other messages: voltage or heat throttles it"),
    3: ("soft-temperature-limit", "the soft temperature limit is active", _COOL),
}
_PAST = 16
_KNOWN = sum(1 << bit | 1 << (bit + _PAST) for bit in _BITS)


@dataclass(frozen=True)
class Throttled:
    """The parsed ``throttled=0x50005``. ``now`` and ``past`` (since boot) hold codes such as ``under-voltage``."""

    value: int
    now: tuple[str, ...]
    past: tuple[str, ...]

    @property
    def unknown_bits(self) -> int:
        """The bits that the firmware documentation does not name."""
        return self.value & ~_KNOWN


def parse_throttled(text: str) -> Throttled | None:
    """Parse the line of ``vcgencmd get_throttled``; None for another text (no vcgencmd, no permission)."""
    match = re.fullmatch(r"throttled=(0x[0-9a-fA-F]{1,8}|0)", text.strip())
    if match is None:
        return None
    value = int(match[1], 16)
    now = tuple(code for bit, (code, _, _) in _BITS.items() if value >> bit & 1)
    past = tuple(code for bit, (code, _, _) in _BITS.items() if value >> (bit + _PAST) & 1)
    return Throttled(value, now, past)


def parse_measure_temp(text: str) -> float | None:
    """Parse ``temp=62.3'C`` into degrees Celsius; None for another text."""
    match = re.fullmatch(r"temp=(-?\d{1,3}(?:\.\d+)?)'C", text.strip())
    return float(match[1]) if match else None


def parse_measure_clock(text: str) -> int | None:
    """Parse ``frequency(45)=1400000000`` into Hz; None for another text."""
    match = re.fullmatch(r"frequency\(\d{1,3}\)=(\d{1,12})", text.strip())
    return int(match[1]) if match else None


def check_throttled(text: str) -> list[Check]:
    """Check the throttling bits. A present one is an error, because it distorts latencies; a past one is a warning."""
    if not text:
        return [
            Check(
                "throttled-unknown", "warning", "vcgencmd gives no answer: voltage and throttling can't be seen",
                "install libraspberrypi-bin or raspi-utils, and add the user to the group 'video'",
            )
        ]  # fmt: skip
    throttled = parse_throttled(text)
    if throttled is None:
        shown = clean(text)
        return [
            Check(
                "throttled-unknown", "warning", f"vcgencmd get_throttled says {shown!r}",
                "add the user to the group 'video' and log in again",
            )
        ]  # fmt: skip
    by_code = {code: (title, fix) for code, title, fix in _BITS.values()}
    checks = [Check(code, "error", f"right now: {by_code[code][0]}", by_code[code][1]) for code in throttled.now]
    checks += [
        Check(
            f"{code}-before", "warning", f"since boot: {by_code[code][0]}",
            f"{by_code[code][1]}; reboot to clear it",
        )
        for code in throttled.past
        if code not in throttled.now
    ]  # fmt: skip
    if throttled.unknown_bits:
        text = f"get_throttled has bits that are not documented: {throttled.unknown_bits:#x}"
        checks.append(Check("throttled-bits", "note", text, "update the harness or look at the firmware's notes"))
    return checks or [Check("throttled", "ok", "no under-voltage and no throttling since boot")]


def throttle_word(state: BoardState) -> str:
    """The firmware's raw answer about throttling; empty if the board has no such firmware."""
    return state.texts.get(" ".join(_GET_THROTTLED), "")


def throttled(states: Sequence[BoardState]) -> list[Disturbance]:
    """Report throttling before, after or during the cell."""
    texts = [throttle_word(state) for state in (states[0], states[-1])]
    before, after = (parse_throttled(text) for text in texts)
    for text, bits in zip(texts, (before, after), strict=True):
        if bits and bits.now:
            return [Disturbance(code="throttled", text=f"right now: {', '.join(bits.now)} ('{text}')")]
    fresh = [code for code in after.past if code not in before.past] if before and after else []
    return [Disturbance(code="throttled", text=f"during the cell: {', '.join(fresh)} ('{texts[1]}')")] if fresh else []


def pmic_rails(state: BoardState) -> dict[str, float]:
    """Watts of a Pi 5, by ``vcgencmd pmic_read_adc``: ``VDD_CORE_A current(7)=1.2A``, ``VDD_CORE_V volt(15)=0.8V``.

    Returns:
        One sum over all rails that have both values. It excludes conversion losses and the USB ports.
    """
    text = state.texts.get(" ".join(_READ_PMIC), "")
    values = {
        (name, unit): float(value)
        for name, unit, value in re.findall(
            r"^\s*(\w{1,30})_([AV]) \w+\(\d+\)=(\d{1,4}\.\d{1,12})[AV]$", text, re.MULTILINE
        )
    }
    rails = [name for name, unit in values if unit == "A" and (name, "V") in values]
    return {"all": sum(values[(name, "A")] * values[(name, "V")] for name in rails)} if rails else {}


_SYSTEMS = (
    System("Raspberry Pi OS bookworm", python="3.11", glibc=(2, 36)),
    System("Raspberry Pi OS trixie", python="3.13", glibc=(2, 41)),
)
#: Sizes and nominal clocks: Raspberry Pi documentation, "Processors" (BCM2837B0, BCM2711, BCM2712). Associativity:
#: Arm's technical reference manuals of Cortex-A53 (DDI 0500), A72 (100095), A76 (100798), and of the DynamIQ shared
#: unit (100453) for the third level of a Pi 5.
_PI_3_CORE = Core(
    name="Cortex-A53",
    model="cortex-a55",  # LLVM's model of its successor, which is of the same width
    llvm=14,
    in_order=True,
    caches=(CacheLevel(32, 4), CacheLevel(512, 16)),
    clock_hz=1_400_000_000,
)
_PI_4_CORE = Core(
    name="Cortex-A72",
    model="cortex-a72",
    llvm=14,
    in_order=False,
    caches=(CacheLevel(32, 2), CacheLevel(1024, 16)),
    clock_hz=1_500_000_000,
)
_PI_5_CORE = Core(
    name="Cortex-A76",
    model="neoverse-n1",  # its server form; LLVM's ``cortex-a76`` is the model of a Cortex-A57 and twice too slow
    llvm=16,
    in_order=False,
    caches=(CacheLevel(64, 4), CacheLevel(512, 8), CacheLevel(2048, 16)),
    clock_hz=2_400_000_000,
)
_SYSTEMS_32 = (
    System("Raspberry Pi OS bookworm, 32 bits", python="3.11", glibc=(2, 36), machine="armv7l"),
    System("Raspberry Pi OS trixie, 32 bits", python="3.13", glibc=(2, 41), machine="armv7l"),
)
#: Raspberry Pi OS exists in both widths for these.
_BOTH = ("arm64", "armhf")
_FAMILIES = (
    BoardFamily(
        name="raspberry-pi-2",
        title="Raspberry Pi 2",
        cpu="Cortex-A7",
        cpu_part="0xc07",
        qemu_cpu="cortex-a7",
        systems=_SYSTEMS_32,
        emulated_os=("armhf",),
    ),
    BoardFamily(
        name="raspberry-pi-3",
        title="Raspberry Pi 3",
        cpu="Cortex-A53",
        cpu_part="0xd03",
        qemu_cpu="cortex-a53",
        systems=_SYSTEMS,
        core=_PI_3_CORE,
        emulated_os=_BOTH,
    ),
    BoardFamily(
        name="raspberry-pi-4",
        title="Raspberry Pi 4",
        cpu="Cortex-A72",
        cpu_part="0xd08",
        qemu_cpu="cortex-a72",
        systems=_SYSTEMS,
        core=_PI_4_CORE,
        emulated_os=_BOTH,
    ),
    BoardFamily(
        name="raspberry-pi-5",
        title="Raspberry Pi 5",
        cpu="Cortex-A76",
        cpu_part="0xd0b",
        qemu_cpu="cortex-a76",
        systems=_SYSTEMS,
        core=_PI_5_CORE,
        emulated_os=_BOTH,
    ),
)


def _checks(answers: ProbeAnswers) -> list[Check]:
    return check_throttled(answers.sections["throttled"]) if answers.family in _FAMILIES else []


GROUP = BoardGroup(
    families=_FAMILIES,
    readings=Readings(commands=(_GET_THROTTLED, _READ_PMIC), repeated=(_READ_PMIC,)),
    sections={"throttled": " ".join(_GET_THROTTLED)},
    checks=_checks,
    disturbances=throttled,
    power_sensors=(PowerSensor("Pi 5 PMIC, all rails", pmic_rails, whole_board=False),),
)
