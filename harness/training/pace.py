"""How fast this machine trains: a few steps of each network, timed. Importing this module doesn't import TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from pydantic import Field

from harness.records.base import Record
from harness.training.arrays import Model
from harness.training.networks.registry import Network

#: a network is timed for so many seconds, or for so many steps where they are quicker, but for at least three steps
TIMED_S, MOST_STEPS, LEAST_STEPS = 3.0, 24, 3
#: steps before the clock starts: the first one compiles, and later ones may still allocate
WARM_UP = 2
#: resvgg19 with widths divided by this costs so little that a step's time is its overhead
SMALL = 16
#: a forward pass over a training step's forward and backward pass
FORWARD = 1 / 3


class Rate(Record):
    """The speed of one network's training, and its size.

    Attributes:
        seconds: of an image in a training step.
        start_s: of building and compiling it.
        macs: multiply-accumulates for one image.
        parameters: number of weights.
    """

    seconds: float = Field(gt=0)
    start_s: float = Field(ge=0)
    macs: int = Field(gt=0)
    parameters: int = Field(gt=0)


class Pace(Record):
    """The speed of training on this machine.

    Attributes:
        rates: by the network's name.
        small: of a network whose time is mostly overhead.
    """

    rates: dict[str, Rate]
    small: Rate

    def seconds(self, name: str, macs: float) -> float:
        """Seconds of an image in a training step of a network that is pruned from a timed one to ``macs``.

        The part that is computing shrinks with the multiply-accumulates, the overhead stays.
        """
        rate = self.rates[name]
        return min(rate.seconds, self.small.seconds + rate.seconds * macs / rate.macs)

    def answer_s(self, name: str, macs: float | None = None) -> float:
        """Seconds of an image for the answer of a timed network, or of one that is pruned from it to ``macs``."""
        rate = self.rates[name]
        return rate.seconds * (1.0 if macs is None else macs / rate.macs) * FORWARD


def measure(
    networks: Sequence[Network], classes: int, shape: tuple[int, int, int], *, progress: Callable[[str], None]
) -> Pace:
    """Time a few training steps of each network; this takes up to a minute a network, mostly for compiling.

    Args:
        networks: such as are trained from scratch. Pruned ones don't exist yet, so their time is worked out.
        classes: number of classes.
        shape: height, width and channels of an image.
        progress: receives a line a network.
    """
    from harness.training.networks import resvgg19

    rates = {}
    for network in networks:
        rates[network.name] = rate = _timed(partial(network.build, classes, shape))
        progress(f"{network.name}: {1 / rate.seconds:.3g} training images a second here")
    return Pace(rates=rates, small=_timed(partial(resvgg19.build, classes, shape, widths=resvgg19.scaled(SMALL))))


def _timed(build: Callable[[], Model]) -> Rate:
    import keras

    from harness.training.networks.macs import count_macs
    from harness.training.train import loop
    from harness.training.train.recipe import recipe_for
    from harness.training.train.steps import jit_for

    started = time.perf_counter()
    model = build()
    macs = count_macs(model)
    recipe = recipe_for("full", macs)
    model.compile(loop.optimizer_for(recipe, 1), keras.losses.CategoricalCrossentropy(), jit_compile=jit_for(macs))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (recipe.batch, *model.input_shape[1:])).astype(np.float32)
    targets = np.eye(model.output_shape[-1], dtype=np.float32)[rng.integers(0, model.output_shape[-1], recipe.batch)]
    for _ in range(WARM_UP):
        model.train_on_batch(images, targets)
    ready = time.perf_counter()
    steps = 0
    while steps < LEAST_STEPS or (steps < MOST_STEPS and time.perf_counter() - ready < TIMED_S):
        model.train_on_batch(images, targets)
        steps += 1
    return Rate(
        seconds=(time.perf_counter() - ready) / steps / recipe.batch,
        start_s=ready - started,
        macs=macs,
        parameters=model.count_params(),
    )
