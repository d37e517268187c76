"""Structured pruning: what is removed is really gone, what stays computes the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
# Keras reads its own variables in a way that numpy 2 deprecates
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

from harness.core.errors import BuildError, UsageError  # noqa: E402
from harness.training.compress import cutting, distil, drop_layer, importance, pipeline, plan, surgery  # noqa: E402
from harness.training.compress.budget import AS_REGISTERED  # noqa: E402
from harness.training.compress.graph import Channels, trace  # noqa: E402
from harness.training.networks import registry  # noqa: E402
from harness.training.networks.macs import count_macs  # noqa: E402
from harness.training.train.epochs import TrainingSet  # noqa: E402
from tests.support.datasets import small_dataset  # noqa: E402
from tests.support.networks import stirred, tiny  # noqa: E402


def no_sample() -> Any:
    raise AssertionError("this importance looks at weights alone")


def silenced(model: Any, channels: Channels, gone: set[int]) -> Any:
    """The unpruned model with the outgoing weights of removed channels at zero."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in copy.layers:
        if type(layer).__name__ in ("Conv2D", "Dense"):
            lost = [channels.root[n] in gone for n in channels.uses[layer.name].taken]
            kernel = np.copy(np.asarray(layer.kernel))
            kernel[..., lost, :] = 0
            layer.kernel.assign(kernel)
    return copy


def assert_same_without(model: Any, share: float) -> Any:
    channels = trace(model)
    rng = np.random.default_rng(1)
    costs = plan.CostModel(model, channels)
    scores = {group: float(rng.random()) for group in channels.groups()}
    gone = plan.choose(costs, scores, count_macs(model) * share)
    smaller = surgery.remove(model, channels, gone)
    assert count_macs(smaller) <= count_macs(model) * share * 1.05
    x = rng.integers(0, 256, (3, 48, 48, 1)).astype(np.float32)
    expected = np.asarray(silenced(model, channels, gone)(x, training=False))
    np.testing.assert_allclose(np.asarray(smaller(x, training=False)), expected, atol=1e-4)
    return smaller


def test_removing_channels_equals_silencing_them() -> None:
    smaller = assert_same_without(tiny(), 0.4)
    assert smaller.count_params() < tiny().count_params()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [network.name for network in registry.NETWORKS if not network.pruned_from and network.name != "shufflenet-v2"],
)
def test_works_on_the_networks_of_the_zoo(name: str) -> None:
    model = stirred(registry.get(name).build())
    assert assert_same_without(model, 0.7).output_shape == model.output_shape


@pytest.mark.slow
@pytest.mark.parametrize("name", [network.name for network in registry.NETWORKS if network.pruned_from])
def test_registered_sizes_are_reached_in_the_registered_rounds(name: str) -> None:
    """Untrained, as :func:`pipeline.prune` cuts without its tuning."""
    network = registry.get(name)
    model = stirred(registry.get(network.pruned_from or "").build())
    for gone_whole in network.pruning.without:
        model = drop_layer.without(model, gone_whole)
    whole = count_macs(model)
    budget = AS_REGISTERED.budget(network.pruning, whole)
    assert budget.macs == (5_000_000 if name == "resvgg19-pruned" else whole / 4)
    for part in pipeline.rounds(whole, budget, "full"):
        channels = trace(model)
        scores = importance.batch_norm_scale(model, channels, no_sample)
        costs = plan.CostModel(model, channels, lanes=budget.lanes)
        gone = plan.choose(
            costs, scores, part.macs, multiple=budget.multiple, least=budget.multiple, largest_cut=cutting.LARGEST_CUT
        )
        model = surgery.remove(model, channels, gone)
        left = [sum(group not in gone for group in members) for members in costs.families]
        assert 0.8 * part.macs < costs.cost(left) <= part.macs  # in bunches, where the budget counts so
        assert count_macs(model) <= part.macs
    assert model.output_shape == (None, 7)


