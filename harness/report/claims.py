"""What the paper claims and what was found, row by row, each with its conditions.

The paper: Xu, Yin, Yang, "Facial Expression Recognition Based on Convolutional Neural Networks and Edge Computing",
IEEE TOCS 2020, doi 10.1109/TOCS50858.2020.9339739. Only its abstract was at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness import stats
from harness.manifest import Manifest
from harness.report.data import Clock, ReportData
from harness.report.provenance import cross, precise
from harness.report.table import Table, brief

PAPER = (
    "Xu, Yin, Yang: Facial Expression Recognition Based on Convolutional Neural Networks and Edge Computing, IEEE TOCS "
    "2020, doi 10.1109/TOCS50858.2020.9339739 (its abstract)"
)
FULL, PRUNED = "resvgg19", "resvgg19-pruned"
#: 98.99 % is 98 of 99 images, and 99 is a tenth of the 981-image form of CK+.
RIGHT, IMAGES = 98, 99

FOUND, NOT_FOUND, NO_DATA = "found", "not found", "no data in these results"
NEEDS_DATA, NEEDS_BOARDS = "not verifiable without CK+", "not verifiable without hardware"


@dataclass(frozen=True)
class Claim:
    """One row: what the paper says, what was measured, under which conditions, and what that amounts to."""

    claim: str
    measured: str
    conditions: str
    verdict: str


def claims(data: ReportData) -> list[Claim]:
    """All rows, in the order of the abstract."""
    return [_network(data), *_accuracy(data), *_size(data), *_speed(data)]


def claims_table(found: list[Claim]) -> Table:
    """The rows as a table."""
    columns = (
        ("claim", "The paper says"),
        ("measured", "Measured"),
        ("conditions", "Conditions"),
        ("verdict", "Verdict"),
    )
    rows = tuple((c.claim, c.measured, c.conditions, c.verdict) for c in found)
    return Table("claims", "What the paper claims and what was found", columns, rows, PAPER)


def _network(data: ReportData) -> Claim:
    claim = "A VGG19 in which each block's input is added to its output, and the sum feeds the next block."
    manifest = data.manifests.get(FULL)
    if manifest is None:
        return Claim(claim, "", f"No manifest of {FULL} is stored with these results.", NO_DATA)
    measured = f"{FULL}: {manifest.parameters / 1e6:.3g} million parameters, {manifest.macs / 1e6:,.0f} million MACs"
    return Claim(claim, measured, "Built as the abstract says; what it leaves open is our choice.", FOUND)


def _accuracy(data: ReportData) -> list[Claim]:
    found = []
    for name in (FULL, PRUNED):
        claim = f"98.99 % on CK+ ({RIGHT} of {IMAGES} images)" + ("" if name == FULL else ", kept after compression")
        manifest = data.manifests.get(name)
        cells = data.valid[data.valid.model == name].sort_values("accuracy", kind="stable", ascending=False)
        if manifest is None or cells.empty:
            found.append(Claim(claim, "", f"No VALID cell of {name}, or no manifest of it.", NO_DATA))
            continue
        found.append(_accuracy_of(claim, manifest, cells.iloc[0]))
    return found


def _accuracy_of(claim: str, manifest: Manifest, cell: pd.Series[Any]) -> Claim:
    n = int(str(cell["n"]))
    right = round(float(str(cell["accuracy"])) * n)
    interval = stats.wilson(right, n)
    measured = (
        f"{cell['label']}: {right} of {n}, {right / n:.1%} (95 % interval {interval.low:.1%} to {interval.high:.1%})"
    )
    if subject := cross(manifest, "subject"):
        measured += f"; subject-disjoint split: {subject}"
    best = precise(manifest)
    overlap = (
        f", {cell['subject_overlap']:.0f} test images of people also in training"
        if pd.notna(cell["subject_overlap"])
        else ""
    )
    conditions = (
        f"{cell['dataset']}, {cell['scheme']} split (seed {cell['seed']}){overlap}, profile {manifest.profile}"
        + (f"; {best.accuracy:.1%} when built" if best else "")
    )
    if cell["synthetic"]:
        return Claim(claim, measured, f"Synthetic stand-in, not CK+: {conditions}", NEEDS_DATA)
    return Claim(claim, measured, conditions, FOUND if interval.high >= RIGHT / IMAGES else NOT_FOUND)


def _size(data: ReportData) -> list[Claim]:
    claim = "Pruning and post-training quantisation make the network much smaller."
    cells = data.cells.drop_duplicates("model_sha256")
    artifacts = {a.sha256: (m.name, a.filename, a.bytes) for m in data.manifests.values() for a in m.artifacts}
    for cell in cells.itertuples():
        artifacts.setdefault(str(cell.model_sha256), (str(cell.model), str(cell.kind), int(str(cell.model_bytes))))
    full = [a for a in artifacts.values() if a[0] == FULL and "fp32" in a[1]]
    small = [a for a in artifacts.values() if a[0] == PRUNED and "int8" in a[1]]
    if not full or not small:
        return [Claim(claim, "", f"Needs {FULL} fp32 and {PRUNED} int8.", NO_DATA)]
    before, after = max(full, key=lambda a: a[2]), min(small, key=lambda a: a[2])
    ratio = before[2] / after[2]
    measured = f"{before[2] / 1e6:.3g} MB to {after[2] / 1e6:.3g} MB: {ratio:.3g} times smaller"
    conditions = f"{FULL} {before[1]} against {PRUNED} {after[1]}; the abstract gives no number"
    return [Claim(claim, measured, conditions, FOUND if ratio > 1 else NOT_FOUND)]


def _speed(data: ReportData) -> list[Claim]:
    claim = "On edge devices it is faster than many popular edge networks."
    rows = []
    for clock in data.clocks:
        columns = ["device", "board", "board_label", "model", "label", "threads", "value"]
        for _, cells in data.of(clock)[columns].groupby("device", sort=False):
            row = _speed_on(claim, clock, cells)
            if row:
                rows.append(row)
    return rows or [Claim(claim, "", f"Needs {PRUNED} and at least one rival, VALID on one board.", NO_DATA)]


def _speed_on(claim: str, clock: Clock, cells: pd.DataFrame) -> Claim | None:
    """The best artifact of the pruned network against the best one of each rival, on one board."""
    cells = cells[cells.threads == cells.threads.min()]
    best = cells.sort_values("value", kind="stable").drop_duplicates("model").set_index("model")
    rivals = best[~best.index.isin((FULL, PRUNED))]
    if PRUNED not in best.index or rivals.empty:
        return None
    mine = best.loc[[PRUNED]].iloc[0]
    beaten = [str(name) for name in rivals.index[rivals.value > mine.value]]
    lost = [
        f"{name} ({mine.value / value:.2f} times as fast)"
        for name, value in rivals.value.items()
        if value <= mine.value
    ]
    measured = (
        f"{mine.label}: {brief(mine.value)} {clock.unit}, beats {len(beaten)} of {len(rivals)} rivals"
        + (f" ({', '.join(beaten)})" if beaten else "")
        + (f"; faster are {', '.join(lost)}" if lost else "")
    )
    where = f"{mine.board_label} ({mine.board}), fastest variant of each network, threads: {mine.threads}, {clock.note}"
    if clock.key != "real":
        return Claim(claim, measured, where, NEEDS_BOARDS)
    board = str(mine.board)
    if board == "generic":
        return Claim(claim, measured, f"{where}; this is no edge board", NEEDS_BOARDS)
    return Claim(claim, measured, where, FOUND if len(beaten) * 2 > len(rivals) else NOT_FOUND)
