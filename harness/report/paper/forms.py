"""Which forms of networks were measured on a board, and which were not: the best form is the best of those measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from harness.records.manifest import Manifest
from harness.report.gather import ReportData


def unmeasured(data: ReportData, cells: pd.DataFrame, networks: Iterable[str]) -> str:
    """The forms that networks' manifests list and that have no VALID cell among a board's ``cells``, in words; empty
    where there are none.
    """
    measured = {str(model): set(mine.kind) for model, mine in cells.groupby("model")}
    lacking: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(networks):
        if gone := _missing(name, measured.get(name, set()), data.manifests):
            lacking.setdefault(gone, []).append(name)
    parts = [f"{', '.join(forms)} of {', '.join(names)}" for forms, names in lacking.items()]
    return f"not measured here: {'; '.join(parts)}" if parts else ""


def _missing(name: str, measured: set[str], manifests: Mapping[str, Manifest]) -> tuple[str, ...]:
    manifest = manifests.get(name)
    if manifest is None:
        return ("forms that no manifest tells",)
    return tuple(each.filename for each in manifest.artifacts if each.filename not in measured)
