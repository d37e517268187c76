"""The HTML page: one file that needs nothing else, from a Jinja2 template with autoescape on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.core.clock import clock_of
from harness.core.safetext import clean
from harness.report import estimates, judged, outputs, ranking, releases
from harness.report.accuracy import for_page
from harness.report.boards import pick_rule, recall_for_page
from harness.report.compare_page import noun as compare_page_noun
from harness.report.evidence import content
from harness.report.figures import FIGURES
from harness.report.figures.canvas import Caption
from harness.report.focus import Focus
from harness.report.gather import ReportData
from harness.report.grid import grid
from harness.report.history import History
from harness.report.paper.parts import PARTS as PAPER_PARTS
from harness.report.paper.parts import SIDE_PAGES as PAPER_PAGES
from harness.report.paper.parts import TEMPLATES as PAPER_TEMPLATES
from harness.report.parts import PageContext, PagePart, SidePage
from harness.report.pictures import picture, pictures
from harness.report.provenance import looks
from harness.report.registry import focus_on
from harness.report.summary import Summary
from harness.report.table import Table, brief, human
from harness.report.tables import synthetic
from harness.report.trust import disagreeing, trust
from harness.results.compare import Comparison

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Beside:
    """A page beside the report's: its address, or None and the command that makes it."""

    address: str | None
    title: str
    command: str = ""


def _harmless(value: object) -> object:
    """Remove terminal escapes and direction marks from every text that a template writes; Jinja2 escapes the rest."""
    return clean(value, 20_000) if isinstance(value, str) and not isinstance(value, Markup) else value


#: The place in the pages' stylesheet where the style of a focus is inserted.
_STYLE_SLOT = "/* here: what a focus brings */\n"


