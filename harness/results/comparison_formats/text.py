"""A comparison for a terminal: one line a cell, then the sums, then what trips the gate."""

from __future__ import annotations

from harness.core.safetext import plain
from harness.results.compare import Comparison


def rendered(comparison: Comparison) -> str:
    """The lines of :func:`lines`."""
    return "\n".join(lines(comparison))


def lines(outcome: Comparison) -> list[str]:
    """A comparison line by line."""
    output = [f"{outcome.b} against {outcome.a}" + (" (synthetic data)" if outcome.synthetic else "")]
    for pair in outcome.pairs:
        if pair.ratio is None:
            output.append(f"refused  {pair.cell}: {'; '.join(pair.refused)}")
            continue
        interval = f"{pair.ratio.value:.4f} [{pair.ratio.low:.4f}, {pair.ratio.high:.4f}]"
        output.append(
            f"{pair.verdict:8} {pair.cell}: {pair.median_a:.4g} -> {pair.median_b:.4g} {pair.unit}, ratio {interval}"
            + (f" ({pair.doubt})" if pair.doubt else "")
        )
    output += [f"damaged  {file}" for file in outcome.unreadable]
    output += [f"lost     {cell}: VALID only in {outcome.a}" for cell in outcome.lost]
    output += [f"new      {cell}: only in {outcome.b}" for cell in outcome.new]
    output.append(", ".join(f"{count} {name}" for name, count in outcome.counts().items()))
    output += [f"note: {note}" for note in outcome.notes]
    output += [f"GATE {reason}" for reason in outcome.reasons]
    if outcome.gate is not None and not outcome.tripped:
        watched = sum(pair.verdict not in ("refused", "can't tell") for pair in outcome.pairs)
        doubtful = outcome.counts()["can't tell"]
        unsure = f", {doubtful} of which nobody can tell" if doubtful else ""
        output.append(f"gate of {outcome.gate:.1%}: not tripped, {watched} cells watched{unsure}")
    return [plain(line) for line in output]
