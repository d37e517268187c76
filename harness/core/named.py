"""Registries: dictionaries of objects by name, without duplicates."""

from __future__ import annotations

from collections.abc import Iterable
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