def environment(focus: Focus | None = None) -> Environment:
    """The Jinja2 settings of every page: everything is escaped, unknown names are errors."""
    env = Environment(
        loader=FileSystemLoader([TEMPLATES, PAPER_TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_harmless,
        lstrip_blocks=True,
    )
    env.filters["human"] = human
    env.filters["brief"] = brief
    env.filters["percent"] = lambda value: f"{value * 100:.1f}\N{NO-BREAK SPACE}%"
    brought = focus.style.read_text(encoding="utf-8") if focus else ""
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8").replace(_STYLE_SLOT, brought)
    env.globals["focus"] = focus
    env.globals["looks"] = ()
    env.globals["style"] = Markup(style)  # noqa: S704 - our own file
    env.globals["script"] = Markup((TEMPLATES / "report.js").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    return env


#: The sections after the figures, for the table of contents.
_TABLES = (
    ("agreement", "Do the boards agree?"), ("outputs", "Outputs"), ("not-valid", "Without a valid measurement"),
    ("skipped", "Left out"), ("cells", "All cells"), ("accuracy", "Both splits"), ("recall", "Recall"),
    ("boards", "Boards"), ("networks", "Where artifacts come from"),
)  # fmt: skip
_MOST_STDERR = 20


#: Pieces that belong to some reports alone.
PARTS: tuple[PagePart, ...] = (ranking.PART, estimates.PART, releases.PART, *PAPER_PARTS)
#: Pages that belong to some reports alone.
SIDE_PAGES: tuple[SidePage, ...] = PAPER_PAGES


def context(
    data: ReportData, summary: Summary, tables: Mapping[str, Table], figures: Sequence[tuple[Caption, str]]
) -> PageContext:
    """The data that the page and all its parts are made from; ``figures`` are drawings with their SVG."""
    env = environment(data.focus)
    env.globals["looks"] = looks(data)
    return PageContext(
        environment=env,
        data=data,
        summary=summary,
        tables=tables,
        plots=frozenset(drawing.plot for drawing, _ in figures),
    )


def side_pages(page: PageContext) -> list[SidePage]:
    """The pages that these results have beside the report's own."""
    return [each for each in SIDE_PAGES if each.applies(page.data)]


def _parts(page: PageContext) -> Mapping[str, list[Markup]]:
    """The pieces that these results have, by their slot."""
    slots: dict[str, list[Markup]] = defaultdict(list)
    for part in PARTS:
        if html := part.html(page):
            slots[part.slot].append(html)
    return slots


def index(
    page: PageContext,
    figures: Sequence[tuple[Caption, str]],
    *,
    pages: Sequence[Beside] = (),
    left_out: str = "",
) -> str:
    """The report's page.

    Args:
        figures: each drawing with its SVG.
        pages: the pages beside this one.
        left_out: the note on figures that were not drawn.
    """
    data, summary = page.data, page.summary
    drawn = [figure for figure in FIGURES if figure.name in page.plots]
    contents = [("believe", "Can I believe it?"), *((f"s-{figure.name}", figure.heading) for figure in drawn)]
    cells = grid(data)
    known = {
        "data": data,
        "tables": page.tables,
        "figures": pictures(figures),
        "sections": drawn,
        "absent": [figure.absent for figure in FIGURES if figure.absent and figure.name not in page.plots],
        "parts": _parts(page),
        "pages": pages,
        "left_out": left_out,
        "summary": summary,
        "disagreeing": disagreeing(data),
        "trust": trust(data),
        "overlap": _overlap(data),
        "judges": sorted(set(map(str, data.judges.values()))),
        "unjudged": judged.by_own_images(data.of_faces.valid),
        "synthetic": synthetic(data.cells),
        "emulated": bool(data.cells.emulated.any()),
        "stderrs": _stderrs(data),
        "contents": [*contents, *(each for each in _TABLES if each[0] in _sections(page))],
        "for_page": for_page,
        "outputs_for_page": outputs.for_page,
        "recall_for_page": recall_for_page,
        "pick_rule": escape(pick_rule(summary.winners)).replace("than the most accurate", "than the most\naccurate"),
        "noun": data.noun,
        "unlabelled": _unlabelled(data),
        "grid": cells,
        "grid_json": cells.json(),
    }
    return page.environment.get_template("index.html.j2").render(known)


#: Sections that only reports with this table have.
_OWN_TABLE = ("outputs", "accuracy", "recall")


def _sections(page: PageContext) -> list[str]:
    """The sections after the figures that these results have."""
    return [name for name, _ in _TABLES if name not in _OWN_TABLE or name in page.tables]


def compare_page(found: Comparison, table: Table, figures: Sequence[tuple[Caption, str]]) -> str:
    """The page of a comparison."""
    refused, gated = ([p for p in found.pairs if getattr(p, name)] for name in ("refused", "gates"))
    changed = [p for p in found.pairs if p.accuracy and p.accuracy.changed]
    env = environment(focus_on(pair.model for pair in found.pairs if pair.faces))
    return env.get_template("compare.html.j2").render(
        found=found,
        table=table,
        counts=found.counts(),
        figures=[(d, picture(d, svg)) for d, svg in figures],
        accuracy=changed,
        refused=refused,
        refusals=[f"{p.cell}: {'; '.join(p.refused)}" for p in refused],
        doubts=[f"{p.cell}: {p.doubt}" for p in found.pairs if p.doubt],
        tripped=[
            *(_marked(p.device, p.emulated, f"{p.model} {p.variant}: {'; '.join(p.gates)}") for p in gated),
            *found.gates,
        ],
        shares={name: clock_of(emulated, name).share for emulated, name in ((True, "instructions"), (False, "wall"))},
        noun=compare_page_noun(found),
        synthetic=found.synthetic,
        emulated=any(p.emulated for p in found.pairs),
    )


def history_page(history: History, table: Table, figures: Sequence[tuple[Caption, str]]) -> str:
    """The page of cells over time."""
    changed = [line for line in history.lines if any(p.change is not None for p in line.points)]
    changes = [
        _marked(line.device, line.emulated, f"{line.label}: {(p.change - 1) * 100:+.1f} % in {history.runs[p.run]}")
        for line in changed
        for p in line.points
        if p.change is not None
    ]
    env = environment(focus_on(line.model for line in history.lines if line.faces))
    return env.get_template("history.html.j2").render(
        history=history,
        table=table,
        figures=pictures(figures).get("history", []),
        changed=changed,
        changes=changes,
        synthetic=history.synthetic,
        emulated=any(line.emulated for line in history.lines),
    )


def _marked(device: str, emulated: bool, words: str) -> Markup:
    """A line about a board, with a mark if the board was emulated."""
    tag = Markup(' <span class="tag">emulated</span>') if emulated else ""
    return Markup("{}{}, {}").format(clean(device, 80), tag, clean(words, 2_000))


def _unlabelled(data: ReportData) -> int:
    """The number of VALID cells whose answers nothing judges."""
    return int(data.valid.metric.isna().sum())


def _stderrs(data: ReportData) -> list[tuple[str, list[str]]]:
    """(label of the cell, last lines of its runner's stderr) of cells that are not VALID."""
    found = []
    for _, cell in data.cells[data.cells.status != "VALID"].iterrows():
        text = content(cell.evidence).get("stderr")
        if text:
            found.append((f"{cell.device}, {cell.label}", str(text).splitlines()[-40:]))
    return found[:_MOST_STDERR]


def _overlap(data: ReportData) -> int | None:
    """The largest number of test images of a person who is also in the training set, over the random splits used; None
    where it is not known.
    """
    known = data.cells[(data.cells.scheme == "random") & data.cells.faces].subject_overlap.dropna()
    return int(known.max()) if len(known) else None
