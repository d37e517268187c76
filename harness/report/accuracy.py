"""Tables of accuracy: every network under either split, and VGG19 with and without its shortcuts.

Figures come from the manifests kept with the results. A random split puts frames of one sequence, and faces of one
person, on both sides; the subject-disjoint one doesn't. How long each network was trained, and whether a teacher
helped, stands beside its figures: accuracies of networks that were trained differently don't rank the networks.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from harness.core import stats
from harness.core.safetext import clean
from harness.records.manifest import CrossCheck, Manifest
from harness.report.gather import ReportData
from harness.report.provenance import precise
from harness.report.seeds import Scheme, over_seeds, share
from harness.report.table import Table
from harness.results.columns import Value

PLAIN, RESIDUAL = "vgg19", "resvgg19"
SCHEMES: tuple[tuple[Scheme, str], ...] = (("random", "Random"), ("subject", "Subject-disjoint"))


@dataclass(frozen=True)
class Figure:
    """One accuracy: ``right`` of ``images`` test images, ``source`` says which trainings it is from."""

    right: int
    images: int
    source: str
    leak: int | None

    @property
    def interval(self) -> stats.Interval:
        """The share with Wilson's 95 % interval."""
        return stats.wilson(self.right, self.images)


def figure(manifest: Manifest, scheme: Scheme) -> Figure | None:
    """A network's accuracy under that split; None where nobody trained it so.

    The shipped artifact counts for the scheme it was built with, and folds for the subject-disjoint one: they cover
    more people than a single split.
    """
    checks = [check for check in manifest.cross_checks if check.scheme == scheme and check.trials]
    best = precise(manifest)
    shipped = manifest.split.scheme == scheme and best is not None
    if checks and (scheme == "subject" or not shipped):
        return _folds(max(checks, key=lambda check: (check.profile == "full", len(check.trials))))
    if not shipped or best is None:
        return None
    images = manifest.split.n_test
    source = f"{best.filename} as shipped, seed {manifest.seed}, {clean(manifest.profile, 20)}"
    return Figure(round(best.accuracy * images), images, source, manifest.split.subject_overlap)


def _folds(check: CrossCheck) -> Figure:
    """All folds as one; trainings of one fold with several seeds are averaged, so that no image counts twice."""
    folds: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for trial in check.trials:
        folds[trial.fold].append((trial.accuracy, trial.n_test))
    images = sum(max(n for _, n in found) for found in folds.values())
    right = sum(sum(a for a, _ in found) / len(found) * max(n for _, n in found) for found in folds.values())
    source = f"{len(folds)} of {check.folds} folds, {_seeds(check)}, {clean(check.profile, 20)}"
    if len(check.trials) > 1:
        source += f", {min(check.accuracies):.1%} to {max(check.accuracies):.1%}"
    return Figure(round(right), images, source, 0 if check.scheme == "subject" else None)


def _seeds(check: CrossCheck) -> str:
    return f"seed{'s' if len(check.seeds) > 1 else ''} {', '.join(map(str, check.seeds))}"


def epochs(manifest: Manifest) -> tuple[int | None, int | None]:
    """(epochs alone, epochs with a teacher), summed over the chain; None where its steps don't tell."""
    alone: list[int] = []
    taught: list[int] = []
    for step in manifest.chain:
        if found := re.search(r"(\d{1,6}) epochs?\b", step.detail):
            (taught if re.search(r"distil|teacher", step.detail) else alone).append(int(found[1]))
    return (sum(alone), sum(taught)) if alone or taught else (None, None)


