"""CK+'s names and numbers: labels, class folders, file names, and the published counts.

Sources: Lucey et al., "The Extended Cohn-Kanade Dataset (CK+)", CVPR Workshops 2010 (593 sequences, 123
subjects, 327 labelled; 45, 18, 59, 25, 69, 28 and 83 of them per class); the 981-image form is the last three
frames of those.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from harness.data.dataset import CKPLUS_981_COUNTS, CLASSES

#: The label for no expression in both numberings. It is not one of the seven classes.
NEUTRAL = "neutral"

#: The official tree's label numbers (ReadMe of CK+): 0 neutral, then the seven in the order of CLASSES.
TREE_LABELS: tuple[str, ...] = (NEUTRAL, *CLASSES)

#: ``ckextended.csv`` numbers its labels as FER2013 does, with contempt at the end.
CSV_LABELS: tuple[str, ...] = (
    "anger",
    "disgust",
    "fear",
    "happy",
    "sadness",
    "surprise",
    NEUTRAL,
    "contempt",
)

#: Labelled sequences per class, in the order of CLASSES. The peak frames and the rows of ckextended.csv are as many.
PUBLISHED_SEQUENCES: dict[str, int] = dict(zip(CLASSES, (45, 18, 59, 25, 69, 28, 83), strict=True))
PUBLISHED_981: dict[str, int] = dict(zip(CLASSES, CKPLUS_981_COUNTS, strict=True))
PUBLISHED_LABELLED_SUBJECTS = 118
PUBLISHED_LABELLED_SEQUENCES = 327
PUBLISHED_ALL_SUBJECTS = 123
PUBLISHED_ALL_SEQUENCES = 593
PUBLISHED_CSV_NEUTRAL = 593

#: Other names of the classes in copies of CK+, in lower case.
_ALIASES = {
    "angry": "anger",
    "happiness": "happy",
    "joy": "happy",
    "sad": "sadness",
    "surprised": "surprise",
    "fearful": "fear",
    "disgusted": "disgust",
}

_FRAME = re.compile(r"(S\d{3})_(\d{3})_(\d{8})(\.(?:png|jpe?g|jpe|jfif))", re.IGNORECASE | re.ASCII)
_LABEL = re.compile(r"(S\d{3})_(\d{3})_(\d{8})_emotion\.txt", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


class FrameName(NamedTuple):
    """The parts of a CK+ file name: ``S005_001_00000011`` is subject S005, sequence S005_001, frame 11."""

    subject: str
    sequence: str
    frame: int
    #: False if the letter case differs from CK+'s own (``s005_001_00000011.PNG``)
    exact: bool


def parse_frame_name(name: str) -> FrameName | None:
    """Parse ``S005_001_00000011.png`` in any letter case, or the same as JPEG; None for any other name."""
    match = _FRAME.fullmatch(name)
    return _parts(match, name, match[4].lower() if match else "")


def parse_label_name(name: str) -> FrameName | None:
    """Parse ``S005_001_00000011_emotion.txt`` in any letter case; None for any other name."""
    return _parts(_LABEL.fullmatch(name), name, "_emotion.txt")


def _parts(match: re.Match[str] | None, name: str, ending: str) -> FrameName | None:
    if match is None:
        return None
    subject = match[1].upper()
    exact = name == f"{subject}_{match[2]}_{match[3]}{ending}"
    return FrameName(subject, f"{subject}_{match[2]}", int(match[3]), exact)


def folder_class(name: str) -> str | None:
    """The class of a folder name in any letter case: one of CLASSES, or ``neutral``; None for any other name."""
    word = name.strip().lower()
    word = _ALIASES.get(word, word)
    return word if word in TREE_LABELS else None


def parse_label(text: str) -> int:
    """The label number in the text of an ``_emotion.txt``, which CK+ writes as ``   3.0000000e+00``.

    Returns:
        0 to 7, an index into :data:`TREE_LABELS`.

    Raises:
        ValueError: the text is not exactly one whole number of CK+'s numbering; the message says why.
    """
    words = text.removeprefix("\ufeff").split()
    if not words:
        raise ValueError("is empty; it should hold one number from 0 to 7")
    if len(words) > 1:
        raise ValueError(f"holds {len(words)} words where one number from 0 to 7 should be")
    return whole_number(words[0], len(TREE_LABELS))


def whole_number(word: str, limit: int) -> int:
    """Parse a whole number from 0 to ``limit`` - 1; ``3``, ``3.0`` and ``3.0000000e+00`` are the same.

    Raises:
        ValueError: it is no such number; the message says why.
    """
    shown = word if len(word) <= 40 else f"{word[:40]}..."
    if not _NUMBER.fullmatch(word):
        raise ValueError(f"says {shown!r}, which is not a number")
    value = float(word)
    if not math.isfinite(value) or value != int(value):
        raise ValueError(f"says {shown!r}, which is not a whole number")
    if not 0 <= value < limit:
        raise ValueError(f"says {shown!r}; numbers go from 0 to {limit - 1}")
    return int(value)
