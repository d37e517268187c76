"""Converters for the values of YAML keys, which pydantic calls: optional values, lists, numbers within bounds."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BeforeValidator

from harness.core.scalars import NotMeantError, whole


def optional(read: Callable[[object], object]) -> BeforeValidator:
    """``read`` for a value, None for an empty one."""
    return BeforeValidator(lambda value: None if value is None else read(value))


def several(read: Callable[[object], object], *, least: int = 1) -> Callable[[object], tuple[object, ...]]:
    """A converter for a list: each item read by ``read``, without duplicates. A single value is a list of one."""

    def items_of(value: object) -> tuple[object, ...]:
        if value is None:
            raise NotMeantError("has nothing behind it", "give a list such as [a, b], or leave the line out")
        items = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        if len(items) < least:
            raise NotMeantError("is an empty list", "give at least one, or leave the line out")
        return tuple(dict.fromkeys(read(item) for item in items))

    return items_of


def whole_from(least: int, most: int) -> Callable[[object], int]:
    """A converter for a whole number from ``least`` to ``most``, both included."""

    def in_range(value: object) -> int:
        number = whole(value)
        if not least <= number <= most:
            raise NotMeantError(f"must be from {least} to {most}")
        return number

    return in_range
