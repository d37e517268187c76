"""Text from boards, made harmless for the place where it is shown.

Jinja2 escapes HTML. This module handles the rest: control characters, Markdown, CSV formulas, JSON inside a script
element, and file names.
"""

from __future__ import annotations

import functools
import io
import json
import re
import sys
import unicodedata

_SPACES = re.compile(r"\s+")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~!&])")
_SLUG = re.compile(r"[^A-Za-z0-9._-]+")


def print_anything() -> None:
    """Print characters that the locale's character set lacks as escapes (``\\u2013``) instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # it may be closed, or replaced by another object
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
    """Like :func:`clean`, for text of several lines (a board's stderr): it keeps newlines and tabs and cuts nothing."""
    return "".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else "\N{REPLACEMENT CHARACTER}" for c in text)


def for_figure(text: object, limit: int = 34) -> str:
    """A label that matplotlib's own font can draw: Latin-1 and an ellipsis only."""
    line = "".join(c if ord(c) < 256 or c == "…" else "?" for c in clean(text, 10_000))
    return line if len(line) <= limit else line[: limit - 1] + "…"


@functools.lru_cache(maxsize=8192)
def markdown(text: str) -> str:
    """Text for a cell of a Markdown table: markup, links and column ends are escaped."""
    return _MARKDOWN.sub(r"\\\1", clean(text, 20_000))


def csv_field(text: object) -> str:
    """Text for a CSV field that no spreadsheet runs as a formula (OWASP: prefix with an apostrophe)."""
    line = clean(text, 20_000)
    return f"'{line}" if line[:1] in ("=", "+", "-", "@", "'") else line


def script_json(value: object) -> str:
    """JSON for ``<script type="application/json">``: it can't end the element or open a comment."""
    dumped = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return dumped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def slug(text: str, limit: int = 60) -> str:
    """A file name part: letters, digits, dots, dashes; never empty or hidden."""
    return _SLUG.sub("-", text)[:limit].strip(".-") or "x"
