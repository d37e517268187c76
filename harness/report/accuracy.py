"""The table of accuracy: every network on strangers, and under either split.

The accuracies come from the manifests stored with the results. A random split puts frames of one sequence, and faces of
one person, on both sides; the subject-disjoint one doesn't. Strangers are people that no training saw, so drawn faces
are judged by them. Each row also gives the number of epochs and whether a
teacher was used: accuracies of networks that were trained differently don't rank the networks.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

from harness.core import stats
from harness.core.safetext import clean
from harness.records.manifest import Artifact, CrossCheck, Manifest, Unseen
from harness.report.gather import ReportData
from harness.report.provenance import dataset_of, precise, precision
from harness.report.seeds import Scheme, Seeds, over_seeds
from harness.report.table import MISSING as MISSING
from harness.report.table import Table, tabulate
from harness.results.columns import Column, Value
from harness.results.quality import faces

SCHEMES: tuple[tuple[Scheme, str], ...] = (("random", "Random"), ("subject", "Subject-disjoint"))


@dataclass(frozen=True)
class SplitAccuracy:
    """One accuracy: ``right`` of ``images`` test images; ``source`` names the trainings that it comes from."""

    right: int
    images: int
    source: str
    leak: int | None

    @property
    def interval(self) -> stats.Interval:
        """The share with Wilson's 95 % interval."""
        return stats.wilson(self.right, self.images)


def accuracy_under(manifest: Manifest, scheme: Scheme) -> SplitAccuracy | None:
    """A network's accuracy under that split; None where no training used it.

    The shipped artifact counts for the split that it was built with. Folds are preferred for the subject-disjoint
    split, since they cover more people than a single split.
    """
    checks = [check for check in manifest.cross_checks if check.scheme == scheme and check.trials]
    best = precise(manifest)
    split, accuracy = manifest.split, best.accuracy if best else None
    shipped = split is not None and split.scheme == scheme and accuracy is not None
    if checks and (scheme == "subject" or not shipped):
        return _folds(max(checks, key=lambda check: (check.profile == "full", len(check.trials))))
    if not shipped or split is None or best is None or accuracy is None:
        return None
    images = split.n_test
    source = f"{best.filename} as shipped, seed {manifest.seed}, {clean(manifest.profile, 20)}"
    return SplitAccuracy(round(accuracy * images), images, source, split.subject_overlap)


def _folds(check: CrossCheck) -> SplitAccuracy:
    """All folds as one. Trainings of one fold with several seeds are averaged, so that no image counts twice."""
    folds: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for trial in check.trials:
        folds[trial.fold].append((trial.accuracy, trial.n_test))
    images = sum(max(n for _, n in found) for found in folds.values())
    right = sum(sum(a for a, _ in found) / len(found) * max(n for _, n in found) for found in folds.values())
    source = f"{len(folds)} of {check.folds} folds, {_seeds(check)}, {clean(check.profile, 20)}"
    if len(check.trials) > 1:
        source += f", {min(check.accuracies):.1%} to {max(check.accuracies):.1%}"
    return SplitAccuracy(round(right), images, source, 0 if check.scheme == "subject" else None)


def _seeds(check: CrossCheck) -> str:
    return f"seed{'s' if len(check.seeds) > 1 else ''} {', '.join(map(str, check.seeds))}"


def epochs(manifest: Manifest) -> tuple[int | None, int | None]:
    """(epochs alone, epochs with a teacher), summed over the chain; None where its steps don't record them."""
    alone: list[int] = []
    taught: list[int] = []
    for step in manifest.chain:
        if found := re.search(r"(\d{1,6}) epochs?\b", step.detail):
            (taught if re.search(r"distil|teacher", step.detail) else alone).append(int(found[1]))
    return (sum(alone), sum(taught)) if alone or taught else (None, None)


