"""Convolutions that go whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
# Keras reads its own variables in a way that numpy 2 deprecates
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

from harness.core.errors import BuildError  # noqa: E402
from harness.training.compress import drop_layer  # noqa: E402
from harness.training.networks import registry, resvgg19  # noqa: E402


def tiny() -> Any:
    keras.utils.set_random_seed(0)
    return resvgg19.build(widths=((4, 4), (6, 6, 8)), name="tiny")


def identity(model: Any, name: str) -> Any:
    """Make a convolution and its batch normalisation hand their input on."""
    kernel = np.zeros(model.get_layer(f"{name}_conv").kernel.shape, np.float32)
    kernel[1, 1] = np.eye(kernel.shape[-1])
    model.get_layer(f"{name}_conv").set_weights([kernel])
    width = kernel.shape[-1]
    epsilon = model.get_layer(f"{name}_bn").epsilon
    model.get_layer(f"{name}_bn").set_weights(
        [np.full(width, np.sqrt(1 + epsilon)), np.zeros(width), np.zeros(width), np.ones(width)]
    )
    return model


@pytest.mark.parametrize("name", ["block1_2", "block2_2"])  # before a sum, and before another convolution
def test_without_a_convolution_that_does_nothing_all_stays(name: str) -> None:
    model = identity(tiny(), name)
    pixels = np.random.default_rng(0).uniform(0, 255, (3, 48, 48, 1)).astype(np.float32)
    smaller = drop_layer.without(model, f"{name}_conv")
    gone = {layer.name for layer in model.layers} - {layer.name for layer in smaller.layers}
    assert {f"{name}_conv", f"{name}_bn"} <= gone <= {f"{name}_conv", f"{name}_bn", f"{name}_relu"}
    np.testing.assert_allclose(smaller(pixels), model(pixels), atol=1e-5)


def test_what_changes_the_shape_cannot_go() -> None:
    with pytest.raises(BuildError, match=r"block2_3_conv.*keeps the shape"):
        drop_layer.without(tiny(), "block2_3_conv")


@pytest.mark.parametrize("name", ["block9_1_conv", "block1_1_bn"])
def test_only_a_convolution_can_go(name: str) -> None:
    with pytest.raises(BuildError, match=f"tiny has no convolution '{name}'"):
        drop_layer.without(tiny(), name)


def test_what_the_registry_takes_out_is_there() -> None:
    for network in registry.NETWORKS:
        model = network.build()
        for name in network.pruning.without:
            drop_layer.without(model, name)
