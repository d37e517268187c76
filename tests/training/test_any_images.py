"""Networks on images of any size and colour: they are built, varied, pruned and sized as for faces."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError, UsageError
from harness.data.dataset import Dataset
from harness.training import material
from harness.training.networks import registry
from harness.training.options import BuildOptions
from harness.training.train.augment import augment
from harness.training.train.recipe import MANY_IMAGES, fewer_epochs, recipe_for
from tests.support.tasks import class_folders, write_task


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def test_grey_faces_are_varied_as_ever() -> None:
    varied = augment(noise(37, 48, 48), np.random.default_rng([3, 5, 1]))
    digest = hashlib.sha256(varied.tobytes()).hexdigest()
    assert digest == "adb1348608a31d6efd4f8972942a352b0510b5a283ac8a83db508d70d4959de0"


@pytest.mark.parametrize("shape", [(28, 28), (40, 64, 3), (9, 8, 3)])
def test_images_of_any_size_are_varied(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    images = noise(10, *shape)
    varied = augment(images, np.random.default_rng(0))
    assert varied.shape == (10, *shape[:2], shape[2] if len(shape) > 2 else 1)
    assert varied.min() >= 0
    assert varied.max() <= 255
    monkeypatch.setattr("harness.training.train.augment._AT_ONCE", 1)
    assert (augment(images, np.random.default_rng(0)) == varied).all(), "few at a time gives the same"


def test_all_channels_move_together() -> None:
    grey = noise(6, 32, 32)
    colour = augment(np.repeat(grey[..., None], 3, axis=3), np.random.default_rng(0))
    spread = colour.max(axis=3) - colour.min(axis=3)
    assert np.median(spread) < 30, "grain differs, the picture does not"


def test_without_mirroring_left_stays_left() -> None:
    images = np.zeros((200, 32, 32), dtype=np.uint8)
    images[:, :, :16] = 255

    def brighter_left(varied: np.ndarray) -> float:
        return float((varied[:, :, :16].mean(axis=(1, 2, 3)) > varied[:, :, 16:].mean(axis=(1, 2, 3))).mean())

    assert brighter_left(augment(images, np.random.default_rng(0), mirror=False)) == 1.0
    assert 0.3 < brighter_left(augment(images, np.random.default_rng(0))) < 0.7


def test_the_hash_of_faces_is_what_it_was_and_colours_change_it() -> None:
    labels = np.zeros(4, dtype=np.int64)
    grey = Dataset("x", False, noise(4, 48, 48), labels, None, None)
    assert grey.image_shape == (48, 48, 1)
    assert grey.sha256 == replace(grey, mirrors=False).sha256
    colour = replace(grey, images=noise(4, 40, 48, 3))
    assert colour.image_shape == (40, 48, 3)
    assert colour.sha256 != grey.sha256


def test_the_size_of_a_pruned_network_grows_with_the_image() -> None:
    small = registry.get("resvgg19-pruned").pruning
    assert small.for_images((48, 48, 1)) == small
    assert small.for_images((96, 96, 3)).target(1) == 4 * small.target(1)
    assert registry.get("ghostnet-pruned").pruning.for_images((96, 96, 3)).target(1000) == 250


def test_many_images_take_fewer_epochs() -> None:
    assert recipe_for("full", 1) == recipe_for("full", 1, MANY_IMAGES)
    assert recipe_for("full", 1, 10 * MANY_IMAGES).epochs == recipe_for("full", 1).epochs // 10
    assert fewer_epochs(30, 10**9) == 4
    assert fewer_epochs(3, 10**9) == 3


# tasks as material


def test_a_task_gives_images_and_its_own_split(tmp_path: Path) -> None:
    class_folders(tmp_path / "x", {"a": 20, "b": 20}, (32, 40))
    task = write_task(tmp_path, "data: {form: folders, path: x}\naugment: {mirror: true}\n")
    lines: list[str] = []
    dataset, (split,) = material.of_task(task, lines.append)
    assert (dataset.name, dataset.classes, dataset.image_shape, dataset.mirrors) == (
        "mine",
        ("a", "b"),
        (40, 32, 3),
        True,
    )
    assert dataset.sha256 == task.open().sha256
    assert split.sha256 == task.open().split.sha256
    assert lines == [
        "task mine: 40 images 40x32x3 of 2 classes: 32 for training, 4 for validation, 4 for test (stratified)"
    ]


def test_what_cannot_be_trained_on_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class_folders(tmp_path / "x", {"a": 20, "b": 20})
    with pytest.raises(UsageError, match=r"images of 16 x 16, and the networks here take 32 x 32 or more .*fit: pad"):
        material.of_task(write_task(tmp_path, "data: {form: folders, path: x}\n"), print)
    with pytest.raises(UsageError, match="no training image of class 'c'"):
        material.of_task(write_task(tmp_path, "data: {form: folders, path: x}\nclasses: [a, b, c]\n"), print)
    monkeypatch.setattr(material, "MAX_EPOCH_BYTES", 1000)
    with pytest.raises(UsageError, match="32 training images of 32 x 32 take"):
        material.of_task(write_task(tmp_path, "data: {form: folders, path: x}\npreprocess: {size: 32}\n"), print)
    with pytest.raises(HarnessError, match="No such file"):
        material.of_task(write_task(tmp_path, "data: {form: folders, path: y}\n"), print)


def test_options_that_contradict_a_task_are_refused(tmp_path: Path) -> None:
    task = write_task(tmp_path, "data: {form: folders, path: x}\n")
    for wrong in ({"split": "subject"}, {"repeats": 3}):
        with pytest.raises(UsageError, match="a task's file says how its data are divided"):
            BuildOptions(task=task, **wrong).check()  # type: ignore[arg-type]


pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.parametrize("shape", [(32, 32, 1), (64, 40, 3)])
@pytest.mark.parametrize("network", [n for n in registry.NETWORKS if n.pruned_from is None], ids=lambda n: n.name)
def test_every_network_takes_other_images_and_classes(network: registry.Network, shape: tuple[int, int, int]) -> None:
    from harness.training.compress.graph import trace
    from harness.training.networks.macs import count_macs

    model = network.build(3, shape)
    assert model.input_shape == (None, *shape)
    assert model.output_shape == (None, 3)
    assert count_macs(model) > 0
    if any(other.pruned_from == network.name for other in registry.NETWORKS):
        assert trace(model).groups()
    answers = np.asarray(model(noise(2, *shape).astype(np.float32)))
    assert np.allclose(answers.sum(axis=1), 1, atol=1e-4)
