"""Untrained Keras networks for tests. TensorFlow is imported only when one is made."""

from __future__ import annotations

from typing import Any

import numpy as np


def tiny() -> Any:
    """ResVGG-19 with three narrow blocks, stirred; the same with each call."""
    import keras

    from harness.training.networks import resvgg19

    keras.utils.set_random_seed(0)
    model = resvgg19.build(widths=((8, 8), (12, 12), (16, 16)), name="tiny")
    return stirred(model)


def stirred(model: Any) -> Any:
    """Give batch normalisation random statistics: those of a fresh model are all 0 and 1, which hides a wrong slice."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model


def small_resvgg19(seed: int, width: int = 2) -> Any:
    """A residual VGG19 of two narrow blocks, with the weights that ``seed`` gives."""
    import keras

    from harness.training.networks import resvgg19

    keras.utils.set_random_seed(seed)
    return resvgg19.build(widths=((width, width), (4, 4)), name="tiny")
