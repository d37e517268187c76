"""The registered board groups, one line each, and the questions that go to all of them."""

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

#: Modules of this folder, each with a ``GROUP``. Messages list the families in this order.
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
#: The doctor's questions of all groups: section and shell command.
SECTIONS: dict[str, str] = by_name(item for group in GROUPS for item in group.sections.items())

#: Files and commands to read on every board. The generic ones come first.
READINGS = joined([group.readings for group in sorted(GROUPS, key=lambda group: group is not generic.GROUP)])

#: Kinds of power sensors, best first.
POWER_SENSORS: tuple[PowerSensor, ...] = tuple(
    sorted((sensor for group in GROUPS for sensor in group.power_sensors), key=lambda sensor: not sensor.whole_board)
)
_WHOLE_BOARD_RAILS = frozenset(rail for group in GROUPS for rail in group.whole_board_rails)


def checks(answers: ProbeAnswers) -> list[Check]:
    """The doctor's board-specific checks of a real board."""
    return [check for group in GROUPS for check in group.checks(answers)]


def temperatures(sections: Mapping[str, str]) -> dict[str, float]:
    """Degrees Celsius by sensor, from the doctor's sections."""
    return {sensor: degrees for group in GROUPS for sensor, degrees in group.temperatures(sections).items()}


def disturbances(states: Sequence[BoardState]) -> list[Disturbance]:
    """The reasons why a cell does not count, from its states in order of time (at least one)."""
    return [disturbance for group in GROUPS for disturbance in group.disturbances(states)]


def watts(sensor: PowerSensor, state: BoardState) -> float | None:
    """Watts of one state: of the rail that feeds the whole board, else of the largest rail; None without rails."""
    rails = sensor.rails(state)
    whole = [value for label, value in rails.items() if label in _WHOLE_BOARD_RAILS]
    return max(whole or rails.values(), default=None)
