"""What compression kept of the accuracy: on strangers, and split by split."""

from __future__ import annotations

from harness.records.manifest import Artifact, Manifest
from harness.report.accuracy import SCHEMES, NetworkAccuracy, accuracy_under
from harness.report.seeds import Scheme, over_seeds, share


def on_strangers(manifest: Manifest, artifact: str, full: Manifest | None = None) -> str:
    """Accuracy on strangers in words; empty where none is known.

    Args:
        artifact: the SHA-256 of the file that is spoken of; where strangers did not judge it, the most precise of the
            network's files that they judged is taken.
        full: the uncompressed network, to compare with.
    """
    mine = _judged(manifest, artifact)
    if mine is None or mine.unseen is None:
        return ""
    found = mine.unseen
    text = (
        f"on {found.n:,} images of {found.persons} strangers (seeds {', '.join(map(str, found.seeds))}), "
        f"{_percent(manifest, mine)}"
    )
    before = _judged(full, "") if full else None
    if full is None or before is None or before.unseen is None or before.unseen.seeds != found.seeds:
        return text
    lost = (found.accuracy - before.unseen.accuracy) * 100
    told = "more than its interval" if found.high < before.unseen.accuracy else "within its interval"
    return f"{text}, against {_percent(full, before)}: {lost:+.1f} points, {told}"


def _judged(manifest: Manifest, sha256: str) -> Artifact | None:
    this = next((each for each in manifest.artifacts if each.sha256 == sha256 and each.unseen), None)
    return this or NetworkAccuracy(manifest.name, manifest).strangers


def _percent(manifest: Manifest, artifact: Artifact) -> str:
    found = artifact.unseen
    assert found is not None
    return (
        f"{manifest.name} {artifact.filename} {found.accuracy:.1%} "
        f"(95 % interval by person {found.low:.1%} to {found.high:.1%})"
    )


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
