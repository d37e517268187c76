"""How hard a data set is: ``python -m harness.training.train.difficulty`` prints what simple learners reach on it.

A stand-in that a linear classifier solves would rank no network. The learners here are a nearest neighbour (it shows
how much a split leaks), a linear classifier on pixels, and a CNN of three layers; the latter two learn by the recipe
that all networks share, the linear one without varied images, which it can't use.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from harness.data import registry, splits
from harness.data.dataset import Dataset, Split
from harness.training.networks.blocks import pixels
from harness.training.train import loop
from harness.training.train.recipe import Recipe


def nearest(dataset: Dataset, split: Split) -> float:
    """Test accuracy of the label of the most alike training image (pixels, contrast evened out)."""
    x = dataset.images.reshape(len(dataset.images), -1).astype(np.float64)
    x = (x - x.mean(axis=1, keepdims=True)) / np.maximum(x.std(axis=1, keepdims=True), 1e-9)
    best = (x[split.test] @ x[split.train].T).argmax(axis=1)
    return float((dataset.labels[split.train][best] == dataset.labels[split.test]).mean())


def linear(classes: int) -> Any:
    """Softmax regression on the 2304 pixels."""
    inputs, x = pixels()
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(layers.Flatten()(x)), name="linear")


def small_cnn(classes: int) -> Any:
    """Three 3x3 convolutions (16, 32, 64), each with ReLU and 2x2 max pooling, and a softmax on what is left."""
    inputs, x = pixels()
    for filters in (16, 32, 64):
        x = layers.MaxPooling2D()(layers.Conv2D(filters, 3, padding="same", activation="relu")(x))
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x), name="cnn-3")


def learned(make: Callable[[int], Any], dataset: Dataset, split: Split, epochs: int, seed: int, *, vary: bool) -> float:
    """Test accuracy of a network trained by the common recipe; its best epoch is chosen on validation images."""
    keras.utils.set_random_seed(seed)
    model = make(len(dataset.classes))
    plain = (
        loop.as_input(dataset.images[split.train]),
        loop.one_hot(dataset.labels[split.train], len(dataset.classes)),
    )
    with tempfile.TemporaryDirectory() as folder:
        loop.train(
            model,
            dataset,
            split,
            Recipe(epochs=epochs),
            seed=seed,
            folder=Path(folder),
            progress=lambda _: None,
            epochs=None if vary else lambda _: plain,
        )
    return loop.score(model, loop.as_input(dataset.images[split.test]), dataset.labels[split.test])[0]


def figures(dataset: Dataset, split: Split, *, epochs: int = 40, seed: int = 0) -> dict[str, float]:
    """Test accuracy by learner."""
    return {
        "nearest neighbour": nearest(dataset, split),
        "linear": learned(linear, dataset, split, epochs, seed, vary=False),
        "cnn-3": learned(small_cnn, dataset, split, epochs, seed, vary=True),
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
