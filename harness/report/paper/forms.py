"""Which forms of networks were measured on a board, and which were not: the best form is the best of those measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from harness.records.manifest import Manifest
from harness.report.gather import ReportData
from harness.report.paper.roles import OURS, role
from harness.results.quality import faces


def unmeasured(data: ReportData, cells: pd.DataFrame, networks: Iterable[str]) -> str:
    """The forms that networks' manifests list and that have no VALID cell among those that are compared on a board, in
    words; then rivals without any such cell. Empty where there are neither.

    Args:
        cells: VALID cells of one board and clock. Those with the fewest threads are compared.
        networks: the networks that are compared.
    """
    compared = cells[cells.threads == cells.threads.min()]
    measured = {str(model): set(mine.kind) for model, mine in compared.groupby("model")}
    lacking: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(networks):
        if gone := _missing(name, measured.get(name, set()), data.manifests):
            lacking.setdefault(gone, []).append(name)
    parts = [f"{', '.join(forms)} of {', '.join(names)}" for forms, names in lacking.items()]
    if absent := [name for name in _rivals(data.manifests) if name not in measured]:
        parts.append(f"any form of {', '.join(absent)}")
    return f"not measured here: {'; '.join(parts)}" if parts else ""


def _missing(name: str, measured: set[str], manifests: Mapping[str, Manifest]) -> tuple[str, ...]:
    manifest = manifests.get(name)
    if manifest is None:
        return ("forms that no manifest tells",)
    return tuple(each.filename for each in manifest.artifacts if each.filename not in measured)


def _rivals(manifests: Mapping[str, Manifest]) -> list[str]:
    """Rivals that are known for faces, whether measured or not."""
    return [
        name
        for name, manifest in manifests.items()
        if manifest.split and faces(manifest.task, manifest.split.scheme) and role(name, manifest) != OURS
    ]
