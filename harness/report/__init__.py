"""Reports made from stored results alone: tables (CSV, Markdown), figures (SVG, PNG) and one self-contained HTML page.

The same results give the same bytes, so nothing here reads the time, the machine's name or the order of a folder.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ReportError, StoreError, UsageError
from harness.core.files import write_output
from harness.records.manifest import Manifest
from harness.report import compare_page, history, page, tables
from harness.report.drawers import drawn
from harness.report.figures import PLOTS
from harness.report.figures.canvas import Caption, Drawing, styled
from harness.report.finished import Finished, Finisher, Task, Wanted, tasks
from harness.report.gather import ReportData, gather
from harness.report.summary import summarise
from harness.report.table import Table
from harness.results.compare import Comparison

#: File formats in which a figure can be written.
FORMATS = ("svg", "png")

__all__ = ["FORMATS", "PLOTS", "ReportPaths", "render", "render_comparison", "render_history"]


@dataclass(frozen=True)
class ReportPaths:
    """The files that were written. ``index`` is None when only single plots were requested."""

    index: Path | None
    tables: tuple[Path, ...]
    figures: tuple[Path, ...]


def render(
    runs: Sequence[Path],
    out: Path,
    *,
    manifests: Mapping[str, Manifest] | None = None,
    plots: Sequence[str] | None = None,
    formats: Sequence[str] = FORMATS,
    processes: int = 1,
) -> ReportPaths:
    """Write the report of one or several runs.

    Args:
        runs: run folders (``results/<run>``); where several hold the same cell, the newest result counts.
        out: folder for ``index.html``, ``tables/`` and ``figures/``; files of the same name are replaced.
        manifests: provenance by network; None takes the copies in ``<run>/manifests/``.
        plots: names from ``PLOTS``; if any are given, only these figures are written, without tables and page.
        formats: of ``svg`` and ``png``.
        processes: how many may draw at a time; the files are the same with any number.

    Raises:
        UsageError: unknown plot or format.
        ReportError, StoreError: there is nothing to report on, or a run can't be read.
    """
    _check(plots or (), PLOTS, "plot")
    _check(formats, FORMATS, "format")
    with _no_collection():
        return _render(gather(runs, manifests), out, plots, _Drawn(tuple(formats), processes))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Turn the search for reference cycles off meanwhile.

    A report creates millions of numbers that stay alive, and searching them again and again takes a fifth of the time.
    Reference counting still frees everything else.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


@dataclass(frozen=True)
class _Drawn:
    """How figures are drawn: the formats of their files, and the number of processes."""

    formats: tuple[str, ...]
    processes: int


def _render(data: ReportData, out: Path, plots: Sequence[str] | None, how: _Drawn) -> ReportPaths:
    chosen, left_out = _chosen(data, plots)
    # where figures are left out, a PNG of the others would take as long again
    wanted = Wanted(("svg",) if left_out and "svg" in how.formats else how.formats, keep=not plots)
    with styled():
        shown, figures = _write_figures(drawn(data, chosen, wanted, how.processes), out / "figures", wanted)
    if plots:
        return ReportPaths(None, (), figures)
    summary = summarise(data)
    made = tables.build(data, summary)
    written = _write_tables(made, out / "tables")
    context = page.context(data, summary, made, shown)
    side_pages = page.side_pages(context)
    for side_page in side_pages:
        _write(out / side_page.file, side_page.html(context))
    _remove_stale(out, keep={side_page.file for side_page in side_pages})
    pages = [*(page.Beside(each.file, each.title) for each in side_pages), *_beside(out)]
    _write(out / "index.html", page.index(context, shown, pages=pages, left_out=left_out))
    return ReportPaths(out / "index.html", written, figures)


def _remove_stale(out: Path, keep: Set[str]) -> None:
    """Remove side pages of an earlier report there: they would speak of results that this one doesn't have."""
    for side_page in page.SIDE_PAGES:
        if side_page.file not in keep:
            with suppress(OSError):
                (out / side_page.file).unlink(missing_ok=True)


def _beside(out: Path) -> list[page.Beside]:
    """The pages that other commands write beside this one: their paths, or the command that makes them."""
    return [
        *(
            page.Beside(name if (out / name).is_file() else None, title, command)
            for name, title, command in (
                ("compare.html", "two runs side by side", "harness compare OLDER NEWER --out reports"),
                ("history.html", "cells over all runs", "harness report --history --out reports"),
            )
        ),
    ]


#: Above this many VALID cells a report draws only the overview of one board of each clock, unless plots are requested
#: by name.
MANY_CELLS = 2000
#: Above this many boards only the overview is drawn for all of them; the other figures are drawn for the first ones.
MOST_BOARDS = 6
#: The overview, and what it is called; the second one where nothing judges any cell.
_OVERVIEWS = (("pareto", "accuracy against latency"), ("latency", "latency"))


