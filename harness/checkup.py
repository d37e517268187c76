"""``harness doctor``: every device reached at once, asked one thing, judged by :mod:`harness.doctor`."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from harness.config import Device, Fleet
from harness.doctor.check import Check
from harness.doctor.edgetpu import check_compiler
from harness.doctor.examine import examine
from harness.doctor.examine import render as render_board
from harness.doctor.probe import MAX_ANSWER_BYTES, PROBE
from harness.errors import BoardError
from harness.provision import edgetpu
from harness.session import connecting
from harness.transport.base import Connection

#: A board that has not answered by then is a finding itself.
CONNECT_S = 4.0


@dataclass(frozen=True)
class Findings:
    """All checks of all devices, in the order of devices.yaml."""

    boards: tuple[tuple[str, tuple[Check, ...]], ...]

    @property
    def healthy(self) -> bool:
        """No error anywhere; warnings don't stop a run."""
        return not any(check.severity == "error" for _, checks in self.boards for check in checks)

    def to_json(self) -> dict[str, Any]:
        """One object: ``{"healthy": ..., "devices": {name: [check...]}}``."""
        return {"healthy": self.healthy, "devices": {name: [asdict(c) for c in checks] for name, checks in self.boards}}


def check_fleet(fleet: Fleet) -> Findings:
    """Examine all devices side by side; nothing is changed on any of them and none is booted."""
    with ThreadPoolExecutor(max_workers=min(64, len(fleet.devices))) as pool:
        return Findings(tuple(zip((d.name for d in fleet.devices), pool.map(check_device, fleet.devices), strict=True)))


def check_device(device: Device) -> tuple[Check, ...]:
    """The checks of one device; what prevents asking is the first of them."""
    if device.emulate:
        return _emulator()
    try:
        with connecting(device, lambda _: None, timeout_s=CONNECT_S) as connect:
            connection = connect()
            try:
                return _ask(device, connection)
            finally:
                connection.close()
    except BoardError as error:
        return (Check(error.code, "error", error.message, error.fix or ""),)


def _ask(device: Device, connection: Connection) -> tuple[Check, ...]:
    sent = time.time()
    done = connection.run(["sh", "-c", PROBE], timeout_s=20, stdout_limit=MAX_ANSWER_BYTES)
    answer = done.stdout.decode("utf-8", "replace")
    checks = examine(
        answer,
        device.family,
        sent=sent,
        received=time.time(),
        runtimes=device.runtimes or (),
        delegates=device.delegates,
    )
    ours = check_compiler(edgetpu.installed()) if "edgetpu" in device.delegates else []
    return (*ours, *checks, Check("reachable", "ok", "reached, and its host key is the expected one"))


def _emulator() -> tuple[Check, ...]:
    from harness.emulate import requirements

    missing = requirements()
    if missing:
        return (Check("emulator-missing", "error", f"not installed: {', '.join(missing)}", "see docs/emulation.md"),)
    return (Check("emulator", "ok", "QEMU and the image tools are here; the board is booted by the run"),)


def render(findings: Findings) -> str:
    """All boards as plain text."""
    return "\n".join(render_board(name, checks) for name, checks in findings.boards)
