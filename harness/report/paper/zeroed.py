"""Zeroing single weights, as in the paper's day, beside removing channels: what it does to size and to latency."""

from __future__ import annotations

from harness.core.safetext import clean
from harness.records.manifest import Manifest, Zeroed
from harness.report.gather import ReportData
from harness.report.table import Table, brief

TITLE = "Zeroing weights instead of removing channels"
#: Medians of one file differ by as much from one time to the next on a machine that does other things too.
STAYS = 0.05


def zeroed_table(data: ReportData) -> Table:
    """One row a file and share of zeros, of every network whose manifest has some."""
    columns = (
        ("network", "Network"), ("file", "File"), ("zeros_percent", "Zeros (%)"), ("bytes", "Bytes"),
        ("gzip_bytes", "Gzip (bytes)"), ("gzip_ratio", "Gzip ratio"),
        ("validation_accuracy_percent", "Validation (%)"), ("accuracy_percent", "Test (%)"),
        ("latency_ratio", "Latency ratio"),
    )  # fmt: skip
    rows, said = [], []
    for name, manifest in sorted(data.manifests.items()):
        whole = _whole(manifest)
        for row in manifest.zeroed:
            before = whole.get(row.filename)
            rows.append((
                name, clean(row.filename, 40), row.share * 100, row.bytes, row.gzip_bytes,
                row.gzip_bytes / before if before else None, row.validation_accuracy * 100, row.accuracy * 100,
                row.latency_ratio,
            ))  # fmt: skip
        if manifest.zeroed:
            most = max(manifest.zeroed, key=lambda row: row.share)
            said.append((clean(name, 64), most, whole.get(most.filename)))
    return Table("zeroed", TITLE, columns, tuple(rows), _reading(said) if said else "", "–")


def _whole(manifest: Manifest) -> dict[str, int]:
    """File name -> its size after gzip with no weight zeroed: from the row of share 0, else from the artifact."""
    found = {a.filename: a.gzip_bytes for a in manifest.artifacts if a.gzip_bytes}
    return found | {row.filename: row.gzip_bytes for row in manifest.zeroed if not row.share}


def _reading(found: list[tuple[str, Zeroed, int | None]]) -> str:
    """What the row with the most zeros of each network says, in one sentence for all."""
    said = []
    for name, most, before in found:
        size = f"{brief(most.gzip_bytes / before)} times the zipped size, " if before else ""
        said.append(
            f"{name} with {most.share:.0%} zeros has {size}{most.latency_ratio:.2f} times the latency and "
            f"{most.accuracy:.1%} of the test images right"
        )
    stays = all(abs(most.latency_ratio - 1) <= STAYS for _, most, _ in found)
    why = ": zipped size falls, latency stays, since kernels multiply by zeros like by anything else" if stays else ""
    return f"{'; '.join(said)}{why}."
