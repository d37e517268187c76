"""Text from elsewhere, made safe to print."""

from __future__ import annotations

import unicodedata


def plain(text: str) -> str:
    """``text`` without anything a terminal would act on: control, format and surrogate characters become ``�``.

    New lines and tabs stay.
    """
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co") else "\ufffd" for c in text
    )
