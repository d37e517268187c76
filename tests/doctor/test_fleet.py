"""``harness doctor``: every device asked at once; what is wrong comes with its fix."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
import yaml

from benchmarks.made.sshd import free_port
from harness import emulate
from harness.config import devices as config
from harness.core.errors import EstimateError
from harness.doctor import fleet as checkup
from harness.doctor.fleet import FleetFindings, check_device, check_fleet, render
from harness.estimate import estimator
from tests.support.sshd_fixtures import Sshd


def test_a_mixed_fleet(sshd: Sshd, cache: Path) -> None:
    strange = sshd.folder / "empty"
    strange.write_text("")
    devices = [
        sshd.device("good"),
        sshd.device("down", port=free_port()),
        sshd.device("stranger", known_hosts=str(strange)),
        {"name": "here", "board": "generic", "local": True},
        sshd.device("pi", board="raspberry-pi-4"),
        sshd.device("old", runtimes=["tflite"]),
        *[sshd.device(f"more{n}") for n in range(4)],
    ]
    findings = within_five_seconds(config.parse(yaml.safe_dump({"devices": devices})))
    checks = {name: {check.code: check for check in found} for name, found in findings.boards}
    assert list(checks) == [device["name"] for device in devices]
    assert "reachable" in checks["good"]
    assert checks["down"]["unreachable"].fix
    assert "ssh -p" in checks["stranger"]["host-key"].fix
    assert "reachable" in checks["here"]
    assert not findings.healthy
    text = render(findings)
    assert all(str(device["name"]) in text for device in devices)
    assert "fix:" in text


def within_five_seconds(fleet: config.Fleet) -> FleetFindings:
    """Ten boards in 5 s is promised (they take 1.4 s on two busy cores). It may be missed twice, where other tests
    take the machine."""
    assert len(fleet.devices) == 10
    for _ in range(3):
        started = time.monotonic()
        findings = check_fleet(fleet)
        if time.monotonic() - started < 5:
            return findings
    raise AssertionError("doctor took more than 5 s for 10 boards, three times")


def test_a_board_that_says_nothing_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "CONNECT_S", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        device = {"name": "silent", "board": "generic", "host": "127.0.0.1", "port": silent.getsockname()[1]}
        started = time.monotonic()
        findings = check_fleet(config.parse(yaml.safe_dump({"devices": [device]})))
        assert time.monotonic() - started < 5  # one as set, and room for a busy machine
    (check,) = findings.boards[0][1]
    assert check.code == "unreachable"
    assert "says nothing" in check.text


def test_what_an_edge_tpu_and_a_gpu_need_is_asked_for(sshd: Sshd, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler belongs to this machine, a GPU build of the runtime to the board; neither is there."""
    monkeypatch.setattr("harness.runtimes.edgetpu_compiler.COMPILER", "no-such-compiler")
    device = sshd.device(delegates=["edgetpu", "cuda", "cpu"])
    ((_, checks),) = check_fleet(config.parse(yaml.safe_dump({"devices": [device]}))).boards
    found = {check.code: check for check in checks}
    for code in ("edgetpu-compiler-missing", "edgetpu-missing"):
        assert found[code].severity == "error"
        assert found[code].fix


def test_without_openssh_the_doctor_says_what_is_not_understood(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.remote.openssh.installed", lambda: False)
    device = config.parse(yaml.safe_dump({"devices": [sshd.device()]})).devices[0]
    (note,) = [check for check in checkup.check_device(device) if check.code == "ssh-missing"]
    assert "jump hosts" in note.text
    assert note.severity == "note"


@pytest.mark.parametrize(
    ("missing", "code", "severity"), [(False, "estimate", "ok"), (True, "estimate-missing", "note")]
)
def test_an_emulated_board_says_whether_cycles_can_be_estimated(
    missing: bool, code: str, severity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(_: str) -> None:
        if missing:
            raise EstimateError("estimated cycles need cc", fix="sudo apt-get install gcc")

    monkeypatch.setattr(estimator, "check", check)
    monkeypatch.setattr(emulate, "requirements", list)
    (device,) = config.parse("devices:\n  - {name: pi4, board: raspberry-pi-4, emulate: true}\n").devices
    found = {check.code: check for check in check_device(device)}
    assert found["emulator"].severity == "ok"
    assert found[code].severity == severity


@pytest.mark.parametrize("line", ["board: raspberry-pi-2", "board: raspberry-pi-4, os: armhf"])
def test_a_32_bit_board_has_no_estimate_and_that_is_no_fault(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimator, "check", lambda _: None)
    monkeypatch.setattr(emulate, "requirements", list)
    (device,) = config.parse(f"devices:\n  - {{name: pi, {line}, emulate: true}}\n").devices
    found = {check.code: check for check in check_device(device)}
    assert found["estimate-missing"].severity == "note"
    assert "cycles of armv7l programs can't be estimated" in found["estimate-missing"].text