@dataclass(frozen=True)
class NetworkAccuracy:
    """A network with its accuracy under each split; ``manifest`` is None where there is none."""

    name: str
    manifest: Manifest | None

    @cached_property
    def by_split(self) -> dict[Scheme, SplitAccuracy | None]:
        return {scheme: accuracy_under(self.manifest, scheme) if self.manifest else None for scheme, _ in SCHEMES}

    @cached_property
    def seeds(self) -> dict[Scheme, Seeds | None]:
        """Accuracy seed by seed under each split; None where no accuracy is known, or for fewer than two seeds."""
        return {
            scheme: over_seeds(self.manifest, scheme) if self.manifest and self.by_split[scheme] else None
            for scheme, _ in SCHEMES
        }

    @property
    def strangers(self) -> Artifact | None:
        """The most precise artifact of those that strangers judged; a file that isn't there was not."""
        judged = [artifact for artifact in self.manifest.artifacts if artifact.unseen] if self.manifest else []
        return min(judged, key=precision, default=None)

    @property
    def epochs(self) -> tuple[int | None, int | None]:
        return epochs(self.manifest) if self.manifest else (None, None)

    @property
    def to_make(self) -> str | None:
        """The commands that produce the missing accuracies."""
        missing = [scheme for scheme, _ in SCHEMES if self.by_split[scheme] is None]
        return "; ".join(f"harness build {self.name} --split {scheme}" for scheme in missing) or None


def _on_strangers(name: str, heading: str, value: Callable[[Unseen], Value]) -> Column[NetworkAccuracy]:
    return Column(
        f"strangers_{name}",
        heading,
        lambda network: value(found.unseen) if (found := network.strangers) and found.unseen else None,
    )


_STRANGERS: tuple[Column[NetworkAccuracy], ...] = (
    _on_strangers("percent", "On strangers (%)", lambda found: found.accuracy * 100),
    _on_strangers("low_percent", "95 % interval by person, low (%)", lambda found: found.low * 100),
    _on_strangers("high_percent", "high (%)", lambda found: found.high * 100),
    _on_strangers("images", "Images", lambda found: found.n),
    _on_strangers("persons", "Strangers", lambda found: found.persons),
    Column("strangers_file", "File", lambda network: found.filename if (found := network.strangers) else None),
)


def columns(*first: Column[NetworkAccuracy]) -> tuple[Column[NetworkAccuracy], ...]:
    """The columns of a table of accuracies, appended to those given."""
    return (
        Column("network", "Network", lambda network: network.name),
        *first,
        Column("data", "Data", lambda network: dataset_of(network.manifest)),
        Column("epochs", "Epochs alone", lambda network: network.epochs[0]),
        Column("teacher_epochs", "with a teacher", lambda network: network.epochs[1]),
        *_STRANGERS,
        *(column for scheme, title in SCHEMES for column in _split_columns(scheme, title)),
        Column("to_make", "To make what is missing", lambda network: network.to_make),
    )


def _split_columns(scheme: Scheme, title: str) -> Iterator[Column[NetworkAccuracy]]:
    """The columns of one split: a network's accuracy, what it rests on, and its spread over seeds."""

    def known(name: str, heading: str, value: Callable[[SplitAccuracy], Value]) -> Column[NetworkAccuracy]:
        return Column(
            f"{scheme}_{name}",
            heading,
            lambda network: value(found) if (found := network.by_split[scheme]) else None,
        )

    def over(name: str, heading: str, value: Callable[[Seeds], Value]) -> Column[NetworkAccuracy]:
        return Column(
            f"{scheme}_{name}", heading, lambda network: value(found) if (found := network.seeds[scheme]) else None
        )

    yield known("percent", f"{title} split (%)", lambda found: found.interval.value * 100)
    yield known("low_percent", "95 % interval, low (%)", lambda found: found.interval.low * 100)
    yield known("high_percent", "high (%)", lambda found: found.interval.high * 100)
    yield known("images", "Test images", lambda found: found.images)
    yield known("leak", "of people also in training", lambda found: found.leak)
    yield known("source", "From", lambda found: found.source)
    yield over("seeds", "Seeds", lambda seeds: len(seeds.seeds))
    yield over("mean_percent", "Mean over seeds (%)", lambda seeds: seeds.mean * 100)
    yield over("lowest_percent", "Lowest seed (%)", lambda seeds: min(seeds.shares) * 100)
    yield over("highest_percent", "Highest seed (%)", lambda seeds: max(seeds.shares) * 100)


_TITLE = "Accuracy on strangers and under either split"


