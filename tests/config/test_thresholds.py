"""The limits of the verdict: documented, overridable per device, checked like every other key."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.devices import parse
from harness.config.thresholds import DEFAULTS, Thresholds
from harness.core.errors import ConfigError

MEASURING = Path(__file__).parents[2] / "docs/measuring.md"
DEVICE = "devices: [{name: a, board: generic, local: true, thresholds: {%s}}]"


def test_a_device_overrides_one_and_keeps_the_others() -> None:
    (device,) = parse(DEVICE % "waited: 0.5, drift: null").devices
    assert device.thresholds == DEFAULTS.model_copy(update={"waited": 0.5, "drift": None})


def test_defaults_and_device_are_merged_key_by_key() -> None:
    text = "defaults: {thresholds: {waited: 0.5, drift: 0.2}}\n" + DEVICE % "drift: 0.3"
    limits = parse(text).devices[0].thresholds
    assert (limits.waited, limits.drift) == (0.5, 0.3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("waitd: 0.5", "unknown key 'waitd' for device 'a'; did you mean 'waited'"),
        ("waited: 2", "'waited: 2' for device 'a'"),
        ("waited: -1", "waited"),
        ("clock_step_s: 0", "clock_step_s"),
        ("drift: .nan", "drift"),
        ("dispersion: wide", "dispersion"),
    ],
)
def test_a_wrong_limit_is_refused_with_its_line(given: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse(DEVICE % given, file="d.yaml")
    assert "d.yaml:1" in str(caught.value)


def test_every_limit_is_documented_with_its_default() -> None:
    text = MEASURING.read_text()
    for name in Thresholds.model_fields:
        assert f"| `{name}` | {getattr(DEFAULTS, name):g} |" in text, name
