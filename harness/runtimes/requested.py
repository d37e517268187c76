"""A runtime as it is requested: by its name, or by its name and release, ``litert==2.1.0``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness.core.named import nearest
from harness.core.scalars import NotMeantError, shown
from harness.runtimes.registry import RUNTIMES

#: A public version as PEP 440 writes it; indexes have no others. Each release has one spelling here.
RELEASE = r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){0,5}((a|b|rc)[0-9]{1,4})?(\.post[0-9]{1,4})?(\.dev[0-9]{1,10})?"
_MOST_CHARS = 40
_WORD = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:([=<>!~]+)\s*(\S+))?", re.ASCII)


@dataclass(frozen=True)
class Requested:
    """A runtime, and its release; None where the harness chooses one that fits the board."""

    name: str
    release: str | None = None

    def __str__(self) -> str:
        return self.name if self.release is None else f"{self.name}=={self.release}"

    @property
    def part(self) -> str:
        """The part of a cell's name: ``litert``, ``litert-2.1.0``."""
        return self.name if self.release is None else f"{self.name}-{self.release}"

    def ran(self, version: str | None) -> bool:
        """Whether a runtime that gives itself this version is the requested release.

        Some append their build to it: ``2025.2.0-19140-c01cd93e24d``.
        """
        return self.release is None or (version is not None and re.split(r"[-+ ]", version)[0] == self.release)


def requested(word: str, key: str = "runtime") -> Requested:
    """Parse ``NAME`` or ``NAME==VERSION``.

    Args:
        key: what the word stands behind, for the message.

    Raises:
        NotMeantError: the word has another form.
        ValueError: no runtime has that name; the message suggests the nearest one.
    """
    match = _WORD.fullmatch(word.strip())
    name, comparison, release = match.groups(default="") if match else (word, "", "")
    if name not in RUNTIMES:
        raise ValueError(f"'{shown(name)}' is no {key}{nearest(name, RUNTIMES)}")
    if not comparison:
        return Requested(name)
    if comparison != "==":
        raise NotMeantError("asks for no single release", f"write {name}=={shown(release)}")
    if len(release) > _MOST_CHARS or not re.fullmatch(RELEASE, release, re.ASCII):
        raise NotMeantError(f"'{shown(release)}' is no release", f"write the whole number, as in {name}==2.1.0")
    return Requested(name, release)


def all_requested(words: Iterable[str] | None) -> tuple[Requested, ...]:
    """Parse several words, without duplicates; see :func:`requested`."""
    return tuple(dict.fromkeys(requested(word) for word in words or ()))
