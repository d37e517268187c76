"""The parts that the paper adds to a report's page, and the page on its claims."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from harness.report.accuracy import for_page
from harness.report.paper import claims, rivals
from harness.report.paper.claims import Claim
from harness.report.paper.roles import COMPRESSED
from harness.report.parts import PageContext, PagePart, SidePage
from harness.report.tables import synthetic

TEMPLATES = Path(__file__).parent / "templates"


def _piece(page: PageContext, template: str, **known: object) -> Markup:
    html = page.environment.get_template(template).render(known)
    return Markup(html)  # noqa: S704 - the package's own template, which escapes its values


def _any_compressed(page: PageContext) -> bool:
    return page.data.focus is not None and bool((page.data.cells.role == COMPRESSED).any())


def _compressed(page: PageContext) -> Markup:
    """The note on rivals that were pruned in this project; empty where there are none."""
    return _piece(page, "compressed.html.j2") if _any_compressed(page) else Markup()


def _pareto_note(page: PageContext) -> Markup:
    return _piece(page, "pareto_note.html.j2") if _any_compressed(page) else Markup()


def _rivals(page: PageContext) -> Markup:
    if not page.summary.paper.rivals:
        return Markup()
    table = rivals.for_page(page.summary.paper.rivals)
    return _piece(page, "rivals.html.j2", table=table, note=page.tables[table.name].note)


def _ablation(page: PageContext) -> Markup:
    table = page.tables.get("ablation")
    return _piece(page, "ablation.html.j2", table=for_page(table)) if table and table.rows else Markup()


def _zeroed(page: PageContext, *, alone: bool) -> Markup:
    """Zeroed weights below the compression path, or in a section of their own where no path was drawn."""
    table = page.tables.get("zeroed")
    if table is None or not table.rows or alone is ("chain" in page.plots):
        return Markup()
    return _piece(page, "zeroed.html.j2", table=table, alone=alone)


PARTS = (
    PagePart("winners", _compressed),
    PagePart("note-pareto", _pareto_note),
    PagePart("pareto", _rivals),
    PagePart("chain", lambda page: _zeroed(page, alone=False)),
    PagePart("figures", lambda page: _zeroed(page, alone=True)),
    PagePart("accuracy", _ablation),
)


def _claims_page(page: PageContext) -> str:
    data = page.data
    return page.environment.get_template("claims.html.j2").render(
        data=data,
        title=claims.TITLE,
        claims=_grouped(page.summary.paper.claims),
        paper=claims.PAPER,
        synthetic=synthetic(data.cells),
        emulated=bool(data.cells.emulated.any()),
    )


def _grouped(found: Sequence[Claim]) -> list[tuple[str, list[Claim]]]:
    """Rows grouped by claim: some claims have a row a board."""
    return [(words, [each for each in found if each.claim == words]) for words in dict.fromkeys(c.claim for c in found)]


SIDE_PAGES = (SidePage("claims.html", "what the paper claims and what was found", _claims_page),)
