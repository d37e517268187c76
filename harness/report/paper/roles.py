"""What a network is in the comparison: ours, a rival as published, or a rival after the same compression.

A rival that we pruned and tuned is nobody's published network. It shows what our compression does to others, and is
never counted where the paper speaks of popular networks.
"""

from __future__ import annotations

from harness.records.manifest import Manifest

FULL, PRUNED, PLAIN = "resvgg19", "resvgg19-pruned", "vgg19"
#: A pruned form is named after its parent; its manifest says so too, by a step of that kind.
SUFFIX = "-pruned"
OURS, PUBLISHED, COMPRESSED = "ours", "rival as published", "rival pruned by us"


def role(name: str, manifest: Manifest | None = None) -> str:
    """One of ``OURS``, ``PUBLISHED``, ``COMPRESSED``."""
    if parent(name) in (FULL, PLAIN):
        return OURS
    cut = manifest is not None and any(step.kind == "pruned" for step in manifest.chain)
    return COMPRESSED if cut or name.endswith(SUFFIX) else PUBLISHED


def parent(name: str) -> str:
    """The network a pruned form was made from; any other name as it is."""
    return name.removesuffix(SUFFIX)
