"""Severities and codes of the doctor's checks."""

from __future__ import annotations

from harness.core.check import Check


def codes(checks: list[Check]) -> list[tuple[str, str]]:
    """(severity, code) of each check; what is not fine must say what to do, a note may leave it out."""
    assert all(check.fix for check in checks if check.severity in {"error", "warning"})
    return [(check.severity, check.code) for check in checks]
