"""Converters for the values of a task's keys: each turns the text behind a key into its value, or refuses it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

from harness.core.scalars import NotMeantError, number, text, whole

#: Largest height and width of an image after preprocessing, and least: networks here halve their input five times.
MAX_SIDE, MIN_SIDE = 4096, 8
MAX_CLASS_NAME = 100
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_METRIC = re.compile(r"[a-z0-9]+|[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def task_name(value: object) -> str:
    """A name that is valid as a folder under ``models/``."""
    name = text(value)
    if not _NAME.fullmatch(name):
        raise NotMeantError("must be 1 to 64 small letters, digits and -, and begin with a letter or digit")
    return name


def class_names(value: object) -> tuple[str, ...]:
    """At least two different names."""
    if not isinstance(value, (list, tuple)):
        raise NotMeantError("needs a list of names", "classes: [cat, dog]")
    names = tuple(text(name) for name in value)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise NotMeantError(f"has '{twice[:MAX_CLASS_NAME]}' twice")
    if len(names) < 2:
        raise NotMeantError("needs at least two names")
    if any(len(name) > MAX_CLASS_NAME for name in names):
        raise NotMeantError(f"has a name of more than {MAX_CLASS_NAME} characters")
    return names


def size(value: object) -> tuple[int, int]:
    """Height and width in pixels: one number for both, or a list of two."""
    sides = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    if len(sides) != 2:
        raise NotMeantError("needs height and width", "size: [48, 64], or size: 48 for a square")
    height, width = (whole(side) for side in sides)
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (height, width)):
        raise NotMeantError(f"must be from {MIN_SIDE} to {MAX_SIDE} pixels")
    return height, width


def factor(value: object) -> float:
    """A number other than 0, or a quotient such as ``1/255``."""
    written = text(value)
    above, mark, below = written.partition("/")
    try:
        result = number(above.strip()) / (number(below.strip()) if mark else 1.0)
    except ZeroDivisionError:
        result = 0.0
    if result == 0.0:
        raise NotMeantError("must not be 0", "write 1/255 or 0.0039216")
    return result


def channels(value: object) -> tuple[float, ...]:
    """One number, or one for each channel."""
    numbers = tuple(number(item) for item in value) if isinstance(value, (list, tuple)) else (number(value),)
    if len(numbers) not in (1, 3):
        raise NotMeantError("needs one number, or three for red, green and blue")
    return numbers


def spreads(value: object) -> tuple[float, ...]:
    """As :func:`channels`, above 0."""
    numbers = channels(value)
    if min(numbers) <= 0:
        raise NotMeantError("must be above 0")
    return numbers


def share(value: object) -> float:
    """A share above 0 and below 1, as ``0.1`` or ``10%``."""
    written = text(value)
    percent = written.endswith("%")
    result = number(written.removesuffix("%").strip()) / (100 if percent else 1)
    if not 0 < result < 1:
        raise NotMeantError("must be a share above 0 and below 100 %", "write 10% or 0.1")
    return result


def metric_name(value: object) -> str:
    """A registered name or ``module:function``."""
    name = text(value)
    if not _METRIC.fullmatch(name):
        raise NotMeantError("is no name of a metric", "write top1, or module:function for one of your own")
    return name


def encoding(value: object) -> str:
    """The name of a text encoding that Python knows."""
    name = text(value)
    try:
        return codecs.lookup(name).name if codecs.lookup(name)._is_text_encoding else _no_encoding()
    except LookupError:
        return _no_encoding()


def _no_encoding() -> str:
    raise NotMeantError("is no text encoding", "write utf-8, latin-1 or cp1252")


def delimiter(value: object) -> str:
    """One character between columns; ``tab`` stands for a tabulator."""
    if value in ("tab", "\\t"):
        return "\t"
    mark = text(value)
    if len(mark) != 1 or mark in "\"'\r\n":
        raise NotMeantError("must be one character", "write ',', ';' or tab")
    return mark


def pattern(value: object) -> re.Pattern[str]:
    """A regular expression with one group."""
    written = text(value)
    try:
        compiled = re.compile(written)
    except re.error as error:
        raise NotMeantError(f"is no regular expression: {error}") from error
    if compiled.groups != 1:
        raise NotMeantError("needs one pair of brackets around what images share", "group: '^(S[0-9]+)_'")
    return compiled


def one_word(*words: str) -> Callable[[object], str]:
    """A converter for one of some words."""

    def known(value: object) -> str:
        word = text(value)
        if word not in words:
            raise NotMeantError(f"must be one of {', '.join(words)}")
        return word

    return known
