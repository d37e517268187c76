"""The effect of the paper's shortcuts: VGG19 with and without them."""

from __future__ import annotations

from harness.records.manifest import Manifest
from harness.report.accuracy import MISSING, SCHEMES, NetworkAccuracy, accuracy_under, columns
from harness.report.gather import ReportData
from harness.report.paper.roles import FULL, PLAIN
from harness.report.parts import TablePart, focused
from harness.report.table import Table, tabulate
from harness.results.columns import Column

_COLUMNS = columns(
    Column("shortcuts", "Shortcuts", lambda network: network.name == FULL),
    Column("parameters", "Parameters", lambda network: network.manifest.parameters if network.manifest else None),
    Column("macs", "MACs", lambda network: network.manifest.macs if network.manifest else None),
)


def ablation_table(data: ReportData) -> Table:
    """VGG19 with and without shortcuts; no rows where either has no manifest."""
    networks = [NetworkAccuracy(name, data.manifests.get(name)) for name in (PLAIN, FULL)]
    return tabulate(
        _COLUMNS,
        networks if any(network.manifest for network in networks) else (),
        name="ablation",
        title="Plain against residual VGG19",
        note=_difference(*(network.manifest for network in networks)),
        missing=MISSING,
    )


TABLE = TablePart(lambda data, _: ablation_table(data), focused)


def _difference(plain: Manifest | None, residual: Manifest | None) -> str:
    """The gain from the shortcuts in percentage points, split by split."""
    sentences = []
    for scheme, title in SCHEMES:
        pair = [accuracy_under(manifest, scheme) if manifest else None for manifest in (plain, residual)]
        if pair[0] is None or pair[1] is None:
            sentences.append(f"{title} split: no figure for both.")
            continue
        low, high = sorted((each.interval for each in pair if each), key=lambda interval: interval.value)
        points = (pair[1].interval.value - pair[0].interval.value) * 100
        apart = "don't overlap" if low.high < high.low else "overlap: so few images can't tell the two apart"
        sentences.append(f"{title} split: residual minus plain {points:+.1f} points; intervals {apart}.")
    return " ".join(sentences)