def test_a_block_s_output_and_shortcut_go_together() -> None:
    channels = trace(tiny())
    out = channels.roots(channels.uses["block2_2_conv"].given)
    assert out == channels.roots(channels.uses["block2_shortcut_conv"].given)
    assert set(out) == set(channels.roots(channels.uses["block3_1_conv"].taken))


def test_ends_of_the_network_are_kept() -> None:
    model = tiny()
    channels = trace(model)
    ends = set(channels.roots(channels.uses["probabilities"].given))
    assert not ends & set(channels.groups())
    with pytest.raises(BuildError, match="input or output"):
        surgery.remove(model, channels, ends)


def test_a_shuffle_is_refused_by_name() -> None:
    inputs = keras.layers.Input((4, 4, 6))
    x = keras.layers.Conv2D(6, 1)(inputs)
    x = keras.layers.Permute((2, 1, 3), name="swap")(keras.layers.Reshape((4, 6, 4), name="mix")(x))
    with pytest.raises(BuildError, match="mix"):
        trace(keras.Model(inputs, x))


def test_shufflenet_is_refused_for_its_shuffle() -> None:
    with pytest.raises(BuildError, match=r"layer '.+' \(Reshape, as in a channel shuffle\)"):
        trace(registry.get("shufflenet-v2").build())


def test_cost_model_counts_what_the_network_costs() -> None:
    model = tiny()
    channels = trace(model)
    costs = plan.CostModel(model, channels)
    assert costs.cost([len(members) for members in costs.families]) == count_macs(model)


def test_prices_send_the_knife_elsewhere() -> None:
    model = tiny()
    channels = trace(model)
    scores = dict.fromkeys(channels.groups(), 1.0)
    dear = plan.CostModel(model, channels, {"block3_1_conv": 1000.0})
    target = 0.6 * dear.cost([len(members) for members in dear.families])
    smaller = surgery.remove(model, channels, plan.choose(dear, scores, target))
    before, after = (m.get_layer("block3_1_conv").kernel.shape for m in (model, smaller))
    assert after[2] * after[3] < before[2] * before[3]
    assert smaller.get_layer("block1_1_conv").filters == 8


def test_widths_stay_multiples() -> None:
    model = tiny()
    channels = trace(model)
    gone = plan.choose(plan.CostModel(model, channels), dict.fromkeys(channels.groups(), 1.0), 1.0)
    widths = {layer.filters for layer in surgery.remove(model, channels, gone).layers if hasattr(layer, "filters")}
    assert widths == {4}


@pytest.mark.parametrize("method", importance.IMPORTANCES)
def test_importance_finds_the_dead_channel(method: str) -> None:
    model = tiny()
    conv, norm = model.get_layer("block1_1_conv"), model.get_layer("block1_1_bn")
    kernel = np.copy(np.asarray(conv.kernel))
    kernel[..., 3] = 0
    conv.kernel.assign(kernel)
    for variable in (norm.gamma, norm.beta):
        values = np.copy(np.asarray(variable))
        values[3] = 0
        variable.assign(values)
    channels = trace(model)
    x = np.random.default_rng(0).integers(0, 256, (16, 48, 48, 1)).astype(np.float32)
    targets = np.eye(7, dtype=np.float32)[np.arange(16) % 7]
    scores = importance.IMPORTANCES[method].score(model, channels, lambda: (x, targets))
    family = channels.roots(channels.uses["block1_1_conv"].given)
    assert min(family, key=lambda g: scores[g]) == family[3]
    assert scores[family[3]] == pytest.approx(0, abs=1e-12)


def test_unknown_importance_is_refused() -> None:
    with pytest.raises(UsageError, match="taylor"):
        importance.get("magic")


def test_lessons_are_asked_once(tmp_path: Path) -> None:
    from harness.data.splits import split

    data = small_dataset()
    parts = split(data)
    teacher = tiny()
    first = distil.lessons(teacher, TrainingSet(data, parts, 0), tmp_path, sets=2)(5)
    teacher.set_weights([w * 0 for w in teacher.get_weights()])
    again = distil.lessons(teacher, TrainingSet(data, parts, 0), tmp_path, sets=2)(5)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    np.testing.assert_allclose(first[1].sum(axis=1), 1, atol=1e-5)


