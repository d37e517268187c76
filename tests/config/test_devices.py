"""devices.yaml: what is taken, and that every complaint names the line, the thing and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config.devices import load, parse
from harness.core.errors import ConfigError

ONE = "devices:\n  - name: pi4\n    board: raspberry-pi-4\n    {}\n"


def test_the_shipped_list_is_good() -> None:
    fleet = load(Path(__file__).parents[2] / "devices.yaml")
    assert [d.name for d in fleet.devices] == ["pi4", "nano", "coral", "here"]
    assert [d.effective_clock for d in fleet.devices] == ["instructions"] * 3 + ["wall"]
    assert all(d.user == "bench" and d.threads == (1,) and d.samples == "all" for d in fleet.devices)


def test_a_real_board_is_one_line() -> None:
    line = "devices:\n  - {name: pi4, board: raspberry-pi-4, host: pi4.local, user: pi, identity_file: ~/.ssh/key}\n"
    device = parse(line).devices[0]
    assert (device.host, device.user, device.identity_file) == ("pi4.local", "pi", Path("~/.ssh/key").expanduser())


def test_defaults_yield_to_the_device() -> None:
    text = "defaults: {user: a, threads: [1, 2]}\ndevices:\n- {name: x, board: generic, host: h, user: b, threads: 4}\n"
    device = parse(text).devices[0]
    assert (device.user, device.threads) == ("b", (4,))


def test_a_relative_key_file_is_beside_the_list(tmp_path: Path) -> None:
    file = tmp_path / "devices.yaml"
    file.write_text("devices:\n- {name: x, board: generic, host: h, identity_file: keys/id}\n")
    assert load(file).devices[0].identity_file == tmp_path / "keys" / "id"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hots: x", "d.yaml:4: unknown key 'hots' for device 'pi4'; did you mean 'host'?"),
        ("host: a\n    emulate: true", "needs exactly one of 'host', 'emulate: true' and 'local: true'"),
        ("tags: [a]", "has none of them"),
        ("password: x", "d.yaml:4: 'password': secrets don't belong in a file"),
        ("sudo_password: x", "secrets don't belong"),
        ("host: a\n    runtimes: [tflit]", "d.yaml:5: 'tflit' is no runtimes; did you mean 'tflite'?"),
        ("host: a\n    port: 99999", "d.yaml:5: 'port: 99999' for device 'pi4'"),
        ("host: a\n    threads: 0", "'threads: 0'"),
        ("host: a\n    threads: [1, x]", "d.yaml:5"),
        ("host: -oProxyCommand=evil", "d.yaml:4"),
        ("host: a\n    proxy_jump: -oX", "d.yaml:5"),
        ("host: a\n    user: '$(id)'", "d.yaml:5"),
        ("host: a\n    host: b", "d.yaml:5: key 'host' is here twice (first in line 4)"),
        ("local: true\n    clock: instructions", "needs an emulated board"),
        ("local: true\n    os: armhf", "d.yaml:2: 'os' is what an emulated board boots"),
        ("host: a\n    os: arm64", "'os' is what an emulated board boots"),
        ("emulate: true\n    os: armfh", "an emulated 'raspberry-pi-4' has no system 'armfh'; did you mean 'armhf'?"),
        ("emulate: true\n    os: [armhf]", "'os: [armhf]' for device 'pi4'"),
    ],
)
def test_complaints(line: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(ONE.format(line), file="d.yaml")
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs a 'devices:' list"),
        ("devices: []", "at least one device"),
        ("device:\n- a", "did you mean 'devices'?"),
        ("devices:\n- {name: a, board: rasberry-pi-4, emulate: true}", "did you mean 'raspberry-pi-4'?"),
        ("devices:\n- {name: a, board: generic, emulate: true}", "can't be emulated"),
        ("devices:\n- {name: a, board: jetson-nano, emulate: true, os: armhf}", "no system 'armhf'"),
        ("devices:\n- {name: a, board: raspberry-pi-2, emulate: true, os: arm64}", "no system 'arm64'"),
        (
            "devices:\n- {name: a, board: generic, local: true}\n- {name: A, board: generic, local: true}",
            "d.yaml:3: dev",
        ),
        ("defaults: {usr: 2}\ndevices: [{name: b, board: generic, local: true}]", "d.yaml:1: unknown key 'usr'"),
        ("a: [", "d.yaml:1: not YAML"),
        ("devices: [3]", "d.yaml:1"),
        ("devices: [{name: ../x, board: generic, local: true}]", "d.yaml:1: 'name: ../x'"),
        ("a: &a [x]\ndevices: [*a, *a]", "d.yaml:2: alias"),
        ("devices: [{name: a, board: generic, local: true, samples: 0}]", "d.yaml:1: 'samples: 0'"),
    ],
)
def test_complaints_about_the_whole(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, file="d.yaml")
    assert said in str(caught.value)


def test_only_names_devices_that_are_there() -> None:
    fleet = parse("devices: [{name: one, board: generic, local: true}]")
    assert fleet.only([]) == fleet
    with pytest.raises(ConfigError, match="did you mean 'one'"):
        fleet.only(["oen"])


def test_an_emulated_board_boots_its_familys_usual_system_or_the_one_that_is_named() -> None:
    text = "devices:\n- {name: a, board: raspberry-pi-4, emulate: true%s}\n- {name: b, board: generic, local: true}"
    usual, local = parse(text % "").devices
    (named, _) = parse(text % ", os: armhf").devices
    two = parse("devices: [{name: a, board: raspberry-pi-2, emulate: true}]").devices[0]
    machines = [device.emulated_system and device.emulated_system.machine for device in (usual, named, two, local)]
    assert machines == ["aarch64", "armv7l", "armv7l", None]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except ConfigError as error:
        assert str(error)


_KEYS = st.sampled_from(
    ["name", "board", "host", "emulate", "local", "threads", "samples", "port", "runtimes", "tags", "x"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["generic", "cpu"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(_KEYS, _VALUES, max_size=6), st.dictionaries(_KEYS, _VALUES, max_size=3))
def test_any_structure_is_read_or_refused(device: dict[str, object], defaults: dict[str, object]) -> None:
    import yaml

    try:
        parse(yaml.safe_dump({"defaults": defaults, "devices": [device]}))
    except ConfigError as error:
        assert str(error)
