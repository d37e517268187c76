"""``harness compare``: two runs against each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Json, Results, split
from harness.cli.output import say
from harness.core.files import check_folder
from harness.core.safetext import plain

if TYPE_CHECKING:
    from harness.results.compare import Comparison


def compare(  # one parameter an option
    run_a: str,
    run_b: str,
    gate: Annotated[str | None, typer.Option(help="Fail on a significant slowdown above this, e.g. 5%.")] = None,
    allow: Annotated[list[str] | None, typer.Option(help="What may differ on purpose: runtime, os.")] = None,
    results: Results = Path("results"),
    out: Annotated[Path | None, typer.Option("--out", help="Also a page, compare.html, in this folder.")] = None,
    as_json: Json = False,
) -> None:
    """Compare two runs statistically; with --gate, exit 1 on a significant slowdown or loss of accuracy, and where a
    cell that was VALID isn't any more, is gone, or can't be compared."""
    from harness.results import store
    from harness.results.compare import compare, parse_gate, to_json

    limit = parse_gate(gate) if gate is not None else None
    if out is not None:
        check_folder(out, "--out")
    comparison = compare(store.find_run(results, run_a), store.find_run(results, run_b), limit, allow=split(allow))
    if out is not None:
        from harness.report import render_comparison

        say(f"page: {render_comparison(comparison, out).index}")
    print(json.dumps(to_json(comparison)) if as_json else "\n".join(comparison_lines(comparison)))
    raise typer.Exit(1 if comparison.tripped else 0)


def comparison_lines(outcome: Comparison) -> list[str]:
    """A comparison for a terminal: one line a cell, then the sums, then what trips the gate."""
    lines = [f"{outcome.b} against {outcome.a}" + (" (synthetic data)" if outcome.synthetic else "")]
    for pair in outcome.pairs:
        if pair.ratio is None:
            lines.append(f"refused  {pair.cell}: {'; '.join(pair.refused)}")
            continue
        interval = f"{pair.ratio.value:.4f} [{pair.ratio.low:.4f}, {pair.ratio.high:.4f}]"
        lines.append(
            f"{pair.verdict:8} {pair.cell}: {pair.median_a:.4g} -> {pair.median_b:.4g} {pair.unit}, ratio {interval}"
            + (f" ({pair.doubt})" if pair.doubt else "")
        )
    lines += [f"damaged  {file}" for file in outcome.unreadable]
    lines += [f"lost     {cell}: VALID only in {outcome.a}" for cell in outcome.lost]
    lines += [f"new      {cell}: only in {outcome.b}" for cell in outcome.new]
    lines.append(", ".join(f"{count} {name}" for name, count in outcome.counts().items()))
    lines += [f"note: {note}" for note in outcome.notes]
    lines += [f"GATE {reason}" for reason in outcome.reasons]
    if outcome.gate is not None and not outcome.tripped:
        watched = sum(pair.verdict not in ("refused", "can't tell") for pair in outcome.pairs)
        doubtful = outcome.counts()["can't tell"]
        unsure = f", {doubtful} of which nobody can tell" if doubtful else ""
        lines.append(f"gate of {outcome.gate:.1%}: not tripped, {watched} cells watched{unsure}")
    return [plain(line) for line in lines]


COMMAND = compare
