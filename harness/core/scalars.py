"""Readers for the scalars of YAML files. A key decides whether its text is a text, a number or a boolean.

Readers of YAML disagree about some numbers (octal, base 60, underscores). Such a number is refused, and the message
suggests another spelling.
"""

from __future__ import annotations

import contextlib
import math
import re

_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_YES, _NO = ("true", "yes", "on"), ("false", "no", "off")
#: More digits than any number here has. The limit matters because int() takes quadratic time.
_MAX_DIGITS = 40


class NotMeantError(ValueError):
    """A value that does not fit its key.

    Args:
        text: the problem, as half a sentence after ``'key: value'``.
        fix: what to write instead.
    """

    def __init__(self, text: str, fix: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.fix = fix


def shown(value: object) -> str:
    """A value as a message quotes it: short and printable."""
    text = "nothing" if value is None else str(value)[:100]
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return text if len(text) <= 80 else f"{text[:77]}..."


def text(value: object) -> str:
    """A text that is not empty. A number, which may come from Python, is converted."""
    if value is None:
        raise NotMeantError("has nothing behind it")
    if isinstance(value, (list, tuple, dict)):
        raise NotMeantError("needs one text, not a list or keys of its own")
    content = str(value)
    if not content.strip():
        raise NotMeantError("is empty")
    if any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in content):
        raise NotMeantError("holds a line end or another control character")
    return content


def whole(value: object) -> int:
    """A whole number in ordinary decimal digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    written = text(value)
    if len(written) <= _MAX_DIGITS and _WHOLE.fullmatch(written):
        return int(written)
    raise NotMeantError("needs a whole number in plain digits", _instead(written, whole_only=True))


def number(value: object) -> float:
    """A finite number in ordinary decimal digits, with a point."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    written = text(value)
    if len(written) <= _MAX_DIGITS and _DECIMAL.fullmatch(written) and math.isfinite(float(written)):
        return float(written)
    raise NotMeantError("needs a number in plain digits", _instead(written, whole_only=False))


def yes_or_no(value: object) -> bool:
    """A boolean: ``true`` or ``false``, or YAML 1.1's ``yes``, ``no``, ``on`` and ``off``."""
    if isinstance(value, bool):
        return value
    written = text(value).lower()
    if written in _YES or written in _NO:
        return written in _YES
    raise NotMeantError("needs 'true' or 'false'")


def _instead(written: str, *, whole_only: bool) -> str | None:
    """A suggestion for a text that is no plain number; None if there is none."""
    if re.fullmatch(r"[-+]?0[0-9]+", written):
        fixed = re.sub(r"^([-+]?)0+(?=[0-9])", r"\1", written)
        return f"write {fixed}: with a leading zero, some readers of YAML take it as octal"
    if re.fullmatch(r"[-+]?[0-9]+(:[0-9]+)+(\.[0-9]*)?", written):
        return f"some readers of YAML take it as base 60; is {written.split(':')[0]} meant?"
    with contextlib.suppress(ValueError):
        if re.fullmatch(r"[-+]?0[xXoObB][0-9a-fA-F_]{1,16}", written):
            return f"write {int(written, 0)}"
        if re.fullmatch(r"[-+]?[0-9][0-9_]*_[0-9_]*", written):
            return f"write {int(written.replace('_', ''))}"
        if re.fullmatch(r"[0-9]+(\.[0-9]+)? ?%", written) and not whole_only:
            return f"write {float(written.rstrip(' %')) / 100:g}"
        if re.fullmatch(r"[0-9]+,[0-9]+", written) and not whole_only:
            return f"write {written.replace(',', '.')}"
        value = float(written.replace("_", ""))
        if math.isfinite(value) and abs(value) < 1e15 and (not whole_only or value == int(value)):
            return f"write {int(value) if value == int(value) else value}"
    return None
