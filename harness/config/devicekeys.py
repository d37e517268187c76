"""Converters for the values of devices.yaml: each turns the text behind a key into its value, or refuses it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from harness.core.scalars import NotMeantError, text
from harness.core.yamlkeys import whole_from
from harness.runtimes.requested import requested

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
#: shell variables and ssh tokens
_REPLACED_ELSEWHERE = re.compile(r"\$(\w+|\{\w+\})|%[%A-Za-z](?![A-Za-z0-9])")
_MAX_SAMPLES = 100_000


def sample_count(value: object) -> int | Literal["all"]:
    """``all``, or a number of images."""
    if value == "all":
        return "all"
    try:
        return whole_from(1, _MAX_SAMPLES)(value)
    except NotMeantError as error:
        raise NotMeantError(f"must be 'all' or a number from 1 to {_MAX_SAMPLES}", error.fix) from error


def device_name(value: object) -> str:
    """A name that is valid as part of a file name."""
    name = text(value)
    if not _NAME.fullmatch(name):
        raise NotMeantError(
            "must be 1 to 63 letters, digits and . _ - with a letter or digit at both ends",
        )
    return name


def runtime(word: str) -> str:
    """A registered runtime, with its release where one is named: ``litert``, ``litert==2.1.0``."""
    return str(requested(word, "runtimes"))


def file_name(value: object) -> Path:
    """The path of a user's file. ``~`` and ``~name`` are home folders; nothing else is replaced.

    Shells and ssh replace more. So a text that looks like a variable or a token is refused unless such a file exists.
    """
    path = str(value) if isinstance(value, Path) else text(value)
    match = _REPLACED_ELSEWHERE.search(path)
    if match and not Path(path).exists():
        raise NotMeantError(f"'{match[0]}' is not replaced here", "write the whole path, or begin it with ~/")
    return Path(path)


def board_folder(value: object) -> str:
    """A folder on a board for the harness alone: absolute or in the home folder, but neither the root nor the home."""
    path = text(value)
    parts = path.rstrip("/").split("/")
    if parts[0] not in ("", "~") or len(parts) < 2 or ".." in parts or not path.isprintable() or len(path) > 500:
        raise NotMeantError("is no folder for the harness", "give '/path/to/folder' or '~/folder'")
    return path.rstrip("/")
