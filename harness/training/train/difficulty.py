"""The difficulty of a data set: ``python -m harness.training.train.difficulty`` prints what simple learners reach on
it.

A stand-in that a linear classifier solves can't rank networks. The learners here are a nearest neighbour (it shows how
much a split leaks), a linear classifier on pixels, and a CNN of three layers; the latter two learn by the recipe that
all networks share, the linear one without varied images, which it can't use.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers

from harness.data import registry, splits
from harness.data.dataset import Dataset, Split
from harness.training.arrays import Model
from harness.training.networks.blocks import pixels
from harness.training.train import loop
from harness.training.train.epochs import TrainingSet, as_input
from harness.training.train.recipe import Recipe


def nearest(dataset: Dataset, split: Split) -> float:
    """Test accuracy of the label of the most similar training image (pixels, contrast equalised)."""
    x = dataset.images.reshape(len(dataset.images), -1).astype(np.float64)
    x = (x - x.mean(axis=1, keepdims=True)) / np.maximum(x.std(axis=1, keepdims=True), 1e-9)
    best = (x[split.test] @ x[split.train].T).argmax(axis=1)
    return float((dataset.labels[split.train][best] == dataset.labels[split.test]).mean())


def linear(classes: int) -> Model:
    """Softmax regression on the 2304 pixels."""
    inputs, x = pixels()
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(layers.Flatten()(x)), name="linear")


def small_cnn(classes: int) -> Model:
    """Three 3x3 convolutions (16, 32, 64), each with ReLU and 2x2 max pooling, and a softmax on the rest."""
    inputs, x = pixels()
    for filters in (16, 32, 64):
        x = layers.MaxPooling2D()(layers.Conv2D(filters, 3, padding="same", activation="relu")(x))
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x), name="cnn-3")


def learned(make: Callable[[int], Model], training_set: TrainingSet, epochs: int, *, vary: bool) -> float:
    """Test accuracy of a network trained by the common recipe; its best epoch is chosen on validation images.

    Args:
        make: builds the network for a number of classes.
        training_set: the training images; its seed is also that of the weights.
        epochs: passes over the training images.
        vary: whether the images are varied anew in each epoch.
    """
    keras.utils.set_random_seed(training_set.seed)
    dataset, split = training_set.dataset, training_set.split
    model = make(len(dataset.classes))
    plain = as_input(training_set.images), training_set.targets
    with tempfile.TemporaryDirectory() as folder:
        training = loop.Training(
            dataset=dataset,
            split=split,
            recipe=Recipe(epochs=epochs),
            seed=training_set.seed,
            folder=Path(folder),
            progress=lambda _: None,
            epochs=None if vary else lambda _: plain,
        )
        loop.train(model, training)
    return loop.score(model, as_input(dataset.images[split.test]), dataset.labels[split.test])[0]


def figures(dataset: Dataset, split: Split, *, epochs: int = 40, seed: int = 0) -> dict[str, float]:
    """Test accuracy by learner."""
    training_set = TrainingSet(dataset, split, seed)
    return {
        "nearest neighbour": nearest(dataset, split),
        "linear": learned(linear, training_set, epochs, vary=False),
        "cnn-3": learned(small_cnn, training_set, epochs, vary=True),
    }


def main() -> None:
    """Print one line per split and learner, as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="synthetic")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dataset = registry.load(registry.choose(options.data))
    print("| split | learner | test accuracy |\n|---|---|---|")
    for scheme in splits.SCHEMES:
        part = splits.split(dataset, scheme)
        for name, value in figures(dataset, part, epochs=options.epochs, seed=options.seed).items():
            print(f"| {scheme} | {name} | {value:.3f} |", flush=True)


if __name__ == "__main__":
    main()
