"""Strangers: drawn people of other generator seeds than the one that networks are trained on.

All training, validation and choosing happens on the faces of seed ``TRAINED``. A person is drawn from random numbers
whose key begins with the seed, so people of another seed are other people, in other poses and light. Accuracy on them
says how a network does on people it never saw, and 354 of them say more than the 99 images of the paper's split, which
show people that training has seen.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from harness.core.errors import UsageError
from harness.data.dataset import Dataset
from harness.data.synthetic.generator import generate

#: The seed of the faces that networks are trained on (``--data synthetic``).
TRAINED = 0
#: The seeds of the strangers on which networks are compared by default: 2,943 images of 354 people.
SEEDS = (101, 102, 103)
#: Each seed has 981 images, so these are near 100,000; more would not narrow an interval that anybody looks at.
MOST_SEEDS = 100
_MAX_SEED = (1 << 32) - 1


def strangers(seeds: Sequence[int] = SEEDS) -> Dataset:
    """Draw strangers: 981 images of 118 people for each seed, seed after seed; the same bytes on every machine.

    Args:
        seeds: of the generator, distinct.

    Returns:
        A data set named ``strangers``. Its subjects and sequences are named after their seed, too (``101-S005``), since
        each seed has its own S005.

    Raises:
        UsageError: no seeds, too many, one twice, or the one that networks are trained on.
    """
    chosen = tuple(seeds)
    _check(chosen)
    return _drawn(chosen)


def strangers_to(dataset_sha256: str) -> bool:
    """Whether strangers are unseen to a network that was trained on this data set: it is the faces of ``TRAINED``."""
    return dataset_sha256 == generate(TRAINED).sha256


def _check(seeds: tuple[int, ...]) -> None:
    if not 1 <= len(seeds) <= MOST_SEEDS:
        raise UsageError(f"{len(seeds)} seeds of strangers: from 1 to {MOST_SEEDS}", fix="--seeds 201,202")
    if len(set(seeds)) < len(seeds):
        raise UsageError("a seed of strangers is named twice, so its people would count twice", fix="name each once")
    if TRAINED in seeds:
        raise UsageError(
            f"seed {TRAINED} draws the people that networks are trained on, so they are no strangers",
            fix="another seed, for example --seeds 201,202",
        )
    if wrong := [seed for seed in seeds if not 0 <= seed <= _MAX_SEED]:
        raise UsageError(f"seed {wrong[0]}: a whole number from 1 to {_MAX_SEED}")


@functools.lru_cache(maxsize=2)
def _drawn(seeds: tuple[int, ...]) -> Dataset:
    parts = [generate(seed) for seed in seeds]
    images, labels = (np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "labels"))
    images.setflags(write=False)
    labels.setflags(write=False)
    named = [
        [(f"{seed}-{subject}", f"{seed}-{sequence}") for subject, sequence in zip(*_names(part), strict=True)]
        for seed, part in zip(seeds, parts, strict=True)
    ]
    subjects, sequences = zip(*(pair for part in named for pair in part), strict=True)
    return Dataset(
        name="strangers", synthetic=True, images=images, labels=labels, subjects=subjects, sequences=sequences
    )


def _names(part: Dataset) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Subjects and sequences of a drawn data set, which always has both."""
    return part.subjects or (), part.sequences or ()
