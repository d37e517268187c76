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
from harness.records.samples import UNSEEN
from harness.report.gather import ReportData
from harness.report.paper.forms import unmeasured
from harness.report.paper.kept import lost as lost
from harness.report.paper.kept import on_strangers
from harness.report.paper.rivals import FASTER, SLOWER, UNSURE, Versus
from harness.report.paper.roles import COMPRESSED, FULL, PRUNED, PUBLISHED
from harness.report.parts import TablePart, focused
from harness.report.provenance import cross, looks, precise
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
TOO_FEW = f"undecided: fewer than the paper's {IMAGES} images"
LOOK = "no claim: trained for a quick look"


@dataclass(frozen=True)
class Claim:
    """One row: the paper's claim, the measured result, its conditions, and the conclusion.

    Attributes:
        overturned_by: the result that would overturn the conclusion, and how it would be found.
        beside: facts that the paper doesn't mention but that a reader needs: rivals after the same compression.
        forms: which forms of the networks were not measured, so that the best form is the best of the others.
        board: the board of a row that is about a single one.
    """

    claim: str
    measured: str
    conditions: str
    verdict: str
    overturned_by: str = ""
    beside: str = ""
    forms: str = ""
    board: str = ""


def claims(data: ReportData, found: list[Versus]) -> list[Claim]:
    """All rows, in the order of the abstract; ``found`` is every rival on every board."""
    rows = [_network(data), *_accuracy(data), *_size(data), *_speed(data, found)]
    return [replace(row, verdict=LOOK) if row.verdict != NO_DATA else row for row in rows] if looks(data) else rows


_COLUMNS: tuple[Column[Claim], ...] = (
    Column("claim", "The paper says", lambda row: row.claim),
    Column("measured", "Measured", lambda row: row.measured),
    Column("conditions", "Conditions", lambda row: row.conditions),
    Column("verdict", "Verdict", lambda row: row.verdict),
    Column("overturned_by", "What would overturn it", lambda row: row.overturned_by or None),
    Column("forms", "Forms", lambda row: row.forms or None),
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
    return Claim(
        claim,
        measured,
        "Built as the abstract says; what it leaves open is our choice.",
        FOUND,
        overturned_by="The paper's full text, if it describes other blocks or sums: only its abstract was at hand.",
    )


def _accuracy(data: ReportData) -> list[Claim]:
    found = []
    for name in (FULL, PRUNED):
        claim = f"98.99 % on CK+ ({RIGHT} of {IMAGES} images)" + ("" if name == FULL else ", kept after compression")
        manifest = data.manifests.get(name)
        cells = data.valid[data.valid.model == name].sort_values("accuracy", kind="stable", ascending=False)
        # A claim about the compressed network must hold for the most compressed file, not for the best one; and of two
        # such files, for the one that strangers find less accurate.
        if name == PRUNED:
            found_by = cells.judged.where(cells.judged_by != "", 0.0)
            cells = cells.assign(found_by=found_by).sort_values("found_by", kind="stable")
        cells = cells.sort_values("variant", kind="stable", key=lambda v: v != ("fp32" if name == FULL else "int8"))
        cells = cells.sort_values("scheme", kind="stable", key=lambda scheme: scheme == UNSEEN)
        if manifest is None or cells.empty:
            found.append(Claim(claim, "", f"No VALID cell of {name}, or no manifest of it.", NO_DATA))
            continue
        row = _accuracy_of(claim, manifest, cells.iloc[0])
        if name == PRUNED and (kept := lost(data.manifests.get(FULL), manifest)):
            row = replace(row, measured=f"{row.measured}. Against {FULL}: {kept}")
        full = data.manifests.get(FULL) if name == PRUNED else None
        if words := on_strangers(manifest, str(cells.iloc[0].model_sha256), full):
            where = "by the board" if cells.iloc[0].scheme == UNSEEN else "on the paper's split"
            row = replace(row, measured=f"{words[0].upper()}{words[1:]}. Measured {where}: {row.measured}")
        found.append(replace(row, overturned_by=_overturned(name, synthetic=bool(cells.iloc[0].synthetic))))
    return found


def _overturned(name: str, *, synthetic: bool) -> str:
    """What would overturn a claim about accuracy."""
    if synthetic:
        text = (
            f"Drawn faces can neither show nor refute an accuracy on CK+. A CK+ copy can: harness build {name} --data "
            "PATH, with an interval that lies below 98.99 %"
        )
    else:
        text = "An interval that lies below 98.99 %, of more images or of people whom training has not seen"
    if name == PRUNED:
        text += (
            f". That accuracy is kept: a paired difference from {FULL} on other strangers whose interval lies below 0 "
            "(python -m benchmarks.unseen --seeds 201,202)"
        )
    return f"{text}."


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
    if interval.high < RIGHT / IMAGES:
        return Claim(claim, measured, conditions, NOT_FOUND)
    return Claim(claim, measured, conditions, FOUND if n >= IMAGES else TOO_FEW)


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
    least = min((a for a in artifacts.values() if a[0] == FULL), key=lambda a: a[2])
    measured += f"; smallest form against smallest form, {brief(least[2] / 1e3)} kB: {brief(least[2] / after[2])} times"
    conditions = f"{FULL} {before[1]} against {PRUNED} {after[1]}; the abstract gives no number. Bytes have no interval"
    return [
        Claim(
            claim,
            measured,
            conditions,
            FOUND if ratio > 1 else NOT_FOUND,
            overturned_by=f"A form of {FULL} that is smaller than {brief(after[2] / 1e3)} kB.",
        )
    ]


def _speed(data: ReportData, found: list[Versus]) -> list[Claim]:
    claim = "On edge devices it is faster than many popular edge networks."
    rows = []
    for board in dict.fromkeys((each.group, each.clock) for each in found):
        mine = [each for each in found if (each.group, each.clock) == board]
        row = _speed_on(claim, mine)
        cells = data.of(mine[0].clock)
        networks = (PRUNED, *(each.rival.model for each in mine))
        forms = unmeasured(data, cells[cells.group == board[0]], networks)
        rows.append(replace(row, forms=forms, overturned_by=_opposite(mine, forms)))
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


def _opposite(found: list[Versus], forms: str) -> str:
    """What would overturn the conclusion about speed on a board: a better form of a rival, or of ours."""
    published = [each for each in found if each.role == PUBLISHED]
    if not published:
        return "Any published rival, measured on this board."
    near = max(published, key=lambda each: each.ratio)
    inside = f", 95 % interval {near.low:.3g} to {near.high:.3g}" if near.low is not None else ""
    if sum(each.verdict == FASTER for each in published) * 2 > len(published):
        text = "Some form of most published rivals that takes certainly less time here than ours in its best form"
    else:
        text = "A form of ours that takes certainly less time here than most published rivals in their best forms"
    text += f". The nearest rival is {near.rival.label}: ours takes {near.ratio:.3g} of its time{inside}"
    return f"{text}. A form that was not measured could be nearer." if forms else f"{text}."


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
