"""The paper's claims beside the measured results, row by row, each with its conditions.

The paper: Xu, Yin, Yang, "Facial Expression Recognition Based on Convolutional Neural Networks and Edge Computing",
IEEE TOCS 2020, doi 10.1109/TOCS50858.2020.9339739. Only its abstract was available.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from harness.core import stats
from harness.records.manifest import Manifest
from harness.report.accuracy import SCHEMES, accuracy_under
from harness.report.gather import ReportData
from harness.report.paper.rivals import FASTER, SLOWER, UNSURE, Versus
from harness.report.paper.roles import COMPRESSED, FULL, PRUNED, PUBLISHED
from harness.report.parts import TablePart, focused
from harness.report.provenance import cross, precise
from harness.report.seeds import Scheme, over_seeds, share
from harness.report.table import Table, brief, tabulate
from harness.results.columns import Column

PAPER = (
    "Xu, Yin, Yang: Facial Expression Recognition Based on Convolutional Neural Networks and Edge Computing, IEEE TOCS "
    "2020, doi 10.1109/TOCS50858.2020.9339739 (its abstract)"
)
TITLE = "What the paper claims and what was found"
#: 98.99 % is 98 of 99 images, and 99 is a tenth of the 981-image form of CK+.
RIGHT, IMAGES = 98, 99

FOUND, NOT_FOUND, NO_DATA = "found", "not found", "no data in these results"
NEEDS_DATA, NEEDS_BOARDS = "not verifiable without CK+", "not verifiable without hardware"


@dataclass(frozen=True)
class Claim:
    """One row: the paper's claim, the measured result, its conditions, and the conclusion. ``beside`` holds facts that
    the paper doesn't mention but that a reader needs: rivals after the same compression. ``board`` is the board of a
    row that is about a single one.
    """

    claim: str
    measured: str
    conditions: str
    verdict: str
    beside: str = ""
    board: str = ""


def claims(data: ReportData, found: list[Versus]) -> list[Claim]:
    """All rows, in the order of the abstract; ``found`` is every rival on every board."""
    return [_network(data), *_accuracy(data), *_size(data), *_speed(found)]


_COLUMNS: tuple[Column[Claim], ...] = (
    Column("claim", "The paper says", lambda row: row.claim),
    Column("measured", "Measured", lambda row: row.measured),
    Column("conditions", "Conditions", lambda row: row.conditions),
    Column("verdict", "Verdict", lambda row: row.verdict),
    Column("beside", "Rivals after the same compression", lambda row: row.beside or None),
)


def claims_table(found: Sequence[Claim]) -> Table:
    """The rows as a table."""
    return tabulate(_COLUMNS, found, name="claims", title=TITLE, note=PAPER)


TABLE = TablePart(lambda _, summary: claims_table(summary.paper.claims), focused)


def _network(data: ReportData) -> Claim:
    claim = "A VGG19 in which each block's input is added to its output, and the sum feeds the next block."
    manifest = data.manifests.get(FULL)
    if manifest is None or manifest.parameters is None or manifest.macs is None:
        return Claim(claim, "", f"No manifest of {FULL} is stored with these results.", NO_DATA)
    parameters, macs = manifest.parameters / 1e6, manifest.macs / 1e6
    measured = f"{FULL}: {parameters:.3g} million parameters, {macs:,.0f} million MACs"
    return Claim(claim, measured, "Built as the abstract says; what it leaves open is our choice.", FOUND)


def _accuracy(data: ReportData) -> list[Claim]:
    found = []
    for name in (FULL, PRUNED):
        claim = f"98.99 % on CK+ ({RIGHT} of {IMAGES} images)" + ("" if name == FULL else ", kept after compression")
        manifest = data.manifests.get(name)
        cells = data.valid[data.valid.model == name].sort_values("accuracy", kind="stable", ascending=False)
        # A claim about the compressed network must hold for the most compressed file, not for the best one.
        cells = cells.sort_values("variant", kind="stable", key=lambda v: v != ("fp32" if name == FULL else "int8"))
        if manifest is None or cells.empty:
            found.append(Claim(claim, "", f"No VALID cell of {name}, or no manifest of it.", NO_DATA))
            continue
        row = _accuracy_of(claim, manifest, cells.iloc[0])
        if name == PRUNED and (kept := lost(data.manifests.get(FULL), manifest)):
            row = replace(row, measured=f"{row.measured}. Against {FULL}: {kept}")
        found.append(row)
    return found


def _accuracy_of(claim: str, manifest: Manifest, cell: pd.Series[Any]) -> Claim:
    n = int(str(cell["n"]))
    right = round(float(str(cell["accuracy"])) * n)
    interval = stats.wilson(right, n)
    measured = (
        f"{cell['label']}: {right} of {n}, {right / n:.1%} (95 % interval {interval.low:.1%} to {interval.high:.1%})"
    )
    if subject := cross(manifest, "subject"):
        measured += f"; subject-disjoint split, in %: {subject}"
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


def lost(full: Manifest | None, pruned: Manifest) -> str:
    """The loss from compression in percentage points, split by split; for the pruned network the mean over seeds where
    there are several.
    """
    losses = []
    for scheme, title in SCHEMES if full else ():
        before, after = accuracy_under(full, scheme) if full else None, accuracy_under(pruned, scheme)
        if before is None or after is None:
            continue
        was, now, words = before.interval.value, after.interval.value, f"{after.interval.value:.1%}"
        if seeds := over_seeds(pruned, scheme):
            now, words = seeds.mean, f"mean {seeds.summary}"
            was = _on(full, scheme, seeds.folds, seeds.profile) or was
        losses.append(f"{title.lower()} split, {words} against {was:.1%}, {(now - was) * 100:+.1f} points")
    return "; ".join(losses)


def _on(manifest: Manifest | None, scheme: Scheme, folds: frozenset[int], profile: str) -> float | None:
    """A network's accuracy on just these folds; None where one is missing."""
    checks = [c for c in manifest.cross_checks if (c.scheme, c.profile) == (scheme, profile)] if manifest else []
    trials = [trial for check in checks for trial in check.trials if trial.fold in folds]
    return share(trials) if {trial.fold for trial in trials} == folds else None


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
    measured = f"{brief(before[2] / 1e3)} kB to {brief(after[2] / 1e3)} kB: {brief(ratio)} times smaller"
    conditions = f"{FULL} {before[1]} against {PRUNED} {after[1]}; the abstract gives no number"
    return [Claim(claim, measured, conditions, FOUND if ratio > 1 else NOT_FOUND)]


