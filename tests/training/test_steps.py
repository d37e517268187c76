"""Training steps: a teacher within the step, gradients that are kept, and any backend that Keras runs on."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
# Keras reads its own variables in a way that numpy 2 deprecates
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

from harness.data.splits import split  # noqa: E402
from harness.training.compress import distil  # noqa: E402
from harness.training.train import epochs, loop, steps  # noqa: E402
from harness.training.train.recipe import Recipe  # noqa: E402
from tests.support.datasets import small_dataset  # noqa: E402
from tests.support.networks import small_resvgg19  # noqa: E402

ROOT = Path(__file__).parents[2]
BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}


def test_a_teacher_in_the_step_teaches_what_it_would_outside(tmp_path: Path) -> None:
    data = small_dataset()
    parts = split(data)
    lessons = distil.live(small_resvgg19(7), epochs.TrainingSet(data, parts, 0))

    def taught(source: Any, folder: Path) -> tuple[Any, loop.Outcome]:
        student = small_resvgg19(3)
        recipe = Recipe(epochs=2, smoothing=0.0)
        training = loop.Training(
            dataset=data, split=parts, recipe=recipe, seed=1, folder=folder, progress=lambda line: None, epochs=source
        )
        return student, loop.train(student, training)

    within, outcome = taught(lessons, tmp_path / "within")
    outside, expected = taught(lambda number: lessons(number), tmp_path / "outside")
    for a, b in zip(within.get_weights(), outside.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    losses = [[entry["train_loss"] for entry in part.history] for part in (outcome, expected)]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_the_teacher_stays_as_it_is() -> None:
    student, teacher = small_resvgg19(3), small_resvgg19(7)
    model = steps.TaughtStudent(student, teacher, trust=0.9)
    both = np.asarray(model(np.full((2, 48, 48, 1), 99, np.float32)))
    assert both.shape == (2, 14)
    assert len(model.trainable_variables) == len(student.trainable_variables)
    assert teacher.trainable, "it may be pruned and tuned itself later"


def test_gradients_are_those_of_the_loss() -> None:
    model = small_resvgg19(3)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 48, 48, 1)).astype(np.float32)
    targets = np.eye(7, dtype=np.float32)[np.arange(8) % 7]
    layer = model.get_layer("block2_2_bn")
    ((gamma, beta),) = next(iter(steps.gradients(model, [layer], images, targets, batch=8)))

    def loss() -> float:
        p = np.asarray(model(images, training=False), dtype=np.float64)
        return float(-(targets * np.log(p)).sum(axis=1).mean())

    for variable, gradient in ((layer.gamma, gamma), (layer.beta, beta)):
        before = np.array(variable)
        slopes = []
        for k in range(len(before)):
            step = np.eye(len(before), dtype=np.float32)[k] * 1e-2
            variable.assign(before + step)
            above = loss()
            variable.assign(before - step)
            slopes.append((above - loss()) / 2e-2)
            variable.assign(before)
        np.testing.assert_allclose(gradient, slopes, atol=2e-3)


def test_epochs_are_made_in_order_while_the_one_before_is_learnt() -> None:
    made: list[int] = []

    def epoch(number: int) -> Any:
        made.append(number)
        return np.zeros((1, 48, 48, 1), np.float32), np.zeros((1, 7), np.float32)

    assert [number for number, _, _ in epochs.ahead(epoch, range(2, 5))] == [2, 3, 4] == made
    assert list(epochs.ahead(epoch, range(5, 5))) == []
    assert made == [2, 3, 4]


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_any_backend_prunes_and_tunes(backend: str, tmp_path: Path) -> None:
    """In a process of its own: Keras takes its backend when it is first imported."""
    if importlib.util.find_spec(BACKENDS[backend]) is None:
        pytest.skip(f"{backend} is not installed")
    code = (
        "import sys; from pathlib import Path; import keras; from harness.data.splits import split\n"
        "from harness.training.compress.budget import Budget; from harness.training.compress.pipeline import *\n"
        "from tests.support.datasets import small_dataset; from tests.support.networks import small_resvgg19\n"
        "data = small_dataset(); budget = Budget(macs=6e5, epochs=(1, 1), restarts=1, assistant=1)\n"
        "job = PruningJob(dataset=data, split=split(data), profile='full', seed=0, folder=Path(sys.argv[1]),"
        " progress=print, budget=budget)\n"
        "_, steps = prune(small_resvgg19(1, width=8), job)\n"
        "print(keras.backend.backend(), [step.kind for step in steps], 'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    last = (done.stdout.splitlines() or [""])[-1]
    kinds = "['pruned', 'tuned', 'pruned', 'tuned', 'tuned']"
    assert last == f"{backend} {kinds} {backend == 'tensorflow'}", done.stderr[-2000:]
