"""Networks that can be in focus. To add one, write a :class:`~harness.report.focus.Focus` and add a line here."""

from __future__ import annotations

from collections.abc import Iterable

from harness.report.focus import Focus
from harness.report.paper.roles import FOCUS

FOCI: tuple[Focus, ...] = (FOCUS,)


def focus_on(networks: Iterable[str]) -> Focus | None:
    """The focus of results with these networks; None where they have none."""
    names = set(networks)
    return next((focus for focus in FOCI if focus.family & names), None)


def named(network: str | None) -> Focus | None:
    """The focus on that network, for another process: a focus holds functions, which can't be sent. None for none."""
    return next((focus for focus in FOCI if focus.network == network), None)
