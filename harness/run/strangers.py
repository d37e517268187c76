"""Strangers instead of an artifact's own test images (``--split unseen``)."""

from __future__ import annotations

import numpy as np

from harness.core.errors import UsageError
from harness.data.spec import SYNTHETIC
from harness.data.synthetic.strangers import SEEDS, strangers, strangers_to
from harness.records.cell import SplitInfo
from harness.records.manifest import Manifest
from harness.records.samples import UNSEEN
from harness.run.images import npy
from harness.run.judging import spread
from harness.run.options import Options
from harness.run.testset import TestSet


def word() -> str:
    """The images' part of a cell's name: the scheme of the split and the start of its hash."""
    return f"{UNSEEN}-{strangers().sha256[:8]}"


def prepare(samples: int | None = None) -> TestSet:
    """Prepare strangers (:mod:`harness.data.synthetic.strangers`).

    Args:
        samples: only that many, spread evenly.
    """
    dataset = strangers()
    chosen = spread(np.arange(len(dataset.labels), dtype=np.int64), samples)
    path, digest = npy(dataset, chosen)
    numbers = {person: number for number, person in enumerate(dict.fromkeys(dataset.subjects or ()))}
    info = SplitInfo(
        dataset=dataset.name,
        synthetic=True,
        scheme=UNSEEN,
        seed=SEEDS[0],
        seeds=SEEDS,
        n=len(chosen),
        sha256=dataset.sha256 if len(chosen) == len(dataset.labels) else digest,
        subject_overlap=0,
        classes=dataset.classes,
        labels=tuple(int(label) for label in dataset.labels[chosen]),
        persons=tuple(numbers[(dataset.subjects or ())[place]] for place in chosen),
    )
    return TestSet(info, path, digest)


def check(manifest: Manifest, options: Options) -> None:
    """Check that drawn people are strangers to a network.

    Raises:
        UsageError: it was trained on other data than the drawn faces.
    """
    trained_on = manifest.split.dataset_sha256 if manifest.split else ""
    if options.task is not None or options.data != SYNTHETIC or not strangers_to(trained_on):
        raise UsageError(
            f"'{manifest.name}' was not trained on the drawn faces, so there are no strangers to it",
            fix="leave --split unseen out, or choose with --model",
        )
