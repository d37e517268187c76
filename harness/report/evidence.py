"""A cell's stored evidence and the states of the board in it. Anything malformed is treated as unknown."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from pydantic_core import from_json

from harness.boards.state import BoardState


def states(evidence: object, key: str) -> list[BoardState]:
    """The list of states under ``key`` (``during``), or the single one as a list (``before``, ``after``)."""
    raw = content(evidence).get(key)
    if isinstance(raw, list | tuple):
        return [BoardState.parse(item) for item in raw]
    return [BoardState.parse(raw)] if raw is not None else []


def content(evidence: object) -> Mapping[str, object]:
    """A cell's evidence, which may still be JSON text (harness/results/table_cache.py); empty where it is malformed."""
    found = _parsed(evidence) if isinstance(evidence, str) else evidence
    return found if isinstance(found, Mapping) else {}


@functools.lru_cache(maxsize=8)  # several parts of one cell's evidence are read in turn
def _parsed(text: str) -> object:
    return from_json(text)
