"""Many ways to reach one board, tried together: plain ``ssh`` is asked about each, then ``doctor`` about all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from benchmarks.strangers import Finding, Findings, Stranger
from benchmarks.strangers.stranger import as_ssh


@dataclass(frozen=True)
class Case:
    """One way. ``name`` is the device's name and, where ``config`` says so, a host of ~/.ssh/config.

    ``connects`` is what ``ssh`` does, which the test checks first. ``code`` and ``says`` (regular expressions) are what
    ``doctor`` finds where it does not.
    """

    name: str
    connects: bool
    code: str = ""
    says: str = ""
    config: str = ""
    device: Mapping[str, object] = field(default_factory=dict)

    def entry(self) -> dict[str, object]:
        return {"name": self.name, "host": self.name, **self.device}

    def block(self) -> str:
        """Its part of ~/.ssh/config."""
        lines = "".join(f"    {line.strip()}\n" for line in self.config.strip().splitlines())
        return f"Host {self.name}\n{lines}" if lines else ""


@dataclass(frozen=True)
class Outcome:
    ssh_connected: bool
    ssh_said: str
    finding: Finding | None
    error: str


def blocks(cases: Sequence[Case]) -> str:
    return "".join(case.block() for case in cases)


def try_all(stranger: Stranger, cases: Sequence[Case], *, env: Mapping[str, str] | None = None) -> dict[str, Outcome]:
    """Every case's outcome. Where one case makes ``doctor`` lose the others' findings, each is asked about alone."""

    def plain(case: Case) -> tuple[bool, str]:
        done = stranger.ssh(*as_ssh(case.entry()), "true", env=env)
        return done.returncode == 0, done.stderr

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(plain, cases))
    devices = stranger.list_boards(*(case.entry() for case in cases))
    findings = stranger.doctor(devices, env=env)
    if not findings:
        for case in cases:
            alone = stranger.doctor(devices, "--only", case.name, env=env)
            findings.update(alone)
            findings.error = findings.error or alone.error
    return {
        case.name: Outcome(connected, stderr, findings.get(case.name), findings.error)
        for case, (connected, stderr) in zip(cases, said, strict=True)
    }


def check(case: Case, outcome: Outcome) -> None:
    """``ssh`` connects as the case says, and the harness as ``ssh``."""
    assert outcome.ssh_connected == case.connects, f"the test is wrong about ssh: {outcome.ssh_said}"
    finding = outcome.finding
    assert finding is not None, outcome.error
    assert "Traceback" not in outcome.error, outcome.error
    assert finding.connected == outcome.ssh_connected, (finding, outcome.ssh_said)
    if not outcome.ssh_connected:
        assert re.fullmatch(case.code, finding.code), (finding, outcome.ssh_said)
        assert re.search(case.says, finding.text), (finding, outcome.ssh_said)


def only(findings: Findings) -> Finding:
    """The finding of the one board that was asked about."""
    assert not findings.error, findings.error
    (finding,) = findings.values()
    return finding
