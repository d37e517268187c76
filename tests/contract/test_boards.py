"""What every registered group of boards must be and do; a new one passes without a change here."""

from __future__ import annotations

import re
import string
import subprocess
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.boards.family import EMULATED_SYSTEMS, BoardGroup, ProbeAnswers
from harness.boards.registry import FAMILIES, GROUPS, POWER_SENSORS, READINGS, SECTIONS, watts
from harness.boards.state import BoardState
from harness.core.check import SEVERITIES, Check
from harness.doctor.probe import sections
from harness.runtimes.registry import DELEGATES

CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SILENT = sections("")
ODD = st.text(string.printable + "\x1b°٣", max_size=80) | st.sampled_from(
    ["9" * 40, "-1", "nan", "throttled=0x7", "cpu 1 2", "\x1b[2J", "0x", "MAXN"]
)

#: Other tests may keep this machine busy, so time is not what is judged here.
calm = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
family = pytest.mark.parametrize("name", FAMILIES)
group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.families[0].name)


def state_texts() -> st.SearchStrategy[dict[str, str]]:
    """Odd texts under the names that boards are asked for, and under others."""
    asked = [
        *READINGS.files,
        *(" ".join(words) for words in READINGS.commands),
        "wall_s",
        "monotonic_ns",
        "self cpu_ns",
    ]
    asked += [f"{folder}/{prefix}0/{file}" for folder, prefix, files in READINGS.entries for file in files]
    asked += [
        "/sys/class/hwmon/hwmon0/" + file for file in ("power1_input", "in1_input", "curr1_input", "energy1_input")
    ]
    return st.dictionaries(st.sampled_from(asked) | st.text(string.printable, max_size=20), ODD, max_size=12)


@family
def test_it_is_described(name: str) -> None:
    board = FAMILIES[name]
    assert board.name == name
    assert CODE.fullmatch(name)
    assert board.title
    assert board.title.isprintable()
    assert "cpu" in board.delegates
    assert set(board.delegates) <= set(DELEGATES)
    assert len(set(board.delegates)) == len(board.delegates)
    assert board.cpu_part is None or re.fullmatch(r"0x[0-9a-f]{3}", board.cpu_part)
    assert board.memory_mib >= 256
    if board.qemu_cpu is not None:
        assert None not in (board.cpu, board.cpu_part), "what is emulated must be told from other boards"
        assert board.emulated_os
        assert set(board.emulated_os) <= set(EMULATED_SYSTEMS)


@family
def test_its_core_if_it_has_one_can_be_modelled(name: str) -> None:
    board = FAMILIES[name]
    if board.core is None:
        return
    assert board.core.name == board.cpu
    assert board.core.clock_hz > 10**8
    assert 1 <= len(board.core.caches) <= 3
    sizes = [level.kib for level in board.core.caches]
    assert sizes == sorted(sizes)
    assert all((level.kib * 1024 / 64 / level.ways).is_integer() for level in board.core.caches)


@group
def test_what_is_read_is_small_and_needs_no_shell(group: BoardGroup) -> None:
    readings = group.readings
    assert all(file.startswith(("/proc/", "/sys/")) for file in readings.files)
    assert all(folder.startswith(("/proc/", "/sys/")) and files for folder, _, files in readings.entries)
    assert all(folder.startswith("/sys/") and patterns for folder, patterns in readings.sensor_folders)
    for words in readings.commands:
        assert words[0] != "sudo", "a run never asks for rights"
        assert all(set(word) <= set(string.ascii_letters + string.digits + "-_./=") for word in words)
    assert set(readings.repeated) <= set(readings.commands)
    assert all(re.compile(pattern) for pattern in readings.sensor_files)
    assert not readings.sensor_channels or readings.sensor_channels == READINGS.sensor_channels


@group
def test_the_doctors_questions_run_in_a_plain_shell(group: BoardGroup) -> None:
    """And a board that has none of it says so in silence, soon, whatever its shell."""
    for name, command in group.sections.items():
        assert SECTIONS[name] == command
        assert CODE.fullmatch(name.replace("_", "-"))
        assert "sudo" not in command.replace("sudo -n ", ""), "it would ask for a password"
        done = subprocess.run(
            ["sh", "-c", f"{{ {command}; }} 2>/dev/null"], capture_output=True, timeout=15, check=False, text=True
        )
        assert not done.stderr


def in_order(checks: list[Check]) -> None:
    """What is wrong says what to do about it."""
    for check in checks:
        assert CODE.fullmatch(check.code)
        assert check.severity in SEVERITIES
        assert check.fix or check.severity not in ("error", "warning"), check.code
        assert check.text.isprintable(), "a board's own words must be cleaned"


@group
def test_a_silent_board_is_judged(group: BoardGroup) -> None:
    for board in FAMILIES.values():
        checks = group.checks(ProbeAnswers(family=board, sections=SILENT))
        in_order(checks)
        if board not in group.families:
            assert not checks, f"a {board.name} is asked what only {group.families[0].name} has"
    assert group.temperatures(SILENT) == {}
    assert group.disturbances([BoardState(), BoardState()]) == []


@group
@calm
@given(
    answers=st.dictionaries(st.sampled_from(sorted(SILENT)), ODD),
    delegates=st.sets(st.sampled_from(["edgetpu", "cuda"])),
)
def test_any_answer_is_judged(group: BoardGroup, answers: Mapping[str, str], delegates: set[str]) -> None:
    for board in group.families:
        in_order(group.checks(ProbeAnswers(family=board, sections=SILENT | answers, delegates=sorted(delegates))))
    assert all(isinstance(degrees, float) for degrees in group.temperatures(SILENT | answers).values())


@group
@calm
@given(raw=st.lists(state_texts(), min_size=1, max_size=4))
def test_any_states_are_judged(group: BoardGroup, raw: list[dict[str, str]]) -> None:
    states = [BoardState.parse(texts) for texts in raw]
    for disturbance in group.disturbances(states):
        assert CODE.fullmatch(disturbance.code)
        assert disturbance.text


@pytest.mark.parametrize("sensor", POWER_SENSORS, ids=lambda sensor: sensor.method)
@calm
@given(raw=state_texts())
def test_any_state_has_watts_or_none(sensor: object, raw: dict[str, str]) -> None:
    (known,) = (power for power in POWER_SENSORS if power is sensor)
    assert watts(known, BoardState()) is None
    power = watts(known, BoardState.parse(raw))
    assert power is None or power >= 0
