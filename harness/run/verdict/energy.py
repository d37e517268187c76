"""Energy of the timed inferences, from whatever sensor a board has; None without one.

Sensors are read between passes, never during an invocation. A counter (RAPL, a hwmon energy input) is exact over the
passes, the reads between them included. A power sensor is sampled once after each pass: its chip averages over the last
milliseconds, so the reading is of the load that just ended, and the mean of all, times the timed nanoseconds, is an
estimate. Where a board has several sensors the widest is taken: the whole board before one rail, and never their sum,
since one rail feeds the other.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.records.answer import RunnerResult

State = Mapping[str, str]
#: INA3221 rails and hwmon labels that are the whole board (L4T guide 32.7, "Power Monitor"; Orin: VDD_IN).
_WHOLE = ("POM_5V_IN", "VDD_IN", "VIN_SYS_5V0")

#: A reading above this is of a broken sensor.
MOST_W = 1e5


@dataclass(frozen=True)
class Energy:
    """``joules`` over all timed inferences; ``watts`` the mean power; ``method`` says which sensor, read how."""

    joules: float
    watts: float
    samples: int
    method: str


def energy(answer: RunnerResult) -> Energy | None:
    """What the timed inferences took, by the best sensor there is."""
    states = [state for state in answer.evidence.during if state]
    seconds = sum(answer.latency_ns) / 1e9
    counted = _counted(answer.evidence.start, answer.evidence.end, seconds)
    if counted:
        return counted
    for method, read in _POWER:
        watts = [value for state in states if (value := read(state)) is not None]
        if watts and 0 < max(watts) <= MOST_W:
            mean = statistics.fmean(watts)
            return Energy(mean * seconds, mean, len(watts), f"{method}, mean of one reading after each pass")
    return None


def _counted(start: State, end: State, seconds: float) -> Energy | None:
    """Counters in microjoules; one that has wrapped (it went down) is no use."""
    micro, names = 0, []
    for path, text in sorted(end.items()):
        if re.search(r"/(energy_uj|energy\d+_input)$", path):
            before, after = _integer(start.get(path, "")), _integer(text)
            if before is None or after is None or after < before:
                return None
            micro += after - before
            names.append(path)
    elapsed = (_integer(end.get("monotonic_ns", "")) or 0) - (_integer(start.get("monotonic_ns", "")) or 0)
    if not micro or elapsed <= 0:
        return None
    watts = micro / 1e6 / (elapsed / 1e9)
    if watts > MOST_W:
        return None
    return Energy(watts * seconds, watts, 2, f"counter {', '.join(names[:4])} over the passes, by their timed share")


def _pmic(state: State) -> float | None:
    """``vcgencmd pmic_read_adc`` of a Pi 5: lines ``VDD_CORE_A current(7)=1.2A`` and ``VDD_CORE_V volt(15)=0.8V``.

    The sum over all rails that have both; the board's losses and its USB ports are not in it.
    """
    text = state.get("vcgencmd pmic_read_adc", "")
    found: dict[tuple[str, str], float] = {}
    for name, kind, value in re.findall(
        r"^\s*(\w{1,30})_([AV]) \w+\(\d+\)=(\d{1,4}\.\d{1,12})[AV]$", text, re.MULTILINE
    ):
        found[(name, kind)] = float(value)
    rails = [name for name, kind in found if kind == "A" and (name, "V") in found]
    return sum(found[(name, "A")] * found[(name, "V")] for name in rails) if rails else None


def _ina_driver(state: State) -> float | None:
    """JetPack 4's own INA3221 driver: ``rail_name_0`` and ``in_power0_input`` in milliwatts."""
    rails = {}
    for path, text in state.items():
        match = re.match(r"(.*/)in_power(\d+)_input$", path)
        value = _integer(text)
        if match and value is not None:
            rails[state.get(f"{match[1]}rail_name_{match[2]}", path)] = value / 1e3
    return _widest(rails)


def _hwmon(state: State) -> float | None:
    """hwmon: ``power1_input`` in microwatts, or ``in1_input`` (mV) times ``curr1_input`` (mA) of one channel."""
    rails: dict[str, float] = {}
    for path, text in state.items():
        value = _integer(text)
        if value is None or (match := re.match(r"(.*/)(power|curr)(\d+)_(input|average)$", path)) is None:
            continue
        folder, kind, number, _ = match.groups()
        volts = _integer(state.get(f"{folder}in{number}_input", ""))
        prefix = "power" if kind == "power" else "in"
        label = state.get(f"{folder}{prefix}{number}_label", path)
        if kind == "power":
            rails[label] = value / 1e6
        elif volts is not None:
            rails[label] = value * volts / 1e6
    return _widest(rails)


def _widest(rails: Mapping[str, float]) -> float | None:
    whole = [watts for label, watts in rails.items() if label in _WHOLE]
    return max(whole or rails.values(), default=None)


def _integer(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


_POWER: Sequence[tuple[str, Callable[[State], float | None]]] = (
    ("INA3221 by JetPack's driver", _ina_driver),
    ("hwmon power", _hwmon),
    ("Pi 5 PMIC, all rails", _pmic),
)
