"""Pruned networks: each is named after the network that it was made from."""

from __future__ import annotations

import re

from harness.records.manifest import Manifest

#: The suffix of a pruned network's name.
SUFFIX = "-pruned"
#: A network that was pruned to several sizes has a word for all but one: ``resvgg19-pruned-small``.
_PRUNED = re.compile(rf"{SUFFIX}(-small|-large)?$")


def parent(name: str) -> str:
    """The network that a pruned one was made from; any other name is returned as it is."""
    return _PRUNED.sub("", name)


def is_pruned(name: str, manifest: Manifest | None = None) -> bool:
    """Whether the name, or a step in the manifest's chain, marks a pruned network."""
    return parent(name) != name or (manifest is not None and any(step.kind == "pruned" for step in manifest.chain))