def has_faces(data: ReportData) -> bool:
    """Whether the results are of faces; those of other data have other splits."""
    return data.cells.empty or bool(data.cells.faces.any())


def accuracy_table(data: ReportData) -> Table:
    """One row a network for faces that has a manifest, measured here or not."""
    networks = (
        NetworkAccuracy(name, manifest)
        for name, manifest in sorted(data.manifests.items())
        if manifest.split is not None and faces(manifest.task, manifest.split.scheme)
    )
    note = (
        "Strangers are drawn people that no network was trained on; the interval takes a person as one draw. "
        "A random split leaks: faces of people in the test images were also in training, so it flatters; "
        "subject-disjoint is the honest one. Interval: Wilson's, for images drawn one by one; frames of one sequence "
        "are not, so it is too narrow. Epochs differ between networks, and a teacher helps: a difference in accuracy "
        "may be one in training."
    )
    return tabulate(columns(), networks, name="accuracy", title=_TITLE, note=note, missing=MISSING)


#: A row of the whole table, by the names of its columns.
_Row = Mapping[str, Value]


def for_page(table: Table) -> Table:
    """The same rows in fewer columns, so that both splits fit side by side; the basis of the figures comes last."""
    names = [name for name, _ in table.columns]
    first = [(name, heading) for name, heading in table.columns[: names.index("strangers_percent")] if name != "data"]
    rows: list[_Row] = [dict(zip(names, row, strict=True)) for row in table.rows]
    shown: list[Column[_Row]] = [Column(name, heading, itemgetter(name)) for name, heading in first]
    if any(row["strangers_percent"] is not None for row in rows):
        shown += [
            Column("strangers", "Strangers", lambda row: _percents(row, "strangers_percent")),
            Column(
                "strangers_interval",
                "95 % interval",
                lambda row: _percents(row, "strangers_low_percent", "strangers_high_percent"),
            ),
        ]
    for scheme, title in SCHEMES:
        shown += _shown_columns(scheme, title, several=any(row[f"{scheme}_seeds"] for row in rows))
    shown.append(Column("rests_on", "What they rest on", _rests_on))
    return tabulate(shown, rows, name=table.name, title=table.title, note=table.note, missing=table.missing)


def _shown_columns(scheme: Scheme, title: str, *, several: bool) -> Iterator[Column[_Row]]:
    """A split's accuracy and interval, and its mean over seeds where some network has ``several``."""
    yield Column(scheme, title, lambda row: _percents(row, f"{scheme}_percent"))
    yield Column(
        f"{scheme}_interval",
        "95 % interval",
        lambda row: _percents(row, f"{scheme}_low_percent", f"{scheme}_high_percent"),
    )
    if several:
        yield Column(f"{scheme}_over_seeds", "Mean over seeds (range)", lambda row: _seeds_shown(row, scheme))


def _rests_on(row: _Row) -> str:
    """What the figures of a row rest on, in words."""
    rests = [f"Data: {row['data']}."] if row["data"] else []
    if row["strangers_percent"] is not None:
        rests.append(
            f"Strangers: {row['strangers_images']} images of {row['strangers_persons']}, {row['strangers_file']}."
        )
    for scheme, title in SCHEMES:
        if row[f"{scheme}_percent"] is not None:
            leak = f", {row[f'{scheme}_leak']} of people also in training" if row[f"{scheme}_leak"] else ""
            rests.append(f"{title}: {row[f'{scheme}_images']} images{leak}, {row[f'{scheme}_source']}.")
    if row["to_make"]:
        rests.append(f"To make what is missing: {row['to_make']}")
    return " ".join(rests)


def _percents(row: _Row, *names: str) -> str | None:
    """``97.0 %`` or ``91.5 to 99.0 %``; None where there is none."""
    found = [row[name] for name in names]
    if any(value is None for value in found):
        return None
    return " to ".join(f"{float(value or 0):.1f}" for value in found) + "\N{NO-BREAK SPACE}%"


def _seeds_shown(row: _Row, scheme: Scheme) -> str | None:
    mean = _percents(row, f"{scheme}_mean_percent")
    if mean is None:
        return None
    span = _percents(row, f"{scheme}_lowest_percent", f"{scheme}_highest_percent")
    return f"{mean} of {row[f'{scheme}_seeds']} ({span})"
