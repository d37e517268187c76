"""Power and energy from sensors, on any board.

A counter gives the energy used so far, in microjoules. A power sensor gives the present watts of each rail. Rails are
never added up here, because one rail may feed another.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from harness.boards.state import BoardState, whole

_COUNTER = re.compile(r"/(energy_uj|energy\d+_input)$")
_CHANNEL = re.compile(r"(.*/)(power|curr)(\d+)_(input|average)$")


@dataclass(frozen=True)
class PowerSensor:
    """A kind of power sensor.

    Attributes:
        method: the sensor's name in a cell's evidence.
        rails: watts by rail in one state; empty if the board has no such sensor.
        whole_board: False if the rails miss part of the board, so that other sensors are preferred.
    """

    method: str
    rails: Callable[[BoardState], dict[str, float]]
    whole_board: bool = True


def counters_uj(state: BoardState) -> dict[str, int | None]:
    """Energy counters (RAPL, hwmon) in microjoules by path, sorted by path; None for an unreadable one."""
    return {path: whole(text) for path, text in sorted(state.texts.items()) if _COUNTER.search(path)}


def hwmon_rails(state: BoardState) -> dict[str, float]:
    """Watts by rail from hwmon: ``power1_input`` (uW), or ``in1_input`` (mV) times ``curr1_input`` (mA)."""
    rails: dict[str, float] = {}
    for path, text in state.texts.items():
        value = whole(text)
        if value is None or (match := _CHANNEL.match(path)) is None:
            continue
        folder, kind, channel, _ = match.groups()
        if kind == "power":
            rails[state.texts.get(f"{folder}power{channel}_label", path)] = value / 1e6
        elif (volts := whole(state.texts.get(f"{folder}in{channel}_input", ""))) is not None:
            rails[state.texts.get(f"{folder}in{channel}_label", path)] = value * volts / 1e6
    return rails