def _chosen(data: ReportData, plots: Sequence[str] | None) -> tuple[list[Task], str]:
    """The tasks that draw the requested figures, and the note on those that are left out."""
    boards = [int(group) for clock in data.clocks for group in data.of(clock).group.unique()]
    overview, words = _OVERVIEWS[not data.valid.metric.notna().any()]
    if plots or (len(data.valid) <= MANY_CELLS and len(boards) <= MOST_BOARDS):
        return list(tasks(data, plots or PLOTS, boards)), ""
    if len(data.valid) > MANY_CELLS:
        shown = [int(data.of(clock).group.iloc[0]) for clock in data.clocks if len(data.of(clock))]
        notice = (
            f"With {len(data.valid):,} valid cells, only {words} of {_names(data, shown)} is drawn "
            "here. Tables have all cells; harness report --plot draws any figure, of all boards."
        )
        return list(tasks(data, [overview], shown)), notice
    shown = _first(data, MOST_BOARDS)
    notice = (
        f"With {len(boards)} boards, {words} is drawn of all, the other figures of "
        f"{_names(data, shown)}. Tables have all boards; harness report --plot draws any figure of all of them, "
        "for example --plot latency."
    )
    others = [name for name in PLOTS if name != overview]
    return [*tasks(data, [overview], boards), *tasks(data, others, shown)], notice


def _first(data: ReportData, most: int) -> list[int]:
    """The first boards of each clock, the same number for each clock where there are enough."""
    queues = [[int(group) for group in data.of(clock).group.unique()] for clock in data.clocks]
    ranked = [(rank, place, group) for place, queue in enumerate(queues) for rank, group in enumerate(queue)]
    chosen = {group for _, _, group in sorted(ranked)[:most]}
    return [group for queue in queues for group in queue if group in chosen]


def _names(data: ReportData, groups: Sequence[int]) -> str:
    labels = dict(zip(data.cells.group.tolist(), data.cells.board_label.tolist(), strict=True))
    return ", ".join(labels[group] for group in groups)


def render_comparison(comparison: Comparison, out: Path, *, formats: Sequence[str] = FORMATS) -> ReportPaths:
    """Write ``compare.html`` with its table and figures.

    Args:
        comparison: what :func:`harness.results.compare.compare` gave.
        out, formats: as for :func:`render`.
    """
    table = compare_page.table(comparison)
    shown, figures = _write_drawings(lambda: compare_page.changes(comparison), out, formats)
    return _write_page(out, page.compare_page(comparison, table, shown), table, figures)


def render_history(runs: Sequence[Path], out: Path, *, formats: Sequence[str] = FORMATS) -> ReportPaths:
    """Write ``history.html``: one line a cell over the runs given, oldest first.

    Raises:
        ReportError: fewer than two runs.
        StoreError: a run.json can't be read.
    """
    if len(runs) < 2:
        raise ReportError("a history needs at least two runs")
    gathered = history.gather(runs)
    table = history.table(gathered)
    shown, figures = _write_drawings(lambda: history.drawings(gathered), out, formats)
    return _write_page(out, page.history_page(gathered, table, shown), table, figures)


def _write_drawings(
    draw: Callable[[], Iterable[Drawing]], out: Path, formats: Sequence[str]
) -> tuple[list[tuple[Caption, str]], tuple[Path, ...]]:
    """Write the figures of a page beside the report's; returns each drawing with its SVG, and the files' paths."""
    _check(formats, FORMATS, "format")
    wanted = Wanted(tuple(formats))
    with styled():
        return _write_figures(map(Finisher(wanted).finish, draw()), out / "figures", wanted)


def _write_page(out: Path, html: str, table: Table, figures: tuple[Path, ...]) -> ReportPaths:
    """Write a page beside the report's; its file is named after its one table."""
    written = _write_tables({table.name: table}, out / "tables")
    path = out / f"{table.name}.html"
    _write(path, html)
    return ReportPaths(path, written, figures)


def _check(asked: Sequence[str], known: Sequence[str] | Mapping[str, object], what: str) -> None:
    for name in asked:
        if name not in known:
            raise UsageError(f"no {what} '{name}'", fix=f"one of: {', '.join(known)}")


def _write_figures(
    figures: Iterable[Finished], folder: Path, wanted: Wanted
) -> tuple[list[tuple[Caption, str]], tuple[Path, ...]]:
    """Write figures as they are finished; returns each with its SVG (none unless wanted), and the files' paths."""
    paths: list[Path] = []
    kept: list[tuple[Caption, str]] = []
    taken: set[str] = set()
    for made in figures:
        named = Caption(_free(made.name, taken), made.plot, made.title, made.alt)
        contents: dict[str, str | bytes] = {"svg": made.svg, "png": made.png}
        for suffix, content in contents.items():
            if suffix in wanted.formats:
                paths.append(folder / f"{named.name}.{suffix}")
                _write(paths[-1], content)
        if wanted.keep:
            kept.append((named, made.svg))
    return kept, tuple(paths)


def _free(name: str, taken: set[str]) -> str:
    """A file name that is not taken yet: labels that differ only in special characters would give the same name."""
    fresh, number = name, 2
    while fresh.lower() in taken:  # some file systems ignore the case of letters
        fresh, number = f"{name}-{number}", number + 1
    taken.add(fresh.lower())
    return fresh


def _write_tables(made: Mapping[str, Table], folder: Path) -> tuple[Path, ...]:
    paths = []
    for table in made.values():
        for suffix, content in (("csv", table.csv()), ("md", table.markdown())):
            paths.append(folder / f"{table.name}.{suffix}")
            _write(paths[-1], content)
    return tuple(paths)


def _write(path: Path, content: str | bytes) -> None:
    """Write the whole file or nothing. It does not wait for the disk, since a report can always be made again."""
    try:
        write_output(path, content, durable=False)
    except StoreError as error:
        raise ReportError(error.message, fix=error.fix) from error
