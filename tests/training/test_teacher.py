"""A pruned network may learn the answers of another network than the one it was pruned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

from harness.data.splits import split  # noqa: E402
from harness.training.compress import distil, pipeline  # noqa: E402
from harness.training.compress.budget import Budget  # noqa: E402
from harness.training.networks.macs import count_macs  # noqa: E402
from harness.training.train import steps  # noqa: E402
from harness.training.train.epochs import TrainingSet  # noqa: E402
from tests.support.datasets import small_dataset  # noqa: E402
from tests.support.networks import small_resvgg19  # noqa: E402


def job(folder: Path, budget: Budget, teacher: pipeline.Teacher | None = None) -> pipeline.PruningJob:
    data = small_dataset()
    return pipeline.PruningJob(
        dataset=data,
        split=split(data),
        profile="quick",
        seed=0,
        folder=folder,
        progress=lambda _line: None,
        budget=budget,
        teacher=teacher,
    )


@pytest.fixture(autouse=True)
def few_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distil, "MANY_SETS", 2)


def test_a_network_keeps_its_size_and_learns_from_another(tmp_path: Path) -> None:
    network, teacher = small_resvgg19(3), small_resvgg19(7, width=4)
    budget = Budget(macs=count_macs(network), epochs=(2,))
    taught, chain = pipeline.prune(network, job(tmp_path, budget, pipeline.Teacher(teacher, tmp_path / "teacher")))
    assert [step.kind for step in chain] == ["tuned"]
    assert f"taught by {teacher.name}" in chain[0].detail
    assert taught.count_params() == network.count_params()
    assert any((a != b).any() for a, b in zip(taught.get_weights(), network.get_weights(), strict=True))


def test_the_teacher_is_part_of_the_folder_name(tmp_path: Path) -> None:
    network = small_resvgg19(3)
    budget = Budget(macs=count_macs(network) * 0.6, epochs=(2,), multiple=1)
    first, second = (pipeline.Teacher(small_resvgg19(seed), tmp_path / "teacher") for seed in (7, 8))
    results = [pipeline.prune(network, job(tmp_path, budget, teacher))[0] for teacher in (first, second)]
    assert any((a != b).any() for a, b in zip(*(model.get_weights() for model in results), strict=True))
    repeated, _ = pipeline.prune(network, replace(job(tmp_path, budget, first)))
    for a, b in zip(repeated.get_weights(), results[0].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_mixed_lessons_hold_the_teachers_answers(tmp_path: Path) -> None:
    data, teacher = small_dataset(), small_resvgg19(7)
    parts = split(data)
    lessons = distil.mixed_lessons(teacher, TrainingSet(data, parts, 0), tmp_path)
    images, targets = lessons(0)
    assert images.shape == (len(parts.train), 48, 48, 1)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-5)
    mixtures, truth = distil.Live(teacher, TrainingSet(data, parts, 0)).unanswered(0)
    expected = distil.TRUST * steps.answers(teacher, np.rint(mixtures).astype(np.uint8).astype(np.float32))
    np.testing.assert_allclose(targets, expected + (1 - distil.TRUST) * truth, atol=1e-4)
    teacher.set_weights([weights * 0 for weights in teacher.get_weights()])
    again = distil.mixed_lessons(teacher, TrainingSet(data, parts, 0), tmp_path)(0)
    np.testing.assert_array_equal(targets, again[1])