def _speed(found: list[Versus]) -> list[Claim]:
    claim = "On edge devices it is faster than many popular edge networks."
    rows = []
    for board in dict.fromkeys((each.group, each.clock) for each in found):
        mine = [each for each in found if (each.group, each.clock) == board]
        rows.append(_speed_on(claim, mine))
    return rows or [Claim(claim, "", f"Needs {PRUNED} and at least one rival, VALID on one board.", NO_DATA)]


def _speed_on(claim: str, found: list[Versus]) -> Claim:
    """The speed claim on a board. Published networks decide, as the claim is about them; pruned ones are also shown."""
    published, compressed = ([each for each in found if each.role == role] for role in (PUBLISHED, COMPRESSED))
    first = found[0]
    measured = f"{first.ours.label}: {brief(first.ours.value)} {first.clock.unit}, {_counted(published, 'rivals')}"
    if published:
        quickest = min(published, key=lambda each: each.rival.value).rival
        measured += f"; accuracy {first.ours.accuracy:.1%}, that of the fastest rival {quickest.accuracy:.1%}"
    where = f"{first.label} ({first.family}), fastest artifact of each network, threads: {first.threads}"
    where = f"{where}, {first.clock.note}"
    beside = f"{PRUNED} {_counted(compressed, 'pruned rivals')}" if compressed else ""
    row = Claim(
        claim=claim, measured=measured, conditions=where, verdict=NEEDS_BOARDS, beside=beside, board=first.label
    )
    if not published:
        return replace(row, verdict=NO_DATA)
    if first.clock.key != "real":
        return row
    if first.family == "generic":
        return replace(row, conditions=f"{where}; this is no edge board")
    beaten = sum(each.verdict == FASTER for each in published)
    return replace(row, verdict=FOUND if beaten * 2 > len(published) else NOT_FOUND)


def _counted(found: list[Versus], what: str) -> str:
    """Which rivals the paper's network beats, which are faster and by how much, and where the samples don't decide."""
    if not found:
        return f"no {what} measured here"
    named: dict[str, list[str]] = {FASTER: [], SLOWER: [], UNSURE: []}
    for each in found:
        times = f" ({each.ratio:.2f} times its time)" if each.verdict != FASTER else ""
        named[each.verdict].append(each.rival.model + times)
    return (
        f"beats {len(named[FASTER])} of {len(found)} {what}"
        + (f" ({', '.join(named[FASTER])})" if named[FASTER] else "")
        + (f"; slower than {', '.join(named[SLOWER])}" if named[SLOWER] else "")
        + (f"; can't tell from {', '.join(named[UNSURE])}" if named[UNSURE] else "")
    )
