"""Zeroing single weights, as in the paper's day, beside removing channels: what it does to size and to latency."""

from __future__ import annotations

from harness.manifest import Manifest, Zeroed
from harness.report.data import ReportData
from harness.report.table import Table, brief
from harness.safetext import clean

TITLE = "Zeroing weights instead of removing channels"
#: Medians of one file differ by as much from one time to the next on a machine that does other things too.
STAYS = 0.05


def zeroed_table(data: ReportData) -> Table:
    """One row a file and share of zeros, of every network whose manifest has some."""
    columns = (
        ("network", "Network"), ("file", "File"), ("zeros_percent", "Weights set to zero (%)"), ("bytes", "Bytes"),
        ("gzip_bytes", "Bytes after gzip"), ("gzip_ratio", "Zipped, by the file without zeros"),
        ("validation_accuracy_percent", "Accuracy, validation (%)"), ("accuracy_percent", "Accuracy, test (%)"),
        ("latency_ratio", "Latency, by the file without zeros"),
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
            said.append(_reading(name, max(manifest.zeroed, key=lambda row: row.share), whole))
    return Table("zeroed", TITLE, columns, tuple(rows), " ".join(said), "–")


def _whole(manifest: Manifest) -> dict[str, int]:
    """File name -> its size after gzip with no weight zeroed: from the row of share 0, else from the artifact."""
    found = {a.filename: a.gzip_bytes for a in manifest.artifacts if a.gzip_bytes}
    return found | {row.filename: row.gzip_bytes for row in manifest.zeroed if not row.share}


def _reading(name: str, most: Zeroed, whole: dict[str, int]) -> str:
    """What the row with the most zeros says, in one sentence."""
    before = whole.get(most.filename)
    size = (
        f"the zipped file is {brief(most.gzip_bytes / before)} of its size" if before else "the zipped file is smaller"
    )
    stays = abs(most.latency_ratio - 1) <= STAYS
    why = "its latency stays, since kernels multiply by zeros like by anything else" if stays else "its latency changes"
    return (
        f"{name} with {most.share:.0%} of its weights set to zero: {size}, {why} ({most.latency_ratio:.2f} times), and "
        f"{most.accuracy:.1%} of the test images are right."
    )
