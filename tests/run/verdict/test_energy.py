"""Joules from what sensors say: Jetson, Pi 5, hwmon, RAPL; and nothing from nonsense."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.made.answers import good
from harness.records.answer import RunnerResult
from harness.run.verdict.energy import energy

HWMON = "/sys/class/hwmon/hwmon1/"
IIO = "/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/"
#: A Pi 5's answer, shortened.
PMIC = """ 3V7_WL_SW_A current(0)=0.10000000A
   VDD_CORE_A current(7)=2.00000000A
  3V7_WL_SW_V volt(8)=3.70000000V
   VDD_CORE_V volt(15)=0.80000000V
      EXT5V_V volt(24)=5.10000000V"""


def answer(during: list[dict[str, str]], **evidence: Any) -> RunnerResult:
    """Two seconds of timed inferences."""
    given = good()["evidence"] | {"during": during} | evidence
    return RunnerResult.model_validate(good() | {"latency_ns": [10**9, 10**9], "evidence": given})


@pytest.mark.parametrize(
    ("state", "watts"),
    [
        ({IIO + "rail_name_0": "POM_5V_IN", IIO + "in_power0_input": "3000",
          IIO + "rail_name_2": "POM_5V_CPU", IIO + "in_power2_input": "5000"}, 3.0),
        ({HWMON + "in1_label": "VDD_IN", HWMON + "in1_input": "5000", HWMON + "curr1_input": "800",
          HWMON + "in2_label": "VDD_CPU", HWMON + "in2_input": "5000", HWMON + "curr2_input": "2000"}, 4.0),
        ({HWMON + "power1_input": "2500000"}, 2.5),
        ({"vcgencmd pmic_read_adc": PMIC}, 0.37 + 1.6),
    ],
)  # fmt: skip
def test_a_power_sensor(state: dict[str, str], watts: float) -> None:
    found = energy(answer([state, state]))
    assert found is not None
    assert found.joules == pytest.approx(2 * watts)
    assert found.samples == 2
    assert "after each pass" in found.method


def test_a_counter_is_exact() -> None:
    path = "/sys/class/powercap/intel-rapl:0/energy_uj"
    start, end = {path: "1000000", "monotonic_ns": "0"}, {path: "31000000", "monotonic_ns": "3000000000"}
    found = energy(answer([], start=start, end=end))
    assert found is not None
    assert (found.joules, found.watts) == (20.0, 10.0)
    assert energy(answer([], start=end, end=start)) is None


def test_a_counter_that_leaps_is_no_energy() -> None:
    path = "/sys/class/powercap/intel-rapl:0/energy_uj"
    start, end = {path: "0", "monotonic_ns": "0"}, {path: "9" * 19, "monotonic_ns": "1"}
    assert energy(answer([], start=start, end=end)) is None


@pytest.mark.parametrize("text", ["", "-5", "1e9", "soon", "9" * 19, "9" * 40, "\x1b[2J"])
def test_nonsense_is_no_energy(text: str) -> None:
    state = {HWMON + "power1_input": text, IIO + "in_power0_input": text, "vcgencmd pmic_read_adc": text}
    assert energy(answer([state])) is None
