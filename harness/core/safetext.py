"""Text that came from boards, made harmless for the place it goes to.

HTML is escaped by Jinja2; this module does what Jinja2 can't: control characters, Markdown, CSV formulas, JSON inside a
script element, and file names.
"""

from __future__ import annotations

import functools
import io
import json
import re
import sys
import unicodedata
from typing import Any

_SPACES = re.compile(r"\s+")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~!&])")
_SLUG = re.compile(r"[^A-Za-z0-9._-]+")


def print_anything() -> None:
    """Let what the locale's character set lacks be printed as an escape (``\\u2013``), where it would be an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # it may be closed, or somebody else's
            stream.reconfigure(errors="backslashreplace")


def clean(text: object, limit: int = 500) -> str:
    """One line without control, format or private characters: no terminal escapes, no text direction tricks."""
    return _clean(str(text), limit)


@functools.lru_cache(maxsize=8192)  # thousands of cells share a few names
def _clean(text: str, limit: int) -> str:
    line = _SPACES.sub(" ", text)
    if not line.isprintable():
        line = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c)[0] == "C" else c for c in line)
    safe = line.strip()
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def plain(text: str) -> str:
    """Like :func:`clean` for text of several lines (a board's stderr): new lines and tabs stay, nothing is cut."""
    return "".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else "\N{REPLACEMENT CHARACTER}" for c in text)


def for_figure(text: object, limit: int = 34) -> str:
    """A label matplotlib's own font can draw: Latin-1 and an ellipsis only."""
    line = "".join(c if ord(c) < 256 or c == "…" else "?" for c in clean(text, 10_000))
    return line if len(line) <= limit else line[: limit - 1] + "…"


@functools.lru_cache(maxsize=8192)
def markdown(text: str) -> str:
    """Text for a Markdown table's cell: nothing in it is markup, a link or a column's end."""
    return _MARKDOWN.sub(r"\\\1", clean(text, 20_000))


def csv_field(text: object) -> str:
    """Text for a CSV field that a spreadsheet does not run as a formula (OWASP: prefix with an apostrophe)."""
    line = clean(text, 20_000)
    return f"'{line}" if line[:1] in ("=", "+", "-", "@", "'") else line


def script_json(value: Any) -> str:
    """JSON to stand inside ``<script type="application/json">``: it can't end the element or open a comment."""
    dumped = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return dumped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def slug(text: str, limit: int = 60) -> str:
    """A file name part: letters, digits, dots, dashes; never empty or hidden."""
    return _SLUG.sub("-", text)[:limit].strip(".-") or "x"
