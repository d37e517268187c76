"""``harness doctor``: every device asked at once; what is wrong comes with its fix."""

from __future__ import annotations

import time
from pathlib import Path

import yaml

from harness import config
from harness.checkup import check_fleet, render
from tests.sshd_fixtures import Sshd, free_port


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
    started = time.monotonic()
    findings = check_fleet(config.parse(yaml.safe_dump({"devices": devices})))
    assert time.monotonic() - started < 30  # 5 s on a quiet machine; this one runs other tests too
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
