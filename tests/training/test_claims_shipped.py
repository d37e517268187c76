"""What the documents claim of the shipped networks' accuracy and size, from their manifests."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from harness.records import manifest
from harness.records.manifest import Trial
from harness.training.networks import registry

MODELS = Path(__file__).parents[2] / "models"
WHOLE, PRUNED = "resvgg19", "resvgg19-pruned"


def trials(name: str, scheme: str) -> list[Trial]:
    """Of the full profile."""
    checks = manifest.load(MODELS, name).cross_checks
    return [trial for c in checks if c.scheme == scheme and c.profile == "full" for trial in c.trials]


@pytest.mark.parametrize("name", [network.name for network in registry.NETWORKS if network.pruned_from is None])
def test_every_network_has_an_accuracy_on_people_never_seen(name: str) -> None:
    """On one fold at least, and the same one for all."""
    assert 0 in {trial.fold for trial in trials(name, "subject")}


def test_people_never_seen_are_harder_for_the_uncompressed_network() -> None:
    record = manifest.load(MODELS, WHOLE)
    shipped = record.artifact("int8", "tflite")
    assert shipped is not None
    assert 0.985 <= shipped.accuracy <= 0.999
    assert statistics.mean(trial.accuracy for trial in trials(WHOLE, "subject")) < shipped.accuracy - 0.03


def test_the_pruned_network_keeps_the_accuracy_over_three_seeds() -> None:
    """All of it, on both splits, in the mean."""
    record = manifest.load(MODELS, WHOLE)
    shipped = record.artifact("int8", "tflite")
    assert shipped is not None
    seen = trials(PRUNED, "random")
    assert len({trial.seed for trial in seen}) >= 3
    assert statistics.mean(t.accuracy for t in seen) >= shipped.accuracy
    unseen = [trial for trial in trials(PRUNED, "subject") if trial.fold == 0]
    assert len({trial.seed for trial in unseen}) >= 3
    whole = next(trial for trial in trials(WHOLE, "subject") if trial.fold == 0)
    assert statistics.mean(trial.accuracy for trial in unseen) >= whole.accuracy


def test_the_pruned_network_is_small() -> None:
    int8 = manifest.load(MODELS, PRUNED).artifact("int8", "tflite")
    assert int8 is not None
    assert int8.bytes <= 300_000
