"""The forms in which ``harness compare`` prints a comparison: one file for each, and one line here."""

from __future__ import annotations

from collections.abc import Callable

from harness.results.compare import Comparison
from harness.results.comparison_formats import badge, bmf, github, objects, text

#: name of the option -> a comparison as the text that is printed
FORMATS: dict[str, Callable[[Comparison], str]] = {
    "text": text.rendered,
    "json": objects.rendered,
    "github": github.rendered,
    "bmf": bmf.rendered,
    "badge": badge.rendered,
}
