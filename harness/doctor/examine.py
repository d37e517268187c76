"""A board's answer to the probe, judged: which checks apply to which board, and their text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.boards import registry
from harness.boards.family import BoardFamily, ProbeAnswers
from harness.boards.registry import FAMILIES
from harness.core.check import DEFAULTS, SEVERITIES, Check, Limits
from harness.core.safetext import clean
from harness.doctor import linux
from harness.doctor.probe import sections
from harness.remote.probe import Probe
from harness.runtimes import onboard

#: Codes that only mean that none of the harness's wheels fits.
_WHEELS = ("runtime-missing", "numpy-missing", "glibc-missing")


@dataclass(frozen=True)
class Answered:
    """A board's output for :data:`harness.doctor.probe.PROBE`; it is not trusted.

    ``sent`` and ``received`` are the controller's clock before and after the probe, in seconds since 1970.
    """

    text: str
    sent: float
    received: float


@dataclass(frozen=True)
class Listed:
    """A board's entry in devices.yaml, and the requirements in it.

    Attributes:
        emulated: whether the board is emulated; it then has neither its maker's tools nor an accelerator, so these are
            not checked.
        runtimes: the required runtimes; one that does not fit is an error.
        delegates: the required delegates; with ``edgetpu``, any board is checked for an Accelerator on USB.
    """

    family: BoardFamily
    emulated: bool = False
    runtimes: Sequence[str] = ()
    delegates: Sequence[str] = ()


def examine(
    answered: Answered, listed: Listed, *, limits: Limits = DEFAULTS, seen: Probe | None = None
) -> tuple[Check, ...]:
    """All findings in a board's answer, worst first; never raises.

    Args:
        seen: the agent's answer, where there is one; it describes the Python that a run will use.
    """
    family, delegates = listed.family, listed.delegates
    told = sections(answered.text)
    if seen is not None:
        told |= _as_told(seen)
    checks = _python_checks(told, listed)
    checks += _check_family(told["cpu"], told["model"], family)
    checks += linux.check_cpufreq(told["cpufreq"])
    checks += linux.check_temperature(linux.parse_thermal(told["thermal"]) | registry.temperatures(told), limits)
    checks += linux.check_disk(told["disk"], limits)
    checks += linux.check_memory(told["memory"], limits)
    checks += linux.check_load(told["load"], _cores(told["cpu"]), limits)
    checks += linux.check_clock(told["clock"], answered.sent, answered.received, limits)
    if not listed.emulated:
        checks += registry.checks(ProbeAnswers(family=family, sections=told, delegates=delegates))
    if not told["end"]:
        fix = "try again; is the board stable?"
        checks.append(Check("answer-incomplete", "error", "the board's answer ends before its end", fix))
    return tuple(sorted(checks, key=lambda check: SEVERITIES.index(check.severity)))


def _python_checks(told: dict[str, str], listed: Listed) -> list[Check]:
    checks = linux.check_python(told["python"], told["libc"], listed.runtimes)
    if listed.delegates and onboard.DELEGATES.issuperset(listed.delegates):
        # then the board's own runtime counts, and no wheel of the harness
        return [check for check in checks if check.code not in _WHEELS]
    return checks


def _as_told(seen: Probe) -> dict[str, str]:
    version = ".".join(re.findall(r"\d+", seen.python)[:3])
    numpy = "numpy" if seen.numpy else "-"
    return {"python": f"{version} {seen.bits} {seen.machine} {numpy}", "libc": seen.libc}


def _cores(cpu: str) -> int:
    """The number of cores that ``uniq -c`` counted."""
    return sum(int(count) for count in re.findall(r"^\s*(\d{1,4}) (?:CPU part|model name)", cpu, re.MULTILINE))


def _check_family(cpu: str, model: str, family: BoardFamily) -> list[Check]:
    """Check that the board is of the family in devices.yaml. A wrong family would put numbers under the wrong board."""
    parts = sorted(set(re.findall(r"CPU part\s*: (0x[0-9a-f]{1,4})\b", cpu)))
    if family.cpu_part is None or not parts:
        return []
    if family.cpu_part in parts:
        shown = f" ({clean(model, 80)})" if model else ""
        return [Check("board", "ok", f"{family.cpu} as {family.title} has{shown}")]
    others = [other.title for other in FAMILIES.values() if other.cpu_part in parts]
    seems = clean(model, 80) or (" or ".join(others) if others else "another board")
    text = (
        f"devices.yaml says {family.title} ({family.cpu}, part {family.cpu_part}), the CPU is part {', '.join(parts)}"
    )
    return [Check("board-differs", "warning", f"{text}: {seems}?", "correct `board:` in devices.yaml")]


def render_board(name: str, checks: tuple[Check, ...], *, verbose: bool = False) -> str:
    """One board's checks as plain text; passed checks are only counted unless ``verbose``."""
    fine = sum(check.severity == "ok" for check in checks)
    lines = [f"{clean(name)}: {fine} of {len(checks)} checks fine"]
    for check in checks:
        if check.severity != "ok" or verbose:
            lines.append(f"  {check.severity:8} {check.code}: {check.text}")
            if check.fix:
                lines.append(f"  {'':8} fix: {check.fix}")
    return "\n".join(lines)
