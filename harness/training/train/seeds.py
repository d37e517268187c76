"""Whence Keras has its random numbers, also in a process where other threads draw some."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import keras
from keras.src.random import seed_generator


def seed_all(number: int) -> None:
    """Let all that is random from here on depend on a number alone."""
    keras.utils.set_random_seed(number)
    seed_generator.python_random.seed(number)


@contextlib.contextmanager
def own_draws() -> Iterator[None]:
    """Give Keras a generator of its own, which draws the same numbers as Python's common one.

    Keras takes the seeds of initial weights from the common one, and so do the threads of a Dask worker their pauses:
    between seeding and building a network they would take some of its numbers.
    """
    common = seed_generator.python_random
    seed_generator.python_random = random.Random()  # noqa: S311 - seeds, no secrets
    try:
        yield
    finally:
        seed_generator.python_random = common
