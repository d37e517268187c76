"""The HTML page: one file that needs nothing else, from a Jinja2 template with autoescape on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.report.data import ReportData
from harness.report.figures.canvas import GRID, INK, MUTED, Drawing
from harness.report.summary import agreement, verdicts, winners
from harness.report.tables import Table, human, synthetic
from harness.safetext import clean

TEMPLATES = Path(__file__).parent / "templates"


def environment() -> Environment:
    """Jinja2 as every page uses it: everything escaped, unknown names refused."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    env.filters["clean"] = clean
    env.filters["human"] = human
    env.filters["percent"] = lambda value: f"{value:.1%}".replace("%", " %")
    env.globals["style"] = Markup((TEMPLATES / "report.css").read_text())  # noqa: S704 - our own file
    env.globals["script"] = Markup((TEMPLATES / "report.js").read_text())  # noqa: S704 - our own file
    return env


def inline(drawing: Drawing, svg: str) -> Markup:
    """An SVG to stand in the page: no XML prologue, an accessible name, ink and grid in the page's own colours.

    Safe as markup: matplotlib wrote it, with every text drawn as a path and comments escaped.
    """
    body = svg[svg.index("<svg ") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    for colour, variable in ((INK, "--ink"), (MUTED, "--muted"), (GRID, "--grid")):
        body = body.replace(f": {colour}", f": var({variable})")
    body = re.sub(r"\n\s*", "\n", body)
    label = Markup('<svg role="img" aria-label="{}" ').format(drawing.alt)
    return Markup(body.replace("<svg ", label, 1))  # noqa: S704


def index(data: ReportData, tables: Mapping[str, Table], figures: Sequence[tuple[Drawing, str]]) -> str:
    """The report's page.

    Args:
        figures: each drawing with its SVG.
    """
    by_plot: dict[str, list[tuple[Drawing, Markup]]] = {}
    for drawing, svg in figures:
        by_plot.setdefault(drawing.plot, []).append((drawing, inline(drawing, svg)))
    agreements = agreement(data)
    return environment().get_template("index.html.j2").render(
        data=data, tables=tables, figures=by_plot, winners=winners(data), verdicts=verdicts(data),
        agreements=agreements, disagreements=[a for a in agreements if a.differing], synthetic=synthetic(data.cells),
        emulated=bool(data.cells.emulated.any()), overlap=_overlap(data),
    )  # fmt: skip


def _overlap(data: ReportData) -> int | None:
    """Most test subjects seen in training, over the random splits used; None where nobody knows."""
    known = data.cells[data.cells.scheme == "random"].subject_overlap.dropna()
    return int(known.max()) if len(known) else None
