"""Results about the paper that are computed once and shown in several places."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.clock import Clock
from harness.report.gather import ReportData
from harness.report.paper.claims import Claim, claims
from harness.report.paper.rivals import Versus, against, standing
from harness.report.paper.roles import FOCUS


@dataclass(frozen=True)
class PaperFindings:
    """Every rival on every board, and the outcome of the paper's claims; both empty for results of other networks."""

    rivals: tuple[Versus, ...] = ()
    claims: tuple[Claim, ...] = ()

    def standing(self, group: int, clock: Clock) -> str:
        """The place of the paper's network among the rivals on a board, in half a sentence."""
        return standing([each for each in self.rivals if (each.group, each.clock) == (group, clock)])


def look(data: ReportData) -> PaperFindings:
    """The findings of a report whose results hold the paper's network; empty for any other."""
    if data.focus is not FOCUS:
        return PaperFindings()
    rivals = against(data.of_faces)
    return PaperFindings(rivals=tuple(rivals), claims=tuple(claims(data.of_faces, rivals)))
