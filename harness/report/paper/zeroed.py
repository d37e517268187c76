"""Zeroing of single weights, as in the paper's day, beside the removal of channels: its effect on size and latency."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from harness.core.safetext import clean
from harness.records.manifest import Manifest, Zeroed
from harness.report.accuracy import MISSING
from harness.report.gather import ReportData
from harness.report.parts import TablePart, focused
from harness.report.table import Table, brief, tabulate
from harness.results.columns import Column

TITLE = "Zeroing weights instead of removing channels"
#: Medians of one file differ by this share between two measurements on a machine that also does other work.
STAYS = 0.05


@dataclass(frozen=True)
class _Row:
    """A file with a share of zeros; ``whole`` is its size after gzip without zeroed weights, None where unknown."""

    network: str
    zeroed: Zeroed
    whole: int | None


_COLUMNS: tuple[Column[_Row], ...] = (
    Column("network", "Network", lambda row: row.network),
    Column("file", "File", lambda row: clean(row.zeroed.filename, 40)),
    Column("zeros_percent", "Zeros (%)", lambda row: row.zeroed.share * 100),
    Column("bytes", "Bytes", lambda row: row.zeroed.bytes),
    Column("gzip_bytes", "Gzip (bytes)", lambda row: row.zeroed.gzip_bytes),
    Column("gzip_ratio", "Gzip ratio", lambda row: row.zeroed.gzip_bytes / row.whole if row.whole else None),
    Column("validation_accuracy_percent", "Validation (%)", lambda row: row.zeroed.validation_accuracy * 100),
    Column("accuracy_percent", "Test (%)", lambda row: row.zeroed.accuracy * 100),
    Column("latency_ratio", "Latency ratio", lambda row: row.zeroed.latency_ratio),
)


def zeroed_table(data: ReportData) -> Table:
    """One row a file and share of zeros, for every network whose manifest records them."""
    rows = {
        name: [_Row(name, zeroed, _whole(manifest).get(zeroed.filename)) for zeroed in manifest.zeroed]
        for name, manifest in sorted(data.manifests.items())
    }
    most = [max(of_network, key=lambda row: row.zeroed.share) for of_network in rows.values() if of_network]
    return tabulate(
        _COLUMNS,
        itertools.chain.from_iterable(rows.values()),
        name="zeroed",
        title=TITLE,
        note=_reading(most) if most else "",
        missing=MISSING,
    )


def _applies(data: ReportData) -> bool:
    return focused(data) or any(manifest.zeroed for manifest in data.manifests.values())


TABLE = TablePart(lambda data, _: zeroed_table(data), _applies)


def _whole(manifest: Manifest) -> dict[str, int]:
    """File name -> its size after gzip without zeroed weights: from the row of share 0, else from the artifact."""
    found = {a.filename: a.gzip_bytes for a in manifest.artifacts if a.gzip_bytes}
    return found | {row.filename: row.gzip_bytes for row in manifest.zeroed if not row.share}


def _reading(rows: list[_Row]) -> str:
    """The effect in the rows with the most zeros of each network, in one sentence for all."""
    sentences = []
    for row in rows:
        zeroed = row.zeroed
        size = f"{brief(zeroed.gzip_bytes / row.whole)} times the zipped size, " if row.whole else ""
        sentences.append(
            f"{clean(row.network, 64)} with {zeroed.share:.0%} zeros has {size}{zeroed.latency_ratio:.2f} times the "
            f"latency and {zeroed.accuracy:.1%} of the test images right"
        )
    stays = all(abs(row.zeroed.latency_ratio - 1) <= STAYS for row in rows)
    why = ": zipped size falls, latency stays, since kernels multiply by zeros like by anything else" if stays else ""
    return f"{'; '.join(sentences)}{why}."
