"""One sample as a form reads it, before it is decoded and before its label is understood."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")

#: The words by which folders and columns name a part, in small letters. FER2013 has the last ones.
_WORDS: dict[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "publictest"), "validation"),
    **dict.fromkeys(("test", "testing", "privatetest"), "test"),
}


def part_of(word: str) -> Part | None:
    """The part that a folder or a cell names; None for another word."""
    return _WORDS.get(word.strip().lower())


def part_words() -> str:
    """All words for parts, for a message."""
    return ", ".join(_WORDS)


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample.

    Attributes:
        place: its file relative to the data's folder, for messages and as its id.
        line: of a text file, from 1; None for other places.
        label: as written.
        content: the path of an image file, or an array: uint8 (h, w) or (h, w, 3) for pixels, else a network's input.
        group: what it shares with samples that are alike; None if unknown.
        part: of the split, where the data say so.
    """

    place: str
    label: str
    content: Path | npt.NDArray[Any]
    line: int | None = None
    group: str | None = None
    part: Part | None = None

    @property
    def identity(self) -> str:
        """``place``, or ``place:line``."""
        return self.place if self.line is None else f"{self.place}:{self.line}"
