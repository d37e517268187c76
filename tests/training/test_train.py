"""Training: varied images, weights, schedules, and going on after a kill with the same result."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import BuildError, UsageError
from harness.training.train.augment import augment
from harness.training.train.recipe import LARGE_MACS, Recipe, recipe_for
from tests.support.datasets import small_dataset


def test_augmented_images_vary_and_stay_pixels() -> None:
    images = small_dataset().images[:8]
    first, again, other = (augment(images, np.random.default_rng(k)) for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == (8, 48, 48, 1)
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 255


def test_augmentation_keeps_the_picture() -> None:
    image = np.zeros((200, 48, 48), dtype=np.uint8)
    image[:, 16:32, 16:32] = 200
    mean = augment(image, np.random.default_rng(0)).mean(axis=0)[..., 0]
    assert mean[24, 24] > mean[2, 2] + 100


def test_recipes() -> None:
    assert recipe_for("quick", 1).epochs < recipe_for("full", 1).epochs
    assert recipe_for("full", LARGE_MACS + 1).epochs < recipe_for("full", 1).epochs
    with pytest.raises(UsageError, match="quick or full"):
        recipe_for("slow", 1)


keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from harness.data.splits import split  # noqa: E402
from harness.training.networks import resvgg19  # noqa: E402
from harness.training.train import checkpoint, loop, stored  # noqa: E402

train_mark = pytest.mark.train
# Keras reads its own variables in a way that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning", "ignore:Even though the `tf.config"
)


def fresh() -> Any:
    keras.utils.set_random_seed(3)
    return resvgg19.build(widths=((2, 2), (2, 2)), name="tiny")


def run(
    folder: Path, model: Any, stop_after: int | None = None, epochs: int = 4, said: list[str] | None = None
) -> loop.Outcome:
    lines: list[str] = [] if said is None else said

    def progress(line: str) -> None:
        lines.append(line)
        if len(lines) == stop_after:
            raise KeyboardInterrupt

    recipe = Recipe(epochs=epochs, rate=1e-2)
    return loop.train(model, training(folder, recipe, progress))


def training(folder: Path, recipe: Recipe, progress: Callable[[str], None]) -> loop.Training:
    data = small_dataset()
    return loop.Training(dataset=data, split=split(data), recipe=recipe, seed=1, folder=folder, progress=progress)


@train_mark
def test_class_weights_have_mean_one() -> None:
    labels = np.array([0] * 8 + [1] * 2)
    weights = loop.class_weights(labels, 3, 1.0)
    assert weights[labels].mean() == pytest.approx(1)
    assert weights[1] == pytest.approx(4 * weights[0])
    assert weights[2] == 0


@train_mark
@pytest.mark.slow
@pytest.mark.parametrize("stored_after", [0, pytest.param(2, marks=pytest.mark.soak)])
def test_resumed_training_ends_the_same(stored_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the kill came just after a state was stored, or two epochs later."""
    monkeypatch.setattr(checkpoint, "CHECKPOINT_S", 0)
    whole = fresh()
    outcome = run(tmp_path / "whole", whole)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", fresh(), stop_after=1)
    monkeypatch.setattr(checkpoint, "CHECKPOINT_S", 3600 if stored_after else 0)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", fresh(), stop_after=2)
    resumed = fresh()
    again = run(tmp_path / "cut", resumed)
    assert again.history == outcome.history
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "an empty state": lambda folder: (folder / "state.json").write_bytes(b""),
    "half a state": lambda folder: (folder / "state.json").write_bytes((folder / "state.json").read_bytes()[:90]),
    "a state without keys": lambda folder: (folder / "state.json").write_text("{}", encoding="utf-8"),
    "a state that names another file": lambda folder: _renamed(folder / "state.json"),
    "no checkpoint": lambda folder: [file.unlink() for file in folder.glob("*.npz")],
    "an empty checkpoint": lambda folder: [file.write_bytes(b"") for file in folder.glob("*.npz")],
    "half a checkpoint": lambda folder: [_halved(file) for file in folder.glob("*.npz")],
    "a checkpoint of other shapes": lambda folder: [_reshaped(file) for file in folder.glob("*.npz")],
    "a checkpoint with too little": lambda folder: [np.savez(file, v0=np.zeros(3)) for file in folder.glob("*.npz")],
    "half of the best weights": lambda folder: _halved(folder / "best.weights.h5"),
    "no best weights": lambda folder: (folder / "best.weights.h5").unlink(),
}


