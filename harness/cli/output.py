"""What commands print, and whether there is a place for what they write."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.core.files import check_folder
from harness.core.paths import cache_dir
from harness.core.safetext import plain


def say(line: str) -> None:
    """A line for people: stderr, so that stdout stays for data."""
    print(plain(line), file=sys.stderr, flush=True)


def print_answer(answer: Mapping[str, object], as_json: bool) -> None:
    """One JSON object, or the ``text`` in it."""
    print(json.dumps(answer) if as_json else answer["text"])


def plain_lines(text: str) -> str:
    """Text in which what came from boards can't drive a terminal, while lines stay lines."""
    return "\n".join(plain(line) for line in text.split("\n"))


def check_places(**folders: Path) -> None:
    """Look whether what a command writes at its end has a place, before it measures or trains for hours.

    Args:
        folders: by the options that named them; the cache is looked at besides.

    Raises:
        UsageError: files can't be put into one of them.
    """
    for option, folder in folders.items():
        check_folder(folder, f"--{option}")
    check_folder(cache_dir(), "the cache", fix="set HARNESS_CACHE to a folder of your own")
