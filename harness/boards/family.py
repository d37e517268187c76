"""The records that describe a kind of board. Each file of a board group fills them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.boards.cores import Core
from harness.boards.power import PowerSensor
from harness.boards.state import BoardState
from harness.core.check import Check


@dataclass(frozen=True)
class System:
    """A system that a board's maker gives out, by what selects the runtimes that fit it.

    Attributes:
        title: for people.
        python: the version of its Python, e.g. ``3.11``.
        machine: as ``uname -m`` says it.
        glibc: the version of its C library.
    """

    title: str
    python: str
    glibc: tuple[int, int]
    machine: str = "aarch64"


#: The systems that emulated boards boot, by Debian's name for the architecture of their programs.
EMULATED_SYSTEMS: dict[str, System] = {
    "arm64": System("Debian bookworm", python="3.11", glibc=(2, 36)),
    "armhf": System("Debian bookworm, 32 bits", python="3.11", glibc=(2, 36), machine="armv7l"),
}


@dataclass(frozen=True)
class BoardFamily:
    """One kind of board that a device in devices.yaml can be.

    Attributes:
        name: the value of ``board:``.
        title: the name for people.
        cpu: the core's marketing name, e.g. ``Cortex-A72``; None if the family has no fixed CPU.
        cpu_part: the "CPU part" that an ARM kernel shows in /proc/cpuinfo (Arm MIDR_EL1.PartNum), e.g. ``0xd08``.
        qemu_cpu: the CPU's name for ``qemu-system-aarch64 -cpu``; None if the board can't be emulated.
        memory_mib: memory of an emulated board, in MiB.
        delegates: delegates that the real board may offer, best first; ``cpu`` is always among them.
        systems: its maker's systems, the usual one first; empty if it has none of its own.
        core: what an estimate of cycles needs; None where cycles can't be estimated.
        emulated_os: keys of ``EMULATED_SYSTEMS`` that an emulated board can boot, the usual one first. A core that can
            run ``arm64`` has a 64-bit kernel under ``armhf`` too.
    """

    name: str
    title: str
    cpu: str | None
    cpu_part: str | None
    qemu_cpu: str | None
    memory_mib: int = 1024
    delegates: tuple[str, ...] = ("cpu",)
    systems: tuple[System, ...] = ()
    core: Core | None = None
    emulated_os: tuple[str, ...] = ("arm64",)

    def emulated_system(self, os: str | None = None) -> System:
        """The system that an emulated board boots; ``os`` is one of ``emulated_os``, None for the usual one."""
        return EMULATED_SYSTEMS[os or self.emulated_os[0]]


@dataclass(frozen=True)
class ProbeAnswers:
    """A board's answers to the doctor's probe.

    Attributes:
        family: the family that devices.yaml names.
        sections: the answers by name of section; ``""`` for no answer.
        delegates: the delegates that devices.yaml names.
    """

    family: BoardFamily
    sections: Mapping[str, str]
    delegates: Sequence[str] = ()


@dataclass(frozen=True)
class Disturbance:
    """A reason from the board itself why a measurement does not count. docs/measuring.md lists the codes."""

    code: str
    text: str


@dataclass(frozen=True)
class Readings:
    """The files and commands that give a board's state. The runner reads those that exist and sends them unparsed.

    Attributes:
        files: small text files.
        entries: a folder, the beginning of its entries' names, and the files to read in each of these.
        commands: programs and their arguments, run before and after a cell. A program that a board lacks is skipped.
        repeated: those of ``commands`` that also run after each pass if they answered before the cell.
        sensor_folders: a folder, and one pattern for each level of folders below it; the matches hold sensors.
        sensor_files: patterns of the files to read in sensor folders.
        sensor_channels: pattern of voltage and current files; its second group is the channel's number. A channel's
            files are read if it has both. All boards share one pattern; ``""`` in a group that adds none.
    """

    files: tuple[str, ...] = ()
    entries: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    repeated: tuple[tuple[str, ...], ...] = ()
    sensor_folders: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sensor_files: tuple[str, ...] = ()
    sensor_channels: str = ""


def joined(parts: Sequence[Readings]) -> Readings:
    """One record with all files and commands of the parts, in their order."""
    return Readings(
        files=tuple(file for part in parts for file in part.files),
        entries=tuple(entry for part in parts for entry in part.entries),
        commands=tuple(words for part in parts for words in part.commands),
        repeated=tuple(words for part in parts for words in part.repeated),
        sensor_folders=tuple(folder for part in parts for folder in part.sensor_folders),
        sensor_files=tuple(pattern for part in parts for pattern in part.sensor_files),
        sensor_channels=next((part.sensor_channels for part in parts if part.sensor_channels), ""),
    )


def _nothing_to_check(_: ProbeAnswers) -> list[Check]:
    return []


def _no_temperatures(_: Mapping[str, str]) -> dict[str, float]:
    return {}


def _undisturbed(_: Sequence[BoardState]) -> list[Disturbance]:
    return []


@dataclass(frozen=True)
class BoardGroup:
    """Families that report their state in the same way. Everything but ``families`` is optional.

    Attributes:
        families: the families of the group.
        readings: files and commands for a cell's evidence. The runner tries them on every board.
        sections: the doctor's questions: a section's name and the shell command that answers it. The doctor asks every
            board.
        checks: the doctor's checks of a real board. They are called for every family, so a group's checks return
            nothing for a board that they don't know.
        temperatures: degrees Celsius by sensor, from the sections.
        disturbances: reasons why a cell does not count. They are called for every board with the cell's states in
            order of time; the first is from before the cell, the last from after it.
        power_sensors: kinds of power sensors that the group adds.
        whole_board_rails: labels of the rails that feed the whole board.
    """

    families: tuple[BoardFamily, ...]
    readings: Readings = field(default_factory=Readings)
    sections: Mapping[str, str] = field(default_factory=dict)
    checks: Callable[[ProbeAnswers], list[Check]] = _nothing_to_check
    temperatures: Callable[[Mapping[str, str]], dict[str, float]] = _no_temperatures
    disturbances: Callable[[Sequence[BoardState]], list[Disturbance]] = _undisturbed
    power_sensors: tuple[PowerSensor, ...] = ()
    whole_board_rails: tuple[str, ...] = ()
