"""What may stand behind a key of devices.yaml, as functions from what was written to what was meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BeforeValidator

from harness.config.scalars import NotMeantError, text, whole

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
#: variables of a shell, tokens of ssh
_REPLACED_ELSEWHERE = re.compile(r"\$(\w+|\{\w+\})|%[%A-Za-z](?![A-Za-z0-9])")
_MAX_SAMPLES = 100_000


def optional(read: Callable[[object], object]) -> BeforeValidator:
    """``read``, or None where nothing is written behind the key."""
    return BeforeValidator(lambda value: None if value is None else read(value))


def several(read: Callable[[object], object], *, least: int = 1) -> Callable[[object], tuple[object, ...]]:
    """A list, each item read by ``read`` and there once; one value alone is a list of one."""

    def found(value: object) -> tuple[object, ...]:
        if value is None:
            raise NotMeantError("has nothing behind it", "give a list such as [a, b], or leave the line out")
        items = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        if len(items) < least:
            raise NotMeantError("is an empty list", "give at least one, or leave the line out")
        return tuple(dict.fromkeys(read(item) for item in items))

    return found


def whole_from(least: int, most: int) -> Callable[[object], int]:
    """A whole number between two others, both included."""

    def found(value: object) -> int:
        number = whole(value)
        if not least <= number <= most:
            raise NotMeantError(f"must be from {least} to {most}")
        return number

    return found


def sample_count(value: object) -> int | Literal["all"]:
    """``all``, or how many images."""
    if value == "all":
        return "all"
    try:
        return whole_from(1, _MAX_SAMPLES)(value)
    except NotMeantError as error:
        raise NotMeantError(f"must be 'all' or a number from 1 to {_MAX_SAMPLES}", error.fix) from error


def device_name(value: object) -> str:
    """A name that may become part of a file's name."""
    found = text(value)
    if not _NAME.fullmatch(found):
        raise NotMeantError(
            "must be 1 to 63 letters, digits and . _ - with a letter or digit at both ends",
        )
    return found


def file_name(value: object) -> Path:
    """A file of the user's: ``~`` and ``~name`` are home folders; nothing else in it is replaced.

    Shells and ssh would replace more, so what looks like a variable or a token is refused unless a file is called so.
    """
    found = str(value) if isinstance(value, Path) else text(value)
    match = _REPLACED_ELSEWHERE.search(found)
    if match and not Path(found).exists():
        raise NotMeantError(f"'{match[0]}' is not replaced here", "write the whole path, or begin it with ~/")
    return Path(found)


def board_folder(value: object) -> str:
    """A folder on a board: absolute or in the home folder there, and the harness's own, not the file system's top."""
    found = text(value)
    parts = found.rstrip("/").split("/")
    if parts[0] not in ("", "~") or len(parts) < 2 or ".." in parts or not found.isprintable() or len(found) > 500:
        raise NotMeantError("is no folder for the harness", "give '/path/to/folder' or '~/folder'")
    return found.rstrip("/")
