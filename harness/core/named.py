"""Registries: dictionaries of objects by name, without duplicates, and the nearest name to a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import TypeVar

Thing = TypeVar("Thing")


def by_name(pairs: Iterable[tuple[str, Thing]]) -> dict[str, Thing]:
    """The pairs as a dictionary, in their order.

    Raises:
        ValueError: two things have the same name.
    """
    things: dict[str, Thing] = {}
    for name, thing in pairs:
        if name in things:
            raise ValueError(f"the name '{name}' is registered twice")
        things[name] = thing
    return things


def nearest(word: str, words: Collection[str]) -> str:
    """The end of a message: the word that was probably meant, or all valid words."""
    close = difflib.get_close_matches(word[:100], list(words), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else f"; one of: {', '.join(sorted(words))}"