def test_what_fits_again_comes_back() -> None:
    """No bunch of channels could be added without going over the target, however costly the last one to go was."""
    model = tiny()
    channels = trace(model)
    costs = plan.CostModel(model, channels)
    scores = {group: float(np.random.default_rng(group).random()) for group in channels.groups()}
    for share in (0.2, 0.35, 0.5, 0.8):
        target = count_macs(model) * share
        gone = plan.choose(costs, scores, target)
        widths = [sum(group not in gone for group in members) for members in costs.families]
        assert costs.cost(widths) <= target
        for k, members in enumerate(costs.families):
            wider = [*widths[:k], min(widths[k] + 4, len(members)), *widths[k + 1 :]]
            assert widths[k] == len(members) or costs.cost(wider) > target


def test_kernels_cost_whole_bunches_and_their_fetches() -> None:
    """As XNNPACK computes: five output channels like eight, two in a kernel of their own, and a fetch for each."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(2, 3, padding="same", name="narrow")(inputs)
    x = keras.layers.Conv2D(5, 3, padding="same", name="wide")(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    model = keras.Model(inputs, keras.layers.Dense(7)(keras.layers.GlobalAveragePooling2D()(x)))
    channels = trace(model)
    plain, bunched = plan.CostModel(model, channels), plan.CostModel(model, channels, lanes=8)
    widths = [len(members) for members in plain.families]
    assert plain.cost(widths) == count_macs(model)
    depthwise, dense = 64 * 9 * 5, 5 * 7
    narrow, wide = 1 * 2 + plan.FETCH_NARROW, 2 * 8 + plan.FETCH
    assert bunched.cost(widths) == 64 * 9 * (narrow + wide) + depthwise + dense


def test_a_live_teacher_answers_new_images_in_each_epoch() -> None:
    from harness.data.splits import split

    data = small_dataset()
    parts = split(data)
    teacher = tiny()
    told = distil.live(teacher, TrainingSet(data, parts, 0))
    images, targets = told(5)
    np.testing.assert_array_equal(told(5)[0], images)
    assert not np.array_equal(told(6)[0], images)
    assert images.shape == (len(parts.train), 48, 48, 1)
    assert 0 <= images.min() < images.max() <= 255
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-5)
    answers = np.asarray(teacher(images, training=False))
    rest = (targets - distil.TRUST * answers) / (1 - distil.TRUST)  # what is left is a mixture of two labels
    assert ((rest > 1e-3).sum(axis=1) <= 2).all()
    # the larger share is the label of the image that the class weights go by
    assert (rest[np.arange(len(rest)), data.labels[parts.train]] > 0.499).all()


@pytest.mark.soak
def test_the_teacher_answers_itself_where_it_is_small_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.data.splits import split
    from harness.training.compress.budget import Budget

    data = small_dataset()
    parts = split(data)
    asked: list[int] = []
    real = distil.live
    monkeypatch.setattr(distil, "live", lambda model, *rest: asked.append(count_macs(model)) or real(model, *rest))
    model = tiny()
    whole = count_macs(model)

    def prune(live: int, folder: Path) -> Any:
        monkeypatch.setattr(distil, "LIVE_MACS", live)
        asked.clear()
        budget = Budget(macs=whole / 4, epochs=(1, 1))
        job = pipeline.PruningJob(
            dataset=data, split=parts, profile="full", seed=0, folder=folder, progress=lambda text: None, budget=budget
        )
        return pipeline.prune(model, job)[0]

    prune(whole, tmp_path / "a")
    assert asked == [whole, whole]
    prune(whole - 1, tmp_path / "b")  # the first round's network answers in the second
    assert [macs < whole for macs in asked] == [True]
    prune(0, tmp_path / "c")
    assert asked == []
