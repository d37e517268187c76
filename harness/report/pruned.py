"""Pruned networks: each is named after the network that it was made from."""

from __future__ import annotations

from harness.records.manifest import Manifest

#: The suffix of a pruned network's name.
SUFFIX = "-pruned"


def parent(name: str) -> str:
    """The network that a pruned one was made from; any other name is returned as it is."""
    return name.removesuffix(SUFFIX)


def is_pruned(name: str, manifest: Manifest | None = None) -> bool:
    """Whether the name, or a step in the manifest's chain, marks a pruned network."""
    return name.endswith(SUFFIX) or (manifest is not None and any(step.kind == "pruned" for step in manifest.chain))
