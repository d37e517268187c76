"""Networks: sizes as published, inputs and outputs as promised, easy to add to."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from harness.core.errors import UsageError
from harness.training.networks import registry

#: trainable parameters at 1000 classes, 224x224x3, from the papers or their authors' code
PUBLISHED = {
    "mobilenet-v1": 4_231_976,
    "mobilenet-v2": 3_504_872,
    "mobilenet-v3-small": 2_542_856,
    "mobilenet-v3-large": 5_483_032,
    "shufflenet-v2": 2_278_604,
    "ghostnet": 5_182_508,
    "efficientnet-lite0": 4_652_008,
    "mnasnet": 3_887_038,
}


def test_names_and_errors() -> None:
    assert registry.names()[:2] == ["resvgg19", "resvgg19-pruned"]
    assert len(set(registry.names())) == len(registry.names()) == 20
    assert "keras" not in registry.__dict__
    with pytest.raises(UsageError, match="mobilenet-v2"):
        registry.get("mobilenet")


def test_pruned_networks_come_after_their_parents_and_know_their_size() -> None:
    names = registry.names()
    pruned = [network for network in registry.NETWORKS if network.pruned_from]
    assert len(pruned) == 9
    for network in pruned:
        assert network.pruned_from is not None
        assert network.name == f"{network.pruned_from}-pruned"
        assert names.index(network.pruned_from) < names.index(network.name), "a build needs the parent first"
        assert network.title == f"{registry.get(network.pruned_from).title}, pruned"
    assert registry.get("resvgg19-pruned").pruning.target(907_447_808) == 5_000_000
    assert registry.get("ghostnet-pruned").pruning.target(1000) == 250
    assert len(registry.get("resvgg19-pruned").pruning.epochs) == 4


pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from harness.training.networks import resvgg19, squeezenet  # noqa: E402
from harness.training.networks.macs import count_macs  # noqa: E402


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_parameters_are_the_published_ones(name: str) -> None:
    model = registry.get(name).build(1000, (224, 224, 3))
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert trainable == PUBLISHED[name]


def test_squeezenet_parameters_are_the_published_ones() -> None:
    assert squeezenet.build(1000, (224, 224, 3), norm=False).count_params() == 1_235_496


@pytest.mark.slow
@pytest.mark.parametrize("name", [network.name for network in registry.NETWORKS if not network.pruned_from])
def test_takes_pixels_gives_probabilities(name: str) -> None:
    model = registry.get(name).build()
    assert model.input_shape == (None, 48, 48, 1)
    p = np.asarray(model(np.full((2, 48, 48, 1), 200, dtype=np.float32), training=False))
    assert p.shape == (2, 7)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    assert all(n.momentum <= 0.9 for n in model.layers if type(n).__name__ == "BatchNormalization")


def test_each_block_adds_its_input_to_its_output() -> None:
    model = resvgg19.build(widths=resvgg19.scaled(16))
    for block in range(1, 6):
        total = model.get_layer(f"block{block}_sum")
        entry = total.input[1]._keras_history.operation.name
        assert entry == (f"block{block}_shortcut_bn" if block < 5 else "block4_pool")
        following = [n.operation.name for n in total._outbound_nodes]
        assert following == [f"block{block}_relu"]
    assert sum(type(n).__name__ == "Conv2D" and n.kernel_size == (3, 3) for n in model.layers) == 16


def test_plain_vgg_has_no_sums() -> None:
    model = resvgg19.build(widths=resvgg19.scaled(16), residual=False)
    assert not [n for n in model.layers if type(n).__name__ == "Add"]


def test_macs_by_hand() -> None:
    inputs = keras.layers.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", strides=2)(inputs)
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    x = keras.layers.Dense(5)(keras.layers.Flatten()(x))
    assert count_macs(keras.Model(inputs, x)) == 16 * 9 * 3 * 4 + 16 * 9 * 4 + 64 * 5


def test_adding_a_network_is_one_file_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("harness.training.networks.mine")
    module.build = lambda classes, shape: resvgg19.build(classes, shape, widths=((2, 2),))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "harness.training.networks.mine", module)
    line = registry.Network("mine", "Mine", "nobody, 2026", "mine")
    monkeypatch.setattr(registry, "NETWORKS", (*registry.NETWORKS, line))
    assert registry.get("mine").build().output_shape == (None, 7)
