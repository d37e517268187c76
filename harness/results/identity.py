"""What a board is, by what it says of itself, and what to call it.

A name is a label for people: two boards may be called alike, and a label that is cut may be that of two. Whatever
groups, joins or compares results does so by :func:`hardware` and :func:`system`; labels are made last, and distinct.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from harness.core.safetext import clean, for_figure

_HARDWARE = (
    ("board", "board"), ("emulation", "emulated"), ("clock", "clock"), ("CPU", "cpu"), ("CPU part", "cpu_part"),
    ("machine", "machine"), ("cores", "cores"), ("memory", "memory_bytes"),
)  # fmt: skip
_SYSTEM = (("kernel", "kernel"), ("C library", "libc"))
#: Attributes of a device's record that :func:`hardware` and :func:`system` read.
ATTRIBUTES = tuple(attribute for _, attribute in (*_HARDWARE, *_SYSTEM))
#: What only the board itself can say; all of it is missing where nobody could ask.
_DESCRIPTION = ("CPU", "CPU part", "machine", "cores", "memory", "kernel", "C library")
#: What tells boards of one name apart, from what says most to people to what says least.
_TELLING = ("CPU", "CPU part", "cores", "memory", "machine", "board", "kernel", "C library", "clock")
_DETAIL = 24

_Key = TypeVar("_Key", bound=Hashable)
Facts = tuple[tuple[str, object], ...]


def hardware(device: Any) -> Facts:
    """``(what, value)`` of everything that makes two boards of one name two boards."""
    return tuple((what, _value(attribute, device)) for what, attribute in _HARDWARE)


def system(device: Any) -> Facts:
    """The same of what an update changes on one board."""
    return tuple((what, _value(attribute, device)) for what, attribute in _SYSTEM)


def described(facts: Facts) -> bool:
    """Whether the board was ever asked what it is."""
    return any(value is not None for what, value in facts if what in _DESCRIPTION)


def _value(attribute: str, device: Any) -> object:
    value = getattr(device, attribute)
    if value is None or value != value:  # a table has NaN where a number is missing
        return None
    if attribute == "cores":
        return int(value)
    # what the kernel leaves of it differs a little from boot to boot
    return f"{2 ** math.ceil(math.log2(value)) / 2**30:g} GiB" if attribute == "memory_bytes" and value > 0 else value


def distinct(texts: Iterable[str], limit: int, *, latin: bool = True) -> dict[str, str]:
    """A label of at most ``limit`` characters for each text, no two alike.

    Texts that are alike at their beginning lose their middle instead of their end; where that doesn't tell them apart
    either, they are numbered. ``latin`` keeps to what a figure's font can draw.
    """
    every = list(dict.fromkeys(texts))

    def cut(text: str, size: int) -> str:
        return for_figure(text, size) if latin else clean(text, size)

    found = {text: cut(text, limit) for text in every}
    clashing = _clashing(found)
    for text in clashing:
        whole = cut(text, 10_000)
        tail = (limit - 1) * 2 // 3
        found[text] = whole if len(whole) <= limit else f"{whole[: limit - 1 - tail]}…{whole[-tail:]}"
    _number(found, limit)
    return found


def board_labels(boards: Sequence[tuple[str, Facts]], limit: int, *, latin: bool = True) -> list[str]:
    """A label for each ``(name, facts)``, no two alike; what tells boards of one name apart stands in brackets."""
    names = distinct((name for name, _ in boards), limit, latin=latin)
    found: dict[int, str] = {}
    for name in dict.fromkeys(name for name, _ in boards):
        mine = [at for at, board in enumerate(boards) if board[0] == name]
        details = _details([dict(boards[at][1]) for at in mine], latin)
        found |= {at: names[name] + detail for at, detail in zip(mine, details, strict=True)}
    _number(found, limit + _DETAIL + 3)
    return [found[at] for at in range(len(boards))]


def _details(boards: Sequence[Mapping[str, object]], latin: bool) -> list[str]:
    """What to add to the name of each; of what tells all of them apart the first, else of what tells some."""
    if len(boards) == 1:
        return [""]
    best = [""] * len(boards)
    for what in _TELLING:
        values = [_said(what, board.get(what)) for board in boards]
        labels = distinct(values, _DETAIL, latin=latin)
        given = [f" ({labels[value]})" for value in values]
        if len(set(given)) > len(set(best)):
            best = given
        if len(set(best)) == len(boards):
            break
    return best


def _said(what: str, value: object) -> str:
    if value is None:
        return f"{what} unknown"
    return f"{value} cores" if what == "cores" else str(value)


def numbered(labels: Sequence[str]) -> list[str]:
    """The labels, no two alike: the second of a kind ends in ``#2``."""
    found = dict(enumerate(labels))
    _number(found, 10_000)
    return list(found.values())


def _clashing(labels: Mapping[_Key, str]) -> list[_Key]:
    counts = Counter(labels.values())
    return [key for key, label in labels.items() if counts[label] > 1]


def _number(labels: dict[_Key, str], limit: int) -> None:
    """Make labels distinct in place; the first of each kind stays as it is."""
    taken = set(labels.values())
    seen: set[str] = set()
    for key, label in labels.items():
        if label not in seen:
            seen.add(label)
            continue
        number, fresh = 2, label
        while fresh in taken:
            end = f" #{number}"
            fresh, number = label[: limit - len(end)] + end, number + 1
        labels[key] = fresh
        taken.add(fresh)
        seen.add(fresh)
