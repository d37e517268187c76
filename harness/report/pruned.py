"""Pruned forms: a network that was cut down is named after the one it was made from."""

from __future__ import annotations

from harness.records.manifest import Manifest

#: Stands behind the name of the network that a pruned form was made from.
SUFFIX = "-pruned"


def parent(name: str) -> str:
    """The network a pruned form was made from; any other name as it is."""
    return name.removesuffix(SUFFIX)


def is_pruned(name: str, manifest: Manifest | None = None) -> bool:
    """Whether the name says so, or a step in the manifest's chain."""
    return name.endswith(SUFFIX) or (manifest is not None and any(step.kind == "pruned" for step in manifest.chain))
