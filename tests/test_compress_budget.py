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
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

from harness.compress import importance, pipeline  # noqa: E402
from harness.compress.budget import Budget  # noqa: E402
from harness.data.splits import split  # noqa: E402
from harness.errors import BuildError, UsageError  # noqa: E402
from harness.networks.macs import count_macs  # noqa: E402
from harness.train import loop  # noqa: E402
from tests.test_compress import tiny  # noqa: E402
from tests.test_splits import small_dataset  # noqa: E402

PARAMETERS = {"bytes": lambda model: float(model.count_params())}


@pytest.fixture(autouse=True)
def _short_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes are looked at here, not accuracies: one epoch a round."""
    plan = pipeline.rounds
    monkeypatch.setattr(pipeline, "rounds", lambda *words: [replace(part, epochs=1) for part in plan(*words)])


def prune(model: Any, budget: Budget, folder: Path, lines: list[str] | None = None, **more: Any) -> Any:
    data = small_dataset()
    told = [] if lines is None else lines
    return pipeline.prune(
        model, data, split(data), profile="quick", seed=0, folder=folder, progress=told.append, budget=budget, **more
    )


def test_a_default_budget_has_the_fingerprint_of_the_shipped_network_s_cache() -> None:
    assert repr(Budget()) == "Budget(macs=2400000, steps=4, method='taylor', multiple=4)"
    assert repr(Budget(bytes=5.0, max_accuracy_drop=0.1)) == repr(Budget())
    assert repr(Budget(macs=1.0)) != repr(Budget())


@pytest.mark.parametrize(
    ("budget", "named"),
    [
        (Budget(macs=None), "how small"),
        (Budget(macs=0), "macs"),
        (Budget(bytes=-1), "bytes"),
        (Budget(max_accuracy_drop=1.5), "max_accuracy_drop"),
        (Budget(latency_ratio=0.9), "latency_ratio"),
        (Budget(method="magic"), "magic"),
    ],
)
def test_a_budget_without_sense_is_refused_before_any_work(budget: Budget, named: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=named):
        prune(None, budget, tmp_path, measures=PARAMETERS)


@pytest.mark.slow
def test_bytes_alone_say_how_small(tmp_path: Path) -> None:
    teacher = tiny()
    budget = Budget(macs=None, bytes=0.5 * teacher.count_params(), steps=2)
    smaller, steps = prune(teacher, budget, tmp_path, measures=PARAMETERS)
    assert 0.25 * teacher.count_params() < smaller.count_params() <= 0.5 * teacher.count_params()
    assert [step.kind for step in steps] == ["pruned", "tuned"] * 2
    assert steps[-1].parameters == smaller.count_params()


@pytest.mark.slow
def test_the_last_round_goes_on_until_all_targets_are_met(tmp_path: Path) -> None:
    teacher = tiny()
    budget = Budget(macs=0.8 * count_macs(teacher), latency_ratio=0.6, steps=1)
    ratio = {"latency_ratio": lambda model: count_macs(model) / count_macs(teacher)}
    smaller, _ = prune(teacher, budget, tmp_path, measures=ratio)
    assert count_macs(smaller) <= 0.6 * count_macs(teacher)


@pytest.mark.slow
def test_what_can_not_be_reached_is_named(tmp_path: Path) -> None:
    teacher = tiny()
    with pytest.raises(BuildError, match=r"bytes .* > 10$"):
        prune(teacher, Budget(macs=None, bytes=10), tmp_path, measures=PARAMETERS)
    with pytest.raises(BuildError, match=r"MACs .* > 1,000$"):
        prune(teacher, Budget(macs=1000, steps=1), tmp_path)


@pytest.mark.slow
def test_a_round_that_loses_too_much_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = tiny()
    train, rounds, reached = loop.train, [], iter((1.0, 0.0, 0.0))

    def falling(model: Any, *args: Any, **more: Any) -> loop.Outcome:
        rounds.append(model)
        found = train(model, *args, **more)
        return replace(found, validation_accuracy=next(reached))

    monkeypatch.setattr(loop, "train", falling)
    monkeypatch.setattr(pipeline, "_right", lambda model, dataset, index: 1.0)
    lines: list[str] = []
    budget = Budget(macs=0.5 * count_macs(teacher), steps=2, max_accuracy_drop=0.1)
    kept, steps = prune(teacher, budget, tmp_path, lines)
    assert kept is rounds[0]
    assert len(steps) == 2
    assert "round 2 reaches 0.0000 on validation, below 0.9000" in lines[-1]
    assert "MACs" in lines[-1]
    with pytest.raises(BuildError, match="max_accuracy_drop: round 1"):
        prune(teacher, replace(budget, steps=1), tmp_path)


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
