"""Networks that strangers part and 99 images don't, as cells and manifests. Nothing was measured."""

from __future__ import annotations

from benchmarks.made.cells import device, make_cell, make_manifest
from harness.records.cell import Cell
from harness.records.manifest import Manifest, Unseen
from tests.support.reports import HERE

SEEDS = (101, 102, 103)
#: (network, variant, ms, accuracy on 99 images, on strangers and its interval): the fastest is right on 99 images only.
NETWORKS = (
    ("resvgg19-pruned", "fp32", 2.0, 0.99, (0.952, 0.939, 0.964)),
    ("resvgg19-pruned", "int8", 3.0, 0.99, (0.951, 0.937, 0.962)),
    ("resvgg19", "int8", 90.0, 0.99, (0.963, 0.951, 0.972)),
    ("mobilenet-v3-small", "int8", 1.0, 0.98, (0.735, 0.713, 0.757)),
)


def score(found: tuple[float, float, float], seeds: tuple[int, ...] = SEEDS) -> Unseen:
    accuracy, low, high = found
    return Unseen(n=2943, persons=354, seeds=seeds, accuracy=accuracy, low=low, high=high)


def cells() -> list[Cell]:
    return [
        make_cell(name, variant, board, median_ms=ms, accuracy=seen)
        for name, variant, ms, seen, _ in NETWORKS
        for board in (device(), HERE)
    ]


def manifests(**without: tuple[str, ...]) -> dict[str, Manifest]:
    """Manifests with accuracies on strangers; ``seeds`` names networks with other seeds, ``none`` those without any."""
    found = {}
    for name in dict.fromkeys(row[0] for row in NETWORKS):
        base = make_manifest(name)
        on_strangers = {variant: judged for other, variant, _, _, judged in NETWORKS if other == name}
        seeds = (7,) if name in without.get("seeds", ()) else SEEDS
        found[name] = base.model_copy(
            update={
                "chain": base.chain if name.endswith("-pruned") else base.chain[:1],
                "artifacts": tuple(
                    each.model_copy(update={"unseen": score(on_strangers[each.variant], seeds)})
                    if each.variant in on_strangers and name not in without.get("none", ())
                    else each
                    for each in base.artifacts
                ),
            }
        )
    return found
