"""``harness doctor``: all devices are reached at once, probed once, and judged by :mod:`harness.doctor`."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial

from harness.boards.coral import check_compiler
from harness.config.devices import Device, Fleet
from harness.core.check import SEVERITIES, Check, Severity
from harness.core.errors import BoardError, EstimateError, HarnessError, ProvisionError
from harness.core.safetext import clean
from harness.doctor.examine import Answered, Listed, examine, render_board
from harness.doctor.models import check_files
from harness.doctor.probe import MAX_ANSWER_BYTES, PROBE
from harness.doctor.releases import check_releases
from harness.modelfile.boards import platform_like
from harness.modelfile.record import ModelFile
from harness.remote import paramiko_config
from harness.remote.base import Command, Connection
from harness.remote.connect import Reaching, check_space, connecting, usable
from harness.remote.lease import in_use, owner
from harness.remote.probe import Probe, answered, complaint, described
from harness.remote.runner_file import runner_bytes, runner_sha256
from harness.runtimes import edgetpu_compiler, onboard
from harness.runtimes.releases import UNLISTED, Releases
from harness.runtimes.wheels import Bundle, available, choose, table

#: A board that has not answered after this many seconds is a finding in itself.
CONNECT_S = 4.0
#: How long the agent's part may take, including the wait for a lease.
CHECK_S = 30.0
#: Lets a board recognise that two checks come from the same process.
_TOKEN = secrets.token_hex(8)


@dataclass(frozen=True)
class FleetFindings:
    """All checks of all devices, in the order of devices.yaml."""

    boards: tuple[tuple[str, tuple[Check, ...]], ...]

    @property
    def healthy(self) -> bool:
        """Whether there is no error anywhere; warnings don't stop a run."""
        return not any(check.severity == "error" for _, checks in self.boards for check in checks)

    def to_json(self) -> dict[str, object]:
        """One object: ``{"healthy": ..., "devices": {name: [check...]}}``."""
        return {"healthy": self.healthy, "devices": {name: [asdict(c) for c in checks] for name, checks in self.boards}}


def check_fleet(fleet: Fleet, files: Sequence[ModelFile] = ()) -> FleetFindings:
    """Examine all devices side by side; none is booted.

    Two things change on them: the harness's folder is created, and the runner is put into it.

    Args:
        files: model files that the devices should be able to run.
    """
    with ThreadPoolExecutor(max_workers=min(64, len(fleet.devices))) as pool:
        checks = pool.map(partial(check_device, files=files, releases=Releases.of(fleet.file)), fleet.devices)
        return FleetFindings(tuple(zip((device.name for device in fleet.devices), checks, strict=True)))


def check_device(device: Device, files: Sequence[ModelFile] = (), releases: Releases = UNLISTED) -> tuple[Check, ...]:
    """The checks of one device. An error that prevents them is the only finding and affects no other device."""
    try:
        if (system := device.emulated_system) is not None:
            named = check_releases(device.requested, platform_like(system), releases)
            return (*_emulator(device), *named, *check_files(device, files))
        with connecting(device, Reaching(lambda _: None, timeout_s=CONNECT_S)) as connect:
            connection = connect()
            try:
                return _ask(device, connection, files, releases)
            finally:
                connection.close()
    except HarnessError as error:
        return (_finding(error),)
    except Exception as error:  # a bug in the harness
        if os.environ.get("HARNESS_DEBUG"):
            traceback.print_exc()
        text = f"a mistake in the harness: {type(error).__name__}: {error}"
        return (Check("internal", "error", clean(text), "run again with --debug, and report what it shows"),)


def _environment(device: Device, connection: Connection, seen: Probe | None) -> dict[str, str]:
    """The folder whose disk counts, and what to skip: a slow board takes a second to start Python."""
    environment = {"HARNESS_DIR": connection.root}
    if seen is not None:
        environment["HARNESS_PYTHON"] = "known"
    if onboard.DELEGATES.isdisjoint(device.delegates):
        environment["HARNESS_GPU"] = "none"
    return environment


def _finding(error: HarnessError, severity: Severity = "error") -> Check:
    return Check(error.code, severity, clean(error.message), error.fix or "")