def _columns(*first: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    columns = [*first, ("data", "Data"), ("epochs", "Epochs alone"), ("teacher_epochs", "with a teacher")]
    for scheme, title in SCHEMES:
        columns += [
            (f"{scheme}_percent", f"{title} split (%)"), (f"{scheme}_low_percent", "95 % interval, low (%)"),
            (f"{scheme}_high_percent", "high (%)"), (f"{scheme}_images", "Test images"),
            (f"{scheme}_leak", "of people also in training"), (f"{scheme}_source", "From"),
            (f"{scheme}_seeds", "Seeds"), (f"{scheme}_mean_percent", "Mean over seeds (%)"),
            (f"{scheme}_lowest_percent", "Lowest seed (%)"), (f"{scheme}_highest_percent", "Highest seed (%)"),
        ]  # fmt: skip
    return (*columns, ("to_make", "To make what is missing"))


def _row(name: str, manifest: Manifest | None, *first: Value) -> tuple[Value, ...]:
    trained_on = clean(manifest.split.dataset, 80) if manifest else None
    values: list[Value] = [name, *first, trained_on, *(epochs(manifest) if manifest else (None, None))]
    missing = []
    for scheme, _ in SCHEMES:
        found = figure(manifest, scheme) if manifest else None
        if found is None:
            values += [None] * 10
            missing.append(f"harness build {name} --split {scheme}")
            continue
        shown = [value * 100 for value in (found.interval.value, found.interval.low, found.interval.high)]
        values += [*shown, found.images, found.leak, found.source, *_seed_values(manifest, scheme)]
    return (*values, "; ".join(missing) or None)


def _seed_values(manifest: Manifest | None, scheme: Scheme) -> list[Value]:
    """Number of seeds, mean, lowest, highest; all missing where there are fewer than two."""
    seeds = over_seeds(manifest, scheme) if manifest else None
    if seeds is None:
        return [None] * 4
    return [len(seeds.seeds), seeds.mean * 100, min(seeds.shares) * 100, max(seeds.shares) * 100]


def accuracy_table(data: ReportData) -> Table:
    """One row a network that has a manifest, measured here or not."""
    rows = tuple(_row(name, manifest) for name, manifest in sorted(data.manifests.items()))
    note = (
        "A random split leaks: faces of people in the test images were also in training, so it flatters; "
        "subject-disjoint is the honest one. Interval: Wilson's, for images drawn one by one; frames of one sequence "
        "are not, so it is too narrow. Epochs differ between networks, and a teacher helps: a difference in accuracy "
        "may be one in training."
    )
    return Table("accuracy", "Accuracy under either split", _columns(("network", "Network")), rows, note, "–")


def ablation_table(data: ReportData) -> Table:
    """VGG19 with and without shortcuts; no rows where neither has a manifest."""
    found = {name: data.manifests.get(name) for name in (PLAIN, RESIDUAL)}
    columns = _columns(
        ("network", "Network"), ("shortcuts", "Shortcuts"), ("parameters", "Parameters"), ("macs", "MACs")
    )
    rows = tuple(
        _row(name, m, name == RESIDUAL, m.parameters if m else None, m.macs if m else None) for name, m in found.items()
    )
    note = _difference(found[PLAIN], found[RESIDUAL])
    title = "Plain against residual VGG19"
    return Table("ablation", title, columns, rows if any(found.values()) else (), note, "–")


def for_page(table: Table) -> Table:
    """The same in fewer columns, so that both splits are seen side by side; what figures rest on comes last."""
    names = [name for name, _ in table.columns]
    first, data = names.index("random_percent"), names.index("data")
    rows = [dict(zip(names, row, strict=True)) for row in table.rows]
    several = {scheme: any(row[f"{scheme}_seeds"] for row in rows) for scheme, _ in SCHEMES}
    columns = [(name, heading) for name, heading in table.columns[:first] if name != "data"]
    for scheme, title in SCHEMES:
        columns += [(scheme, title), (f"{scheme}_interval", "95 % interval")]
        columns += [(f"{scheme}_over_seeds", "Mean over seeds (range)")] * several[scheme]
    columns.append(("rests_on", "What they rest on"))
    shown = tuple(
        (*values[:data], *values[data + 1 : first], *_shown(row, several))
        for values, row in zip(table.rows, rows, strict=True)
    )
    return Table(table.name, table.title, tuple(columns), shown, table.note, table.missing)


def _shown(row: dict[str, Value], several: dict[Scheme, bool]) -> list[Value]:
    """Figure, interval and seeds of each split, and a sentence on what they rest on."""
    values: list[Value] = []
    rests = [f"Data: {row['data']}."] if row["data"] else []
    for scheme, title in SCHEMES:
        values += [
            _percents(row, f"{scheme}_percent"),
            _percents(row, f"{scheme}_low_percent", f"{scheme}_high_percent"),
        ]
        if several[scheme]:
            values.append(_seeds_shown(row, scheme))
        if row[f"{scheme}_percent"] is not None:
            leak = f", {row[f'{scheme}_leak']} of people also in training" if row[f"{scheme}_leak"] else ""
            rests.append(f"{title}: {row[f'{scheme}_images']} images{leak}, {row[f'{scheme}_source']}.")
    if row["to_make"]:
        rests.append(f"To make what is missing: {row['to_make']}")
    return [*values, " ".join(rests)]


def _percents(row: dict[str, Value], *names: str) -> str | None:
    """``97.0 %`` or ``91.5 to 99.0 %``; None where there is none."""
    found = [row[name] for name in names]
    if any(value is None for value in found):
        return None
    return " to ".join(f"{float(value or 0):.1f}" for value in found) + "\N{NO-BREAK SPACE}%"


def _seeds_shown(row: dict[str, Value], scheme: Scheme) -> str | None:
    mean = _percents(row, f"{scheme}_mean_percent")
    if mean is None:
        return None
    span = _percents(row, f"{scheme}_lowest_percent", f"{scheme}_highest_percent")
    return f"{mean} of {row[f'{scheme}_seeds']} ({span})"


def lost(full: Manifest | None, pruned: Manifest) -> str:
    """What compression cost, split by split, in points; the pruned network's mean over seeds where it has several."""
    said = []
    for scheme, title in SCHEMES if full else ():
        before, after = figure(full, scheme) if full else None, figure(pruned, scheme)
        if before is None or after is None:
            continue
        was, now, words = before.interval.value, after.interval.value, f"{after.interval.value:.1%}"
        if seeds := over_seeds(pruned, scheme):
            now, words = seeds.mean, f"mean {seeds.said}"
            was = _on(full, scheme, seeds.folds, seeds.profile) or was
        said.append(f"{title.lower()} split, {words} against {was:.1%}, {(now - was) * 100:+.1f} points")
    return "; ".join(said)


def _on(manifest: Manifest | None, scheme: Scheme, folds: frozenset[int], profile: str) -> float | None:
    """A network's accuracy on just these folds; None where some is missing."""
    checks = [c for c in manifest.cross_checks if (c.scheme, c.profile) == (scheme, profile)] if manifest else []
    trials = [trial for check in checks for trial in check.trials if trial.fold in folds]
    return share(trials) if {trial.fold for trial in trials} == folds else None


def _difference(plain: Manifest | None, residual: Manifest | None) -> str:
    """What the shortcuts bring, in points, split by split."""
    said = []
    for scheme, title in SCHEMES:
        pair = [figure(manifest, scheme) if manifest else None for manifest in (plain, residual)]
        if pair[0] is None or pair[1] is None:
            said.append(f"{title} split: no figure for both.")
            continue
        low, high = sorted((each.interval for each in pair if each), key=lambda interval: interval.value)
        points = (pair[1].interval.value - pair[0].interval.value) * 100
        apart = "don't overlap" if low.high < high.low else "overlap: so few images can't tell the two apart"
        said.append(f"{title} split: residual minus plain {points:+.1f} points; intervals {apart}.")
    return " ".join(said)
