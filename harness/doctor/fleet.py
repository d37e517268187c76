"""``harness doctor``: every device reached at once, asked one thing, judged by :mod:`harness.doctor`."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.boards.coral import check_compiler
from harness.config.devices import Device, Fleet
from harness.core.check import SEVERITIES, Check, Severity
from harness.core.errors import BoardError, HarnessError, ProvisionError
from harness.core.safetext import clean
from harness.doctor.examine import examine
from harness.doctor.examine import render as render_board
from harness.doctor.probe import MAX_ANSWER_BYTES, PROBE
from harness.remote import paramiko_config
from harness.remote.base import Command, Connection
from harness.remote.connect import Reaching, check_space, connecting, usable
from harness.remote.lease import in_use, owner
from harness.remote.probe import Probe, answered, complaint, described
from harness.remote.runner_file import runner_bytes, runner_sha256
from harness.runtimes import edgetpu_compiler as edgetpu
from harness.runtimes import onboard as own
from harness.runtimes.wheels import Bundle, available, choose, table

#: A board that has not answered by then is a finding itself.
CONNECT_S = 4.0
#: How long the agent's part may take, with a lease that is waited for.
CHECK_S = 30.0
#: By this a board knows that two checks are this process's.
_TOKEN = secrets.token_hex(8)


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
    """Examine all devices side by side. None is booted. What is changed on them: the harness's folder is made there,
    and the runner put into it."""
    with ThreadPoolExecutor(max_workers=min(64, len(fleet.devices))) as pool:
        return Findings(tuple(zip((d.name for d in fleet.devices), pool.map(check_device, fleet.devices), strict=True)))


def check_device(device: Device) -> tuple[Check, ...]:
    """The checks of one device; what prevents asking is the first of them. Nothing that happens here costs another
    device its findings."""
    try:
        if device.emulate:
            return _emulator()
        with connecting(device, Reaching(lambda _: None, timeout_s=CONNECT_S)) as connect:
            connection = connect()
            try:
                return _ask(device, connection)
            finally:
                connection.close()
    except HarnessError as error:
        return (_finding(error),)
    except Exception as error:  # a mistake of ours
        if os.environ.get("HARNESS_DEBUG"):
            traceback.print_exc()
        text = f"a mistake in the harness: {type(error).__name__}: {error}"
        return (Check("internal", "error", clean(text), "run again with --debug, and report what it shows"),)


def _asked(device: Device, connection: Connection, seen: Probe | None) -> dict[str, str]:
    """Which folder's disk counts, and what need not be looked at: starting Python takes a slow board a second."""
    asked = {"HARNESS_DIR": connection.root}
    if seen is not None:
        asked["HARNESS_PYTHON"] = "known"
    if own.DELEGATES.isdisjoint(device.delegates):
        asked["HARNESS_GPU"] = "none"
    return asked


def _finding(error: HarnessError, severity: Severity = "error") -> Check:
    return Check(error.code, severity, clean(error.message), error.fix or "")


def _ask(device: Device, connection: Connection) -> tuple[Check, ...]:
    """What a run would meet, in its order and by its own functions; then what makes numbers worse."""
    seen, way = _way(device, connection)
    sent = time.time()
    environment = _asked(device, connection, seen)
    done = connection.run(Command(["sh", "-c", PROBE], timeout_s=20, stdout_limit=MAX_ANSWER_BYTES, env=environment))
    checks = examine(
        done.stdout.decode("utf-8", "replace"),
        device.family,
        sent=sent,
        received=time.time(),
        runtimes=device.runtimes or (),
        delegates=device.delegates,
        seen=seen,
    )
    if seen is None:  # why is said already, in the board's own words
        checks = tuple(check for check in checks if check.code not in ("python-missing", "python-old"))
    elif not any(check.severity == "error" for check in way):
        checks = tuple(replace(c, severity="warning") if c.code == "disk-full" else c for c in checks)
    ours = check_compiler(edgetpu.installed()) if "edgetpu" in device.delegates else []
    if device.host is not None and (lacking := paramiko_config.limits()) is not None:
        ours = [*ours, Check("ssh-missing", "note", lacking, "sudo apt install openssh-client")]
    reached = Check("reachable", "ok", "reached, and its host key is the expected one")
    return tuple(sorted((*way, *ours, *checks, reached), key=lambda check: SEVERITIES.index(check.severity)))


def _way(device: Device, connection: Connection) -> tuple[Probe | None, tuple[Check, ...]]:
    """The way that a run goes before its first cell, as far as it goes, and what is wrong there. It is gone in one
    process on the board: Python takes its time to start there."""
    seen = None
    try:
        runner, wheels = runner_bytes(), _wheels(device)
        names, size = [f"object:{runner_sha256()}", *wheels], str(len(runner))
        answer = answered(connection, "check", owner(), _TOKEN, size, *names, timeout_s=CHECK_S, stdin=runner)
        if "probe" not in answer:
            raise complaint(connection, "check", answer)
        seen = described(connection, answer["probe"])
        usable(connection, device, seen)
        if "error" in answer:
            raise complaint(connection, "check", answer)
        if answer.get("granted") is not True:
            return seen, (_finding(in_use(connection.label, answer.get("owner")), "warning"),)
        there = answer.get("have")
        wanted = {f"wheel:{wheel.sha256}" for bundle in _bundles(device, seen) for wheel in bundle.wheels}
        missing = wanted.difference(there if isinstance(there, list) else ())
        check_space(connection, seen, sum(wheels[name] for name in missing))
    except BoardError as error:
        return seen, (_finding(error),)
    return seen, (Check("place", "ok", f"files go to {clean(connection.root)}, and come back as they were sent"),)


def _wheels(device: Device) -> dict[str, int]:
    """Sizes of all wheels that may be wanted on a board, whatever Python it turns out to have."""
    if own.DELEGATES.issuperset(device.delegates):
        return {}
    return {f"wheel:{wheel.sha256}": wheel.size_bytes for bundle in table() for wheel in bundle.wheels}


def _bundles(device: Device, seen: Probe) -> list[Bundle]:
    """The wheels that a run would bring; which runtimes don't fit is told by other checks."""
    if own.DELEGATES.issuperset(device.delegates):
        return []
    found = []
    for runtime in device.runtimes or available(seen.platform):
        with contextlib.suppress(ProvisionError):
            found.append(choose(runtime, seen.platform))
    return found


def _emulator() -> tuple[Check, ...]:
    from harness.emulate import requirements

    missing = requirements()
    if missing:
        return (Check("emulator-missing", "error", f"not installed: {', '.join(missing)}", "see docs/emulation.md"),)
    return (Check("emulator", "ok", "QEMU and the image tools are here; the board is booted by the run"),)


def render(findings: Findings) -> str:
    """All boards as plain text."""
    return "\n".join(render_board(name, checks) for name, checks in findings.boards)