def _ask(device: Device, connection: Connection, files: Sequence[ModelFile], releases: Releases) -> tuple[Check, ...]:
    """The checks of a connected board: first the obstacles to a run, then what makes numbers worse."""
    seen, obstacles = _look_for_obstacles(device, connection)
    sent = time.time()
    environment = _environment(device, connection, seen)
    done = connection.run(Command(["sh", "-c", PROBE], timeout_s=20, stdout_limit=MAX_ANSWER_BYTES, env=environment))
    answered = Answered(done.stdout.decode("utf-8", "replace"), sent=sent, received=time.time())
    unnamed = [each.name for each in device.requested if each.release is None]
    listed = Listed(device.family, runtimes=unnamed, delegates=device.delegates)
    checks = examine(answered, listed, seen=seen)
    if seen is None:  # the obstacle has the reason, in the board's own words
        checks = tuple(check for check in checks if check.code not in ("python-missing", "python-old"))
    elif not any(check.severity == "error" for check in obstacles):
        checks = tuple(replace(c, severity="warning") if c.code == "disk-full" else c for c in checks)
    ours = check_compiler(edgetpu_compiler.installed()) if "edgetpu" in device.delegates else []
    if device.host is not None and (lacking := paramiko_config.limits()) is not None:
        ours = [*ours, Check("ssh-missing", "note", lacking, "sudo apt install openssh-client")]
    if seen is not None:
        ours = [*ours, *check_releases(device.requested, seen.platform, releases), *check_files(device, files, seen)]
    reached = Check("reachable", "ok", "reached, and its host key is the expected one")
    return tuple(sorted((*obstacles, *ours, *checks, reached), key=lambda check: SEVERITIES.index(check.severity)))


def _look_for_obstacles(device: Device, connection: Connection) -> tuple[Probe | None, tuple[Check, ...]]:
    """Do the steps that a run takes before its first cell, as far as they succeed: (the board's description, the
    obstacles).

    One process on the board answers everything, since Python takes long to start there.
    """
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
        stored = answer.get("have")
        needed = {f"wheel:{wheel.sha256}" for bundle in _bundles(device, seen) for wheel in bundle.wheels}
        missing_wheels = needed.difference(stored if isinstance(stored, list) else ())
        check_space(connection, seen, sum(wheels[name] for name in missing_wheels))
    except BoardError as error:
        return seen, (_finding(error),)
    return seen, (Check("place", "ok", f"files go to {clean(connection.root)}, and come back as they were sent"),)


def _wheels(device: Device) -> dict[str, int]:
    """Sizes in bytes of all wheels that a board may need, whatever its Python version turns out to be."""
    if onboard.DELEGATES.issuperset(device.delegates):
        return {}
    return {f"wheel:{wheel.sha256}": wheel.size_bytes for bundle in table() for wheel in bundle.wheels}


def _bundles(device: Device, seen: Probe) -> list[Bundle]:
    """The wheels that a run would send. Other checks report runtimes that don't fit."""
    if onboard.DELEGATES.issuperset(device.delegates):
        return []
    bundles = []
    for runtime in device.runtimes or available(seen.platform):
        with contextlib.suppress(ProvisionError):
            bundles.append(choose(runtime, seen.platform))
    return bundles


def _emulator(device: Device) -> tuple[Check, ...]:
    from harness.emulate import requirements

    missing = requirements()
    if missing:
        return (Check("emulator-missing", "error", f"not installed: {', '.join(missing)}", "see docs/emulation.md"),)
    here = Check("emulator", "ok", "QEMU and the image tools are here; the board is booted by the run")
    return here, _estimates(device)


def _estimates(device: Device) -> Check:
    """Whether a run could estimate cycles; if it can't, that is no fault."""
    from harness.estimate.estimator import check, check_machine

    try:
        check_machine(device.family.emulated_system(device.os).machine)
        check(device.board)
    except EstimateError as error:
        return Check("estimate-missing", "note", clean(error.message), error.fix or "see docs/estimates.md")
    return Check("estimate", "ok", "a compiler and llvm-mca are here: harness run --estimate")


def render(findings: FleetFindings) -> str:
    """All boards' findings as plain text."""
    return "\n".join(render_board(name, checks) for name, checks in findings.boards)
