"""YAML as users write it: escapes of half a character."""

from __future__ import annotations

import json

import pytest

from harness.config import devices
from harness.core import yamlfile
from harness.core.errors import ConfigError


def test_json_with_characters_beyond_the_basic_plane_is_yaml() -> None:
    written = json.dumps({"tags": ["\U0001f600", "plain"]})
    assert "\\ud83d\\ude00" in written
    assert yamlfile.load(written, "x.yaml")[0] == {"tags": ["\U0001f600", "plain"]}


@pytest.mark.parametrize("text", ['a: "\\ud800"', '"\\udc00": 1', 'a: ["x", "\\ude00\\ud83d"]'])
def test_half_a_character_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"x\.yaml:1: an escape stands for half a character"):
        yamlfile.load(text, "x.yaml")


def test_a_board_of_half_a_character_is_refused() -> None:
    with pytest.raises(ConfigError, match="half a character"):
        devices.parse('devices: [{name: a, host: h, board: "\\ud800"}]')
