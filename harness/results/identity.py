"""The identity of a board, from what it reports about itself, and its label for people.

Two boards may have the same name, and two names may be cut to the same label. So code that groups, joins or compares
results uses :func:`hardware` and :func:`system`. Labels are made last, and they are distinct.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from harness.core.safetext import clean, for_figure

_HARDWARE = (
    ("board", "board"), ("emulation", "emulated"), ("clock", "clock"), ("CPU", "cpu"), ("CPU part", "cpu_part"),
    ("machine", "machine"), ("cores", "cores"), ("memory", "memory_bytes"),
)  # fmt: skip
_SYSTEM = (("kernel", "kernel"), ("C library", "libc"))
#: Attributes of a device's record that :func:`hardware` and :func:`system` read.
ATTRIBUTES = tuple(attribute for _, attribute in (*_HARDWARE, *_SYSTEM))
#: Facts that only the board itself can report; all are missing if the board was never reached.
_DESCRIPTION = ("CPU", "CPU part", "machine", "cores", "memory", "kernel", "C library")
#: Facts that tell boards of one name apart, the most telling for people first.
_TELLING = ("CPU", "CPU part", "cores", "memory", "machine", "board", "kernel", "C library", "clock")
_DETAIL = 24

_Key = TypeVar("_Key", bound=Hashable)
Facts = tuple[tuple[str, object], ...]


def hardware(device: object) -> Facts:
    """``(what, value)`` of the facts that tell two boards of one name apart."""
    return tuple((what, _value(attribute, device)) for what, attribute in _HARDWARE)


def system(device: object) -> Facts:
    """``(what, value)`` of the facts that an update may change on one board."""
    return tuple((what, _value(attribute, device)) for what, attribute in _SYSTEM)


def described(facts: Facts) -> bool:
    """Whether the board has ever reported what it is."""
    return any(value is not None for what, value in facts if what in _DESCRIPTION)


def _value(attribute: str, device: object) -> object:
    value = getattr(device, attribute)
    if value is None or value != value:  # a table has NaN where a number is missing
        return None
    if attribute == "cores":
        return int(value)
    # the memory that the kernel leaves differs a little from boot to boot
    return f"{2 ** math.ceil(math.log2(value)) / 2**30:g} GiB" if attribute == "memory_bytes" and value > 0 else value


def distinct(texts: Iterable[str], limit: int, *, latin: bool = True) -> dict[str, str]:
    """A distinct label of at most ``limit`` characters for each text.

    Texts with the same beginning lose their middle instead of their end. If that doesn't tell them apart either, they
    are numbered. ``latin`` restricts labels to the characters that a figure's font can draw.
    """
    unique = list(dict.fromkeys(texts))

    def cut(text: str, size: int) -> str:
        return for_figure(text, size) if latin else clean(text, size)

    labels = {text: cut(text, limit) for text in unique}
    clashing = _clashing(labels)
    for text in clashing:
        whole = cut(text, 10_000)
        tail = (limit - 1) * 2 // 3
        labels[text] = whole if len(whole) <= limit else f"{whole[: limit - 1 - tail]}…{whole[-tail:]}"
    _number(labels, limit)
    return labels


def board_labels(boards: Sequence[tuple[str, Facts]], limit: int, *, latin: bool = True) -> list[str]:
    """A distinct label for each ``(name, facts)``; boards of one name get a telling fact in brackets."""
    names = distinct((name for name, _ in boards), limit, latin=latin)
    labels: dict[int, str] = {}
    for name in dict.fromkeys(name for name, _ in boards):
        places = [at for at, board in enumerate(boards) if board[0] == name]
        details = _details([dict(boards[at][1]) for at in places], latin)
        labels |= {at: names[name] + detail for at, detail in zip(places, details, strict=True)}
    _number(labels, limit + _DETAIL + 3)
    return [labels[at] for at in range(len(boards))]


def _details(boards: Sequence[Mapping[str, object]], latin: bool) -> list[str]:
    """The suffix for each board's name: the first fact that tells all apart, else the one that tells most apart."""
    if len(boards) == 1:
        return [""]
    best = [""] * len(boards)
    for what in _TELLING:
        values = [_fact_text(what, board.get(what)) for board in boards]
        labels = distinct(values, _DETAIL, latin=latin)
        suffixes = [f" ({labels[value]})" for value in values]
        if len(set(suffixes)) > len(set(best)):
            best = suffixes
        if len(set(best)) == len(boards):
            break
    return best


def _fact_text(what: str, value: object) -> str:
    if value is None:
        return f"{what} unknown"
    return f"{value} cores" if what == "cores" else str(value)


def numbered(labels: Sequence[str]) -> list[str]:
    """The labels made distinct: the second of equal labels ends in ``#2``."""
    distinct_labels = dict(enumerate(labels))
    _number(distinct_labels, 10_000)
    return list(distinct_labels.values())


def _clashing(labels: Mapping[_Key, str]) -> list[_Key]:
    counts = Counter(labels.values())
    return [key for key, label in labels.items() if counts[label] > 1]


def _number(labels: dict[_Key, str], limit: int) -> None:
    """Make labels distinct in place; the first of equal labels keeps its text."""
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
