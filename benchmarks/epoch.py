"""Duration of an epoch of distillation: ``python -m benchmarks.epoch [--epochs 5] [--rounds 2]``.

In the form "apart", the teacher answers all images first and the student is fitted to its answers. In the form
"together", both are in one compiled step and the next epoch's images are made meanwhile, as in ``harness build``. The
two forms alternate, a few epochs each; the first epoch of a turn, which compiles, doesn't count. Wall time is the
median; processor time is that of this process and tells more where other programs run. ``KERAS_BACKEND`` (tensorflow,
jax or torch) chooses what Keras runs on.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from harness.data import sources
from harness.data.splits import split
from harness.training.compress import distil
from harness.training.networks import resvgg19
from harness.training.networks.macs import count_macs
from harness.training.train import loop, steps
from harness.training.train.epochs import TrainingSet, as_input
from harness.training.train.recipe import Recipe

#: close to the final widths of ``resvgg19-pruned``; a quarter of VGG19's widths is close to its teacher assistant's
WIDTHS = ((2, 2), (2, 8), (2, 4, 4, 16), (2, 8, 2, 40), (8, 8, 6, 40))

Times = list[tuple[float, float]]


def now() -> tuple[float, float]:
    """Wall and processor time, seconds."""
    return time.perf_counter(), time.process_time()


def apart(training: loop.Training, student: Any, lessons: distil.Live) -> tuple[Times, float]:
    """Readings after each epoch, and the last loss, with a teacher that answers before the student's steps."""
    recipe, parts, data = training.recipe, training.split, training.dataset
    optimizer = loop.optimizer_for(recipe, -(-len(parts.train) // recipe.batch))
    student.compile(optimizer, keras.losses.CategoricalCrossentropy(), jit_compile=steps.jit_for(count_macs(student)))
    weights, readings, loss = training.image_weights(), [], 0.0
    for number in range(recipe.epochs):
        images, targets = lessons(number)
        order = np.random.default_rng([training.seed, number, 2]).permutation(len(images))
        fitted = student.fit(
            images[order], targets[order], sample_weight=weights[order], batch_size=recipe.batch, shuffle=False,
            verbose=0,
        )  # fmt: skip
        loop.score(student, as_input(data.images[parts.validation]), data.labels[parts.validation])
        loss = float(fitted.history["loss"][-1])
        readings.append(now())
    return readings, loss


def turn(together: bool, epochs: int) -> tuple[Times, float]:
    """Wall and processor seconds of each epoch after the first, and the last loss."""
    keras.utils.set_random_seed(0)
    data = sources.load("synthetic")
    parts = split(data)
    teacher = resvgg19.build(widths=resvgg19.scaled(4), name="teacher")
    student = resvgg19.build(widths=WIDTHS, name="student")
    lessons = distil.live(teacher, TrainingSet(data, parts, 0))
    readings: Times = []
    with tempfile.TemporaryDirectory() as folder:
        training = loop.Training(
            dataset=data,
            split=parts,
            recipe=Recipe(epochs=epochs, smoothing=0.0, decay=0.01),
            seed=0,
            folder=Path(folder),
            progress=lambda line: readings.append(now()),
            epochs=lessons,
            best_by_loss=True,
        )
        if together:
            loss = loop.train(student, training).history[-1]["train_loss"]
        else:
            readings, loss = apart(training, student, lessons)
    return [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(readings)], loss


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5, help="of a turn; the first doesn't count")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    times: dict[str, Times] = {"apart": [], "together": []}
    losses: dict[str, float] = {}
    for _ in range(options.rounds):
        for name, measured in times.items():
            seconds, losses[name] = turn(name == "together", options.epochs)
            measured += seconds
    print(f"Keras {keras.__version__} on {keras.backend.backend()}\n")
    print("| teacher and student | epochs | wall ms | processor ms | last loss |\n|---|---|---|---|---|")
    for name, measured in times.items():
        wall, processor = (statistics.median(column) * 1e3 for column in zip(*measured, strict=True))
        print(f"| {name} | {len(measured)} | {wall:.0f} | {processor:.0f} | {losses[name]:.5f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
