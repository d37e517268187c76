"""What a text in a device list means, once its key says whether text, a number or a yes is meant.

Where readers of YAML disagree about a number (octal, base 60, underscores), it is refused with what to write instead.
"""

from __future__ import annotations

import contextlib
import math
import re

_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_YES, _NO = ("true", "yes", "on"), ("false", "no", "off")
#: more than any number here has; int() takes quadratic time
_MAX_DIGITS = 40


class NotMeantError(ValueError):
    """A value that can't be what its key needs.

    Args:
        text: what is wrong, as half a sentence after ``'key: value'``.
        fix: what to write instead.
    """

    def __init__(self, text: str, fix: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.fix = fix


def shown(value: object) -> str:
    """A value as it may be quoted in a message: short, whatever it is."""
    text = "nothing" if value is None else str(value)[:100]
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return text if len(text) <= 80 else f"{text[:77]}..."


def text(value: object) -> str:
    """A text; numbers are what a person may have handed over from Python."""
    if value is None:
        raise NotMeantError("has nothing behind it")
    if isinstance(value, (list, tuple, dict)):
        raise NotMeantError("needs one text, not a list or keys of its own")
    found = str(value)
    if not found.strip():
        raise NotMeantError("is empty")
    if any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in found):
        raise NotMeantError("holds a line end or another control character")
    return found


def whole(value: object) -> int:
    """A whole number in ordinary decimal digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = text(value)
    if len(found) <= _MAX_DIGITS and _WHOLE.fullmatch(found):
        return int(found)
    raise NotMeantError("needs a whole number in plain digits", _instead(found, whole_only=True))


def number(value: object) -> float:
    """A finite number in ordinary decimal digits, with a point."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    found = text(value)
    if len(found) <= _MAX_DIGITS and _DECIMAL.fullmatch(found) and math.isfinite(float(found)):
        return float(found)
    raise NotMeantError("needs a number in plain digits", _instead(found, whole_only=False))


def yes_or_no(value: object) -> bool:
    """``true`` or ``false``; ``yes``, ``no``, ``on`` and ``off`` can mean nothing else behind such a key."""
    if isinstance(value, bool):
        return value
    found = text(value).lower()
    if found in _YES or found in _NO:
        return found in _YES
    raise NotMeantError("needs 'true' or 'false'")


def _instead(found: str, *, whole_only: bool) -> str | None:
    """What was probably meant by something that is no plain number."""
    if re.fullmatch(r"[-+]?0[0-9]+", found):
        fixed = re.sub(r"^([-+]?)0+(?=[0-9])", r"\1", found)
        return f"write {fixed}: with a leading zero, some readers of YAML take it as octal"
    if re.fullmatch(r"[-+]?[0-9]+(:[0-9]+)+(\.[0-9]*)?", found):
        return f"some readers of YAML take it as base 60; is {found.split(':')[0]} meant?"
    with contextlib.suppress(ValueError):
        if re.fullmatch(r"[-+]?0[xXoObB][0-9a-fA-F_]{1,16}", found):
            return f"write {int(found, 0)}"
        if re.fullmatch(r"[-+]?[0-9][0-9_]*_[0-9_]*", found):
            return f"write {int(found.replace('_', ''))}"
        if re.fullmatch(r"[0-9]+(\.[0-9]+)? ?%", found) and not whole_only:
            return f"write {float(found.rstrip(' %')) / 100:g}"
        if re.fullmatch(r"[0-9]+,[0-9]+", found) and not whole_only:
            return f"write {found.replace(',', '.')}"
        value = float(found.replace("_", ""))
        if math.isfinite(value) and abs(value) < 1e15 and (not whole_only or value == int(value)):
            return f"write {int(value) if value == int(value) else value}"
    return None
