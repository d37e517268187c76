"""Duration of an epoch of distillation: ``python -m benchmarks.epoch [--rounds 3] [--backend jax=PYTHON]``.

In the form "apart", the teacher answers all images first and the student is fitted to its answers, as before. In the
form "together", both are in one compiled step and the next epoch's images are made meanwhile, as in ``harness build``.
The two forms alternate, and so do the backends: each round is a process of its own for each backend, with a turn of a
few epochs for each form. The first epoch of a turn, which compiles, doesn't count. Wall time is the median; processor
time is that of the process and tells more where other programs run. ``--backend`` names what Keras runs on
(tensorflow, jax or torch) and the Python that has it; without it, that is TensorFlow in this Python.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.training.compress.distil import Live
    from harness.training.train.loop import Training

ROOT = Path(__file__).parents[1]
#: close to the final widths of ``resvgg19-pruned``; a quarter of VGG19's widths is close to its teacher assistant's
WIDTHS = ((2, 2), (2, 8), (2, 4, 4, 16), (2, 8, 2, 40), (8, 8, 6, 40))
FORMS = ("apart", "together")

#: wall and processor seconds of each epoch
Times = list[tuple[float, float]]


def now() -> tuple[float, float]:
    """Wall and processor time, seconds."""
    return time.perf_counter(), time.process_time()


def apart(training: Training, student: Any, lessons: Live) -> tuple[Times, float]:
    """Readings after each epoch, and the last loss, with a teacher that answers before the student's steps."""
    import keras
    import numpy as np

    from harness.training.networks.macs import count_macs
    from harness.training.train import loop, steps
    from harness.training.train.epochs import as_input

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


def turn(form: str, epochs: int) -> tuple[Times, float]:
    """Wall and processor seconds of each epoch after the first, and the last loss."""
    import keras

    from harness.data.registry import load
    from harness.data.spec import SYNTHETIC
    from harness.data.splits import split
    from harness.training.compress import distil
    from harness.training.networks import resvgg19
    from harness.training.train import loop
    from harness.training.train.epochs import TrainingSet
    from harness.training.train.recipe import Recipe

    keras.utils.set_random_seed(0)
    data = load(SYNTHETIC)
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
        if form == "together":
            loss = loop.train(student, training).history[-1]["train_loss"]
        else:
            readings, loss = apart(training, student, lessons)
    return [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(readings)], loss


def measured_here(epochs: int) -> str:
    """One round on the backend of this process, as JSON."""
    import keras

    return json.dumps({"keras": keras.__version__, **{form: turn(form, epochs) for form in FORMS}})


def measured(backend: str, python: str, epochs: int) -> dict[str, Any]:
    """One round on a backend, in a process of its own."""
    done = subprocess.run(
        [python, "-m", "benchmarks.epoch", "--here", "--epochs", str(epochs)], cwd=ROOT, capture_output=True,
        encoding="utf-8", check=False, env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{backend}: {python} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(rounds: dict[str, list[dict[str, Any]]]) -> str:
    """A row a backend and form; the ratio is that of a round's medians, its median over the rounds and its range."""
    lines = [
        "| backend | teacher and student | epochs | wall ms | processor ms | wall, together by apart | last loss |",
        "|---|---|---|---|---|---|---|",
    ]
    for backend, found in rounds.items():
        ratios = [
            statistics.median(each["together"][0][k][0] for k in range(len(each["together"][0])))
            / statistics.median(each["apart"][0][k][0] for k in range(len(each["apart"][0])))
            for each in found
        ]
        for form in FORMS:
            times = [time for each in found for time in each[form][0]]
            wall, processor = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
            ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            lines.append(
                f"| {backend}, Keras {found[0]['keras']} | {form} | {len(times)} | {wall:.0f} | {processor:.0f} | "
                f"{ratio if form == 'together' else ''} | {found[-1][form][1]:.5f} |"
            )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5, help="of a turn; the first doesn't count")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backend", action="append", metavar="NAME=PYTHON", help="repeat for several")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(measured_here(options.epochs))
        return 0
    pythons = dict(each.partition("=")[::2] for each in options.backend or [f"tensorflow={sys.executable}"])
    rounds: dict[str, list[dict[str, Any]]] = {backend: [] for backend in pythons}
    for _ in range(options.rounds):
        for backend, python in pythons.items():
            rounds[backend].append(measured(backend, python or sys.executable, options.epochs))
    print(table(rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
