"""What the harness knows about a kind of board: the records that each file of this room fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.boards.power import PowerSensor
from harness.boards.state import BoardState
from harness.core.check import Check


@dataclass(frozen=True)
class BoardFamily:
    """One kind of board a device in devices.yaml can be.

    Attributes:
        name: the value of ``board:``.
        title: for people.
        cpu: the core's marketing name, e.g. ``Cortex-A72``; None when it can be anything.
        cpu_part: the "CPU part" an ARM kernel shows in /proc/cpuinfo (Arm MIDR_EL1.PartNum), e.g. ``0xd08``.
        qemu_cpu: what ``qemu-system-aarch64 -cpu`` calls it; None when it can't be emulated here.
        memory_mib: memory of an emulated board, in MiB.
        delegates: what the real board may offer, best first; ``cpu`` is always there.
    """

    name: str
    title: str
    cpu: str | None
    cpu_part: str | None
    qemu_cpu: str | None
    memory_mib: int = 1024
    delegates: tuple[str, ...] = ("cpu",)


@dataclass(frozen=True)
class ProbeAnswers:
    """What a board answered to the doctor's probe.

    Attributes:
        family: what devices.yaml says the board is.
        sections: the answers by name of section, ``""`` where the board has none.
        delegates: what devices.yaml asks for.
    """

    family: BoardFamily
    sections: Mapping[str, str]
    delegates: Sequence[str] = ()


@dataclass(frozen=True)
class Disturbance:
    """Why a measurement does not count, by what the board itself said; ``code`` is listed in docs/measuring.md."""

    code: str
    text: str


@dataclass(frozen=True)
class Readings:
    """What tells the state of a board. A runner reads what is there, and sends it as it is.

    Attributes:
        files: small text files.
        entries: a folder, the beginning of its entries' names, and the files to read in each of these.
        commands: programs and their arguments, run before and after a cell. One that a board lacks costs it nothing.
        repeated: those of ``commands`` that are run after each pass, too, where they answered before.
        sensor_folders: a folder, and a pattern for each level of folders below it, whose matches hold sensors.
        sensor_files: patterns of the files to read there.
        sensor_channels: pattern of the files of a voltage and a current, whose second group is the channel's number;
            they are read where a channel has both. It is one for all boards; ``""`` where the group knows none.
    """

    files: tuple[str, ...] = ()
    entries: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    repeated: tuple[tuple[str, ...], ...] = ()
    sensor_folders: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sensor_files: tuple[str, ...] = ()
    sensor_channels: str = ""


def joined(parts: Sequence[Readings]) -> Readings:
    """Everything that the parts read, in their order."""
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
    """Families that tell about themselves in the same way. Everything but ``families`` may be left out.

    Attributes:
        families: the rows.
        readings: what to read there for a cell's evidence. It is asked of every board.
        sections: the doctor's questions: a section's name and the shell command that answers it; asked of every board.
        checks: the doctor's findings. It is called for every board that is real, and says nothing of what it doesn't
            know.
        temperatures: degrees Celsius by sensor, from the sections.
        disturbances: why a cell does not count, from its states in order of time, the first of before and the last of
            after it. It is called for every board.
        power_sensors: kinds of sensors that other boards don't have.
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
