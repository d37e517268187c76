"""Budgets of pruning: each target is met, or what stands in the way is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytestmark = [
    pytest.mark.train,
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation:DeprecationWarning", "ignore:Even though the `tf.config"
    ),
]

from harness.core.errors import BuildError, UsageError  # noqa: E402
from harness.data.splits import split  # noqa: E402
from harness.training.compress import importance, pipeline  # noqa: E402
from harness.training.compress.budget import AS_REGISTERED, Budget, Targets  # noqa: E402
from harness.training.networks import registry  # noqa: E402
from harness.training.networks.macs import count_macs  # noqa: E402
from harness.training.train import loop  # noqa: E402
from tests.support.datasets import small_dataset  # noqa: E402
from tests.support.networks import tiny  # noqa: E402

PARAMETERS = {"bytes": lambda model: float(model.count_params())}


def prune(model: Any, budget: Budget, folder: Path, lines: list[str] | None = None, **more: Any) -> Any:
    data = small_dataset()
    told = [] if lines is None else lines
    job = pipeline.PruningJob(
        dataset=data,
        split=split(data),
        profile="full",
        seed=0,
        folder=folder,
        progress=told.append,
        budget=budget,
        **more,
    )
    return pipeline.prune(model, job)


def test_a_whole_convolution_goes_first_and_the_last_tuning_can_be_done_again(tmp_path: Path) -> None:
    model = tiny()
    budget = Budget(macs=count_macs(model) / 3, epochs=(1, 2), without=("block1_2_conv",))
    lines: list[str] = []
    once, before = prune(model, budget, tmp_path, lines)
    assert [step.detail.split(",")[0] for step in before] == [
        "without block1_2_conv", "taylor", "distilled", "taylor", "distilled",
    ]  # fmt: skip
    assert before[0].macs < count_macs(model)
    epochs = sum("epoch" in line for line in lines)
    twice, steps = prune(model, replace(budget, restarts=1), tmp_path, lines)
    assert steps[:5] == before, "what was tuned is not tuned anew"
    assert (steps[5].kind, steps[5].macs) == ("tuned", before[4].macs)
    assert sum("epoch" in line for line in lines) == epochs + 2
    assert any((a != b).any() for a, b in zip(once.get_weights(), twice.get_weights(), strict=True))


def test_the_assistant_learns_on_before_the_last_restart(tmp_path: Path) -> None:
    """And the round that made it stays what it was: a copy learns. What another one taught is not taken for it."""
    model = tiny()
    budget = Budget(macs=count_macs(model) / 3, epochs=(1, 2), restarts=1)
    plain, _ = prune(model, budget, tmp_path)
    weights = [w.copy() for w in model.get_weights()]
    better, steps = prune(model, replace(budget, assistant=3), tmp_path)
    assert steps[-1].detail.endswith("its teacher tuned for 3 more")
    assert "its teacher" not in steps[-2].detail
    assert len(list(tmp_path.glob("*/assistant/best.weights.h5"))) == 1
    assert all((a == b).all() for a, b in zip(weights, model.get_weights(), strict=True))
    assert any((a != b).any() for a, b in zip(plain.get_weights(), better.get_weights(), strict=True))


def test_the_cache_s_folder_is_named_by_what_decides_the_rounds() -> None:
    budget = Budget(macs=1e6)
    assert repr(replace(budget, max_accuracy_drop=0.1)) == repr(budget), "it says where rounds end, not what one does"
    assert repr(replace(budget, restarts=1)) == repr(budget), "a restart goes on from what the rounds led to"
    assert repr(replace(budget, assistant=3)) == repr(budget), "so does what the assistant learns before it"
    others = [
        replace(budget, without=("conv",)), replace(budget, lanes=8),
        replace(budget, macs=2e6), replace(budget, bytes=1e4), replace(budget, latency_ratio=0.9),
        replace(budget, epochs=(1,)), replace(budget, method="l1"), replace(budget, reference="mnasnet"),
    ]  # fmt: skip
    assert len({repr(other) for other in [budget, *others]}) == 9


def test_targets_take_the_place_of_the_registered_size() -> None:
    small = registry.Pruning(keep=0.25, epochs=(5, 6))
    assert AS_REGISTERED.budget(small, 1000) == Budget(macs=250, epochs=(5, 6))
    assert Targets(method="l1").budget(small, 1000).macs == 250
    assert Targets(max_accuracy_drop=0.1).budget(small, 1000).macs == 250
    assert Targets(bytes=5e4).budget(small, 1000) == Budget(macs=None, epochs=(5, 6), bytes=5e4)
    assert Targets(macs=100, latency_ratio=0.9).budget(small, 1000).macs == 100
    lanes = replace(small, lanes=8)  # a registered size is counted as kernels compute, a user's MACs are plain
    assert [t.budget(lanes, 1000).lanes for t in (AS_REGISTERED, Targets(bytes=1), Targets(macs=1))] == [8, 8, 1]
    assert not Targets(reference="mnasnet").given()
    assert Targets(method="bn").given()


def test_rounds_are_equal_factors_and_the_registered_epochs() -> None:
    found = pipeline.rounds(1000, Budget(macs=10, epochs=(8, 80)), "full")
    assert [(round(part.macs), part.epochs) for part in found] == [(100, 8), (10, 80)]
    assert [part.epochs for part in pipeline.rounds(1000, Budget(macs=10, epochs=(3, 80)), "quick")] == [2, 20]


@pytest.mark.parametrize(
    ("budget", "named"),
    [
        (Budget(macs=None), "how small"),
        (Budget(macs=0), "macs"),
        (Budget(macs=9, bytes=-1), "bytes"),
        (Budget(macs=9, max_accuracy_drop=1.5), "max_accuracy_drop"),
        (Budget(macs=9, latency_ratio=0.9), "latency_ratio"),
        (Budget(macs=9, method="magic"), "magic"),
    ],
)
def test_a_budget_without_sense_is_refused_before_any_work(budget: Budget, named: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=named):
        prune(None, budget, tmp_path, measures=PARAMETERS)


@pytest.mark.slow
# whole bunches of 8 are a lot of this network
@pytest.mark.parametrize(("lanes", "least"), [(1, 0.25), pytest.param(8, 0.1, marks=pytest.mark.soak)])
def test_bytes_alone_say_how_small(tmp_path: Path, lanes: int, least: float) -> None:
    teacher = tiny()
    budget = Budget(macs=None, bytes=0.5 * teacher.count_params(), epochs=(1, 1), lanes=lanes)
    smaller, steps = prune(teacher, budget, tmp_path, measures=PARAMETERS)
    assert least * teacher.count_params() < smaller.count_params() <= 0.5 * teacher.count_params()
    assert [step.kind for step in steps] == ["pruned", "tuned"] * 2
    assert steps[-1].parameters == smaller.count_params()


@pytest.mark.slow
def test_the_last_round_goes_on_until_all_targets_are_met(tmp_path: Path) -> None:
    teacher = tiny()
    budget = Budget(macs=0.8 * count_macs(teacher), latency_ratio=0.6, epochs=(1,))
    ratio = {"latency_ratio": lambda model: count_macs(model) / count_macs(teacher)}
    smaller, _ = prune(teacher, budget, tmp_path, measures=ratio)
    assert count_macs(smaller) <= 0.6 * count_macs(teacher)


@pytest.mark.slow
def test_what_can_not_be_reached_is_named(tmp_path: Path) -> None:
    teacher = tiny()
    with pytest.raises(BuildError, match=r"bytes .* > 10$"):
        prune(teacher, Budget(macs=None, epochs=(1, 1), bytes=10), tmp_path, measures=PARAMETERS)
    with pytest.raises(BuildError, match=r"MACs .* > 1,000$"):
        prune(teacher, Budget(macs=1000, epochs=(1,)), tmp_path)


@pytest.mark.soak
def test_a_round_that_loses_too_much_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = tiny()
    train, rounds, reached = loop.train, [], iter((1.0, 0.0, 0.0))

    def falling(model: Any, *args: Any, **more: Any) -> loop.Outcome:
        rounds.append(model)
        found = train(model, *args, **more)
        return replace(found, validation_accuracy=next(reached))

    monkeypatch.setattr(loop, "train", falling)
    monkeypatch.setattr(pipeline, "_accuracy", lambda model, dataset, index: 1.0)
    lines: list[str] = []
    budget = Budget(macs=0.25 * count_macs(teacher), epochs=(1, 1), max_accuracy_drop=0.1)
    kept, steps = prune(teacher, budget, tmp_path, lines)
    assert kept is rounds[0]
    assert len(steps) == 2
    assert "round 2 reaches 0.0000 on validation, below 0.9000" in lines[-1]
    assert "MACs" in lines[-1]
    with pytest.raises(BuildError, match="max_accuracy_drop: round 1"):
        prune(teacher, replace(budget, epochs=(1,)), tmp_path)


@pytest.mark.slow
def test_sparsity_training_shrinks_scales_that_nothing_needs() -> None:
    model = tiny()
    follower = model.get_layer("block1_2_conv")
    kernel = np.copy(np.asarray(follower.kernel))
    kernel[:, :, :3] = 0
    follower.kernel.assign(kernel)
    follower.trainable = False  # else it would start to read those channels
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (48, 48, 48, 1)).astype(np.float32)
    targets = np.eye(7, dtype=np.float32)[np.arange(48) % 7]
    before = np.abs(np.asarray(model.get_layer("block1_1_bn").gamma))
    slim = importance.slim(model, lambda number: (images, targets), 0, passes=10, rate=5e-3)
    lost = before - np.abs(np.asarray(slim.get_layer("block1_1_bn").gamma))
    assert lost[:3].min() > 0.9 * 30 * 5e-3  # 30 steps at full rate
    assert lost[3:].mean() < lost[:3].mean() / 2
    np.testing.assert_array_equal(np.abs(np.asarray(model.get_layer("block1_1_bn").gamma)), before)
    assert slim.get_layer("block1_1_bn").gamma.regularizer is None
