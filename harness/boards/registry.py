"""The groups of boards there are, one line each, and what all of them together are asked."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence

from harness.boards import generic
from harness.boards.family import BoardFamily, BoardGroup, Disturbance, ProbeAnswers, joined
from harness.boards.power import PowerSensor
from harness.boards.state import BoardState
from harness.core.check import Check
from harness.core.named import by_name

__all__ = ["FAMILIES", "GROUPS", "BoardFamily"]

#: Modules of this room, each with a ``GROUP``. Lists of families for people have this order.
_MODULES = (
    "raspberry_pi",
    "jetson",
    "coral",
    "generic",
)


def _group(module: str) -> BoardGroup:
    group = importlib.import_module(f"harness.boards.{module}").GROUP
    assert isinstance(group, BoardGroup), f"harness.boards.{module}.GROUP is a {type(group).__name__}"
    return group


GROUPS: tuple[BoardGroup, ...] = tuple(_group(module) for module in _MODULES)
FAMILIES: dict[str, BoardFamily] = by_name((family.name, family) for group in GROUPS for family in group.families)
#: The doctor's questions that depend on the board: section and shell command.
SECTIONS: dict[str, str] = by_name(item for group in GROUPS for item in group.sections.items())

#: What to read on any board. What every Linux has comes first.
READINGS = joined([group.readings for group in sorted(GROUPS, key=lambda group: group is not generic.GROUP)])

#: Kinds of power sensors, best first.
POWER_SENSORS: tuple[PowerSensor, ...] = tuple(
    sorted((sensor for group in GROUPS for sensor in group.power_sensors), key=lambda sensor: not sensor.whole_board)
)
_WHOLE_BOARD_RAILS = frozenset(rail for group in GROUPS for rail in group.whole_board_rails)


def checks(answers: ProbeAnswers) -> list[Check]:
    """What the doctor finds on a real board beyond what every Linux tells."""
    return [check for group in GROUPS for check in group.checks(answers)]


def temperatures(sections: Mapping[str, str]) -> dict[str, float]:
    """Degrees Celsius by sensor, from the doctor's sections."""
    return {sensor: degrees for group in GROUPS for sensor, degrees in group.temperatures(sections).items()}


def disturbances(states: Sequence[BoardState]) -> list[Disturbance]:
    """Why a cell does not count, by its states in order of time; there is at least one."""
    return [disturbance for group in GROUPS for disturbance in group.disturbances(states)]


def watts(sensor: PowerSensor, state: BoardState) -> float | None:
    """Power of the widest rail in one state: the whole board's where it is told, else the largest; None for none."""
    rails = sensor.rails(state)
    whole = [value for label, value in rails.items() if label in _WHOLE_BOARD_RAILS]
    return max(whole or rails.values(), default=None)
