"""Output of commands, and the check that their files can be written."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.core.files import check_folder
from harness.core.paths import cache_dir
from harness.core.safetext import plain


def say(line: str) -> None:
    """Print a line for people. It goes to stderr, so that stdout stays for data."""
    print(plain(line), file=sys.stderr, flush=True)


def print_answer(answer: Mapping[str, object], as_json: bool) -> None:
    """Print one JSON object, or only its ``text``."""
    print(json.dumps(answer) if as_json else answer["text"])


def plain_lines(text: str) -> str:
    """The text without terminal escapes, since parts may come from boards; line breaks stay."""
    return "\n".join(plain(line) for line in text.split("\n"))


def check_places(**folders: Path) -> None:
    """Check that a command's files can be written, before it measures or trains for hours.

    Args:
        folders: by the options that named them; the cache is checked as well.

    Raises:
        UsageError: files can't be put into one of them.
    """
    for option, folder in folders.items():
        check_folder(folder, f"--{option}")
    check_folder(cache_dir(), "the cache", fix="set HARNESS_CACHE to a folder of your own")
