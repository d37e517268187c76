"""The network that a report is about, where there is one.

A report treats all networks alike, unless its results hold one that is in focus. That network then comes first, every
other network has a role beside it, and the networks of one role stand apart, because they must not be confused with the
rest. :mod:`harness.report.registry` lists the networks that can be in focus.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records.manifest import Manifest
from harness.results.columns import Column

if TYPE_CHECKING:
    from harness.report.summary import Best


@dataclass(frozen=True)
class Focus:
    """How a report looks at networks when one of them is in focus.

    Attributes:
        network: the one that is drawn first.
        family: results with any of these networks have this focus.
        role: the role of a network, by its name and, where there is one, its manifest.
        apart: the role of those that have a frontier of their own.
        apart_label: their name in a figure.
        apart_tag: the mark of such a network on a card.
        data_set: the data set that synthetic data replaces.
        winner_columns: additional columns of the table of winners.
        style: CSS of the pages that belong to the focus.
    """

    network: str
    family: frozenset[str]
    role: Callable[[str, Manifest | None], str]
    apart: str
    apart_label: str
    apart_tag: str
    data_set: str
    winner_columns: tuple[Column[Best], ...]
    style: Path
