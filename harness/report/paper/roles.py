"""A network's role in the comparison: ours, a rival as published, or a rival after the same compression.

A rival that was pruned and tuned in this project is not a published network. It shows the effect of the same
compression on others, and is never counted where the paper speaks of popular networks.
"""

from __future__ import annotations

from pathlib import Path

from harness.records.manifest import Manifest
from harness.report.focus import Focus
from harness.report.pruned import SUFFIX, is_pruned, parent
from harness.results.columns import Column

FULL, PLAIN = "resvgg19", "vgg19"
PRUNED = f"{FULL}{SUFFIX}"
OURS, PUBLISHED, COMPRESSED = "ours", "rival as published", "rival pruned by us"


def role(name: str, manifest: Manifest | None = None) -> str:
    """One of ``OURS``, ``PUBLISHED``, ``COMPRESSED``."""
    if parent(name) in (FULL, PLAIN):
        return OURS
    return COMPRESSED if is_pruned(name, manifest) else PUBLISHED


FOCUS = Focus(
    network=PRUNED,
    family=frozenset({FULL, PRUNED}),
    role=role,
    apart=COMPRESSED,
    apart_label="rivals pruned by us",
    apart_tag="pruned by us",
    data_set="CK+",
    winner_columns=(
        Column("compressed", "Of these, rivals pruned by us", lambda best: ", ".join(sorted(best.apart)) or None),
        Column("against_rivals", "Against rivals", lambda best: best.standing or None),
    ),
    style=Path(__file__).parent / "templates" / "claims.css",
)
