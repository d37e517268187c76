"""What tells cells of one artifact on one board apart: the runtime, and its release where there are several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pandas as pd
from packaging.version import InvalidVersion, Version

from harness.core.safetext import clean

#: What :func:`columns` adds.
COLUMNS = ("runtime_label", "ran", "release_order")
_ARTIFACT = ("model", "variant", "format", "delegate", "threads")


def columns(frame: pd.DataFrame, boards: Sequence[int]) -> dict[str, list[Any]]:
    """Columns that are added to a table of cells.

    ``runtime_label`` is the runtime's name, with the release on boards that have several of it. ``ran`` is the same
    behind a space where one artifact ran on several of them, else empty. ``release_order`` sorts releases by age.

    Args:
        boards: the number of each cell's board.
    """
    versions = [clean(text, 40) if isinstance(text, str) else "" for text in frame.runtime_version.tolist()]
    names = frame.runtime.tolist()
    releases: dict[tuple[int, str], set[str]] = defaultdict(set)
    for board, name, version in zip(boards, names, versions, strict=True):
        releases[board, name] |= {version} - {""}
    labels = [
        f"{clean(name, 40)} {version}".strip() if len(releases[board, name]) > 1 else clean(name, 40)
        for board, name, version in zip(boards, names, versions, strict=True)
    ]
    ways: dict[tuple[object, ...], set[str]] = defaultdict(set)
    artifacts = [*zip(boards, *(frame[name].tolist() for name in _ARTIFACT), strict=True)]
    for artifact, label in zip(artifacts, labels, strict=True):
        ways[artifact].add(label)
    order = {version: place for place, version in enumerate(sorted(set(versions), key=age))}
    return {
        "runtime_label": labels,
        "ran": [
            f" {label}" if len(ways[artifact]) > 1 else "" for artifact, label in zip(artifacts, labels, strict=True)
        ],
        "release_order": [order[version] for version in versions],
    }


def age(version: object) -> tuple[Version, str]:
    """The place of a release among others; what is no version comes first, in the order of its text."""
    text = str(version)
    try:
        return Version(text), text
    except InvalidVersion:
        return Version("0.dev0"), text
