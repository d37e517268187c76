"""Networks that are built in seconds, also in the processes of Dask's workers: distributed loads this as a preload."""

from __future__ import annotations

from typing import Any

import pytest

from harness.training.networks import registry
from harness.training.train.recipe import Recipe

EPOCHS = 4
PRELOAD = {"distributed.worker.preload": [__name__]}
_WIDTHS = (("widths", ((8, 8), (8, 8))),)


def network(name: str, parent: str | None = None) -> registry.Network:
    return registry.Network(
        name=name, title=name, citation="nobody", module="resvgg19", options=(*_WIDTHS, ("name", parent or name)),
        pruned_from=parent, pruning=registry.Pruning(keep=0.5, epochs=(1,)),
    )  # fmt: skip


NETWORKS = (network("tiny"), network("tiny-pruned", "tiny"), network("other"))


def patched(patch: pytest.MonkeyPatch) -> None:
    """Make these the only networks of this process, trained for some epochs with a checkpoint after each."""
    from harness.training.compress import distil
    from harness.training.train import checkpoint, recipe

    patch.setattr(registry, "NETWORKS", NETWORKS)
    patch.setattr(recipe, "recipe_for", lambda profile, macs, images: Recipe(epochs=EPOCHS))
    patch.setattr(distil, "SETS", 1)
    patch.setattr(checkpoint, "CHECKPOINT_S", 0)


def dask_setup(worker: Any) -> None:
    """What distributed calls in a worker's process before its first task."""
    patched(pytest.MonkeyPatch())