@pytest.fixture(scope="module")
def undisturbed(eager: None, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Weights after two epochs."""
    model = fresh()
    run(tmp_path_factory.mktemp("whole"), model, epochs=2)
    return list(model.get_weights())


@pytest.fixture(scope="module")
def cut_off(eager: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of the same training, ended after its first epoch."""
    folder = tmp_path_factory.mktemp("cut")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "CHECKPOINT_S", 0)
        with pytest.raises(KeyboardInterrupt):
            run(folder, fresh(), stop_after=1, epochs=2)
    return folder


def _halved(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _renamed(file: Path) -> None:
    kept = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(kept | {"checkpoint": "../../elsewhere.npz"}), encoding="utf-8")


def _reshaped(file: Path) -> None:
    with np.load(file) as arrays:
        found = dict(arrays)
    np.savez(file, **{name: np.zeros((*array.shape, 2)) for name, array in found.items()})


@train_mark
@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_state_is_said_and_training_starts_over(
    damage: str, undisturbed: list[Any], cut_off: Path, tmp_path: Path
) -> None:
    """As a power cut leaves it. What comes out is what an undisturbed training gives."""
    shutil.copytree(cut_off, tmp_path / "cut")
    DAMAGE[damage](tmp_path / "cut")
    resumed, said = fresh(), []
    again = run(tmp_path / "cut", resumed, epochs=2, said=said)
    assert len(again.history) == 2
    assert sum(" epoch 1/2" in line for line in said) == 1
    assert any("is damaged" in line or "can't be gone on with" in line for line in said), said
    for a, b in zip(undisturbed, resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    if damage == "half a checkpoint":  # the next call finds it whole
        said.clear()
        run(tmp_path / "cut", fresh(), epochs=2, said=said)
        assert said == []


@train_mark
def test_a_file_counts_only_once_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is: content, sync, name."""
    done: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (done.append("sync"), sync(number))[1])
    monkeypatch.setattr(Path, "replace", lambda path, to: (done.append("name"), replace(path, to))[1])
    stored.keep(tmp_path / "a" / "x.npz", lambda path: (done.append("content"), np.savez(path, a=1)))
    assert done == ["content", "sync", "name", "sync"]

    def broken(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(BuildError, match="No space left"):
        stored.keep(tmp_path / "a" / "x.npz", broken)
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["x.npz"]


@train_mark
@pytest.mark.parametrize("seed", [0, 42_950, 123_456, (1 << 32) - 1])
def test_seeds_of_any_size(seed: int) -> None:
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dropout(0.5)])
    loop._reseed(model, seed, 7)
    assert int(np.asarray(model.layers[-1].seed_generator.state)[0]) == (seed * 100_003 + 7) % (1 << 32)


@train_mark
@pytest.mark.slow
def test_another_recipe_starts_over(tmp_path: Path) -> None:
    run(tmp_path, fresh(), epochs=2)
    assert len(run(tmp_path, fresh(), epochs=3).history) == 3


@train_mark
@pytest.mark.slow
def test_patience_ends_training(tmp_path: Path) -> None:
    recipe = Recipe(epochs=50, rate=1e-9, patience=1)
    outcome = loop.train(fresh(), training(tmp_path, recipe, lambda line: None))
    assert len(outcome.history) < 50
