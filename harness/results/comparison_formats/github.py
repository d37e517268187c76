"""A comparison as GitHub's Markdown, for a job's summary or the comment on a pull request.

What got worse comes first. GitHub takes 65,536 characters a comment, so what doesn't fit is counted instead of shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.core import safetext, stats
from harness.results.compare import Comparison
from harness.results.pairs import Pair

#: Rows that are shown at once; the others are folded.
ROWS = 20
#: A comment may have 65,536 characters; the rest is for headings.
_MOST = 60_000
_ORDER = ("slower", "can't tell", "refused", "faster", "same")
_HEAD = ("", "cell", "before", "after", "change", "accuracy")


def rendered(comparison: Comparison) -> str:
    """The Markdown: a headline, what trips the gate, and the cells in one table, the worst first."""
    pairs = sorted(comparison.pairs, key=_rank)
    reasons = _listed("What trips the gate", comparison.reasons)
    gone = _listed("Cells without a valid result now", comparison.lost)
    damaged = _listed("Files that can't be read", comparison.unreadable)
    parts = [*_headline(comparison), *reasons, *gone, *damaged, *_tables(pairs, _MOST // 2), *_notes(comparison)]
    return "\n".join(parts) + "\n"


def _headline(comparison: Comparison) -> list[str]:
    if comparison.tripped:
        headline = f"gate of {comparison.gate:.1%} tripped" if comparison.gate is not None else "gate tripped"
    elif comparison.gate is not None:
        headline = f"gate of {comparison.gate:.1%} held"
    else:
        headline = "compared, without a gate"
    counts = ", ".join(f"{count} {name}" for name, count in comparison.counts().items() if count)
    data = " Drawn faces: accuracy says nothing of people." if comparison.synthetic else ""
    return [
        f"### Benchmark: {headline}",
        "",
        f"{_safe(comparison.b)} against {_safe(comparison.a)}: {counts or 'no cell in both'}.{data}",
        "",
    ]


def _rank(pair: Pair) -> tuple[bool, bool, int, float, str]:
    """The place of a pair: what trips the gate, losses of accuracy, then by verdict, the largest change first."""
    lost = bool(pair.accuracy and pair.accuracy.significant and pair.accuracy.worse)
    change = abs(pair.ratio.value - 1) if pair.ratio else 0.0
    return not pair.gates, not lost, _ORDER.index(pair.verdict), -change, pair.cell


def _tables(pairs: Sequence[Pair], most: int) -> list[str]:
    """The first rows as a table, the others folded, and a count of those that don't fit."""
    if not pairs:
        return []
    lines = [*_head(), *(_row(pair) for pair in pairs[:ROWS]), ""]
    folded, length = [], 0
    for pair in pairs[ROWS:]:
        line = _row(pair)
        length += len(line) + 1
        if length > most:
            break
        folded.append(line)
    if folded:
        lines += [f"<details><summary>{len(folded)} more cells</summary>", "", *_head(), *folded, "", "</details>", ""]
    left = len(pairs) - ROWS - len(folded)
    if left > 0:
        lines += [f"{left} further cells are not shown: `harness compare --format json` has them.", ""]
    return lines


def _head() -> list[str]:
    return [f"| {' | '.join(_HEAD)} |", "|---|---|---:|---:|---:|---:|"]


def _row(pair: Pair) -> str:
    verdict = f"**{pair.verdict}**" if pair.gates or pair.verdict == "slower" else pair.verdict
    if pair.ratio is None:
        return f"| {verdict} | {_safe(pair.cell)} | {_safe('; '.join(pair.refused), 300)} | | | |"
    change = (pair.ratio.value - 1, pair.ratio.low - 1, pair.ratio.high - 1)
    fields = (
        verdict,
        _safe(pair.cell) + (f"<br>{_safe(pair.doubt, 300)}" if pair.doubt else ""),
        _median(pair.interval_a, pair.clock.short_unit),
        _median(pair.interval_b, pair.clock.short_unit),
        "{:+.1%} [{:+.1%}, {:+.1%}]".format(*change),
        _accuracy(pair),
    )
    return f"| {' | '.join(fields)} |"


def _median(interval: stats.Interval | None, unit: str) -> str:
    if interval is None:
        return ""
    return f"{interval.value:.4g} [{interval.low:.4g}, {interval.high:.4g}] {unit}"


def _accuracy(pair: Pair) -> str:
    accuracy = pair.accuracy
    if accuracy is None:
        return ""
    if not accuracy.changed:
        return accuracy.shown(accuracy.b)
    text = f"{accuracy.shown(accuracy.a)} → {accuracy.shown(accuracy.b)}"
    if not accuracy.tested:
        return text
    return f"{text} (p {accuracy.p_adjusted:.2g})"


def _listed(heading: str, items: Iterable[str]) -> list[str]:
    """A folded list, at most as many as rows are shown."""
    texts = list(items)
    if not texts:
        return []
    left = [f"- and {len(texts) - ROWS} more"] if len(texts) > ROWS else []
    opened = " open" if len(texts) <= 5 else ""
    listed = [f"- {_safe(text, 400)}" for text in texts[:ROWS]]
    return [f"<details{opened}><summary>{heading}: {len(texts)}</summary>", "", *listed, *left, "", "</details>", ""]


def _notes(comparison: Comparison) -> list[str]:
    intervals = "Brackets hold 95 % intervals; p-values are adjusted for the number of cells."
    return [*(f"Note: {_safe(note, 400)}\n" for note in comparison.notes[:ROWS]), f"<sub>{intervals}</sub>"]


def _safe(text: str, limit: int = 200) -> str:
    """Text that holds no markup and names nobody: an ``@`` in a comment would notify that user."""
    return safetext.markdown(safetext.clean(text, limit)).replace("@", "&#64;")
