"""Copies of CK+ in its three forms with drawn faces in them, which can be learnt. No real face is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.data.dataset import CLASSES, Dataset
from harness.data.synthetic.generator import generate
from tests.support.ckplus_writer import CSV_LABELS, HEADER, csv_row, png, write

FORMS = ("tree", "folders", "csv")
#: The part of a 64x64 frame that the centre crop cuts out is 42 pixels wide, so frames are larger: 48 / 0.65.
_FRAME = 74


def drawn(people: int | None = None) -> Dataset:
    """The drawn faces, or those of the first people alone."""
    return generate() if people is None else of_people(generate(), people)


def of_people(dataset: Dataset, people: int) -> Dataset:
    """The images of the first people."""
    subjects = dataset.subjects or ()
    chosen = set(sorted(set(subjects))[:people])
    keep = np.array([subject in chosen for subject in subjects])
    return Dataset(
        dataset.name,
        dataset.synthetic,
        dataset.images[keep],
        dataset.labels[keep],
        tuple(subject for subject in subjects if subject in chosen),
        tuple(s for s, subject in zip(dataset.sequences or (), subjects, strict=True) if subject in chosen),
    )


def write_copy(root: Path, form: str, people: int | None = None) -> Path:
    """A copy of one form; returns the path to name."""
    return {"tree": _tree, "folders": _folders, "csv": _csv}[form](root, drawn(people))


def _frames(dataset: Dataset) -> list[tuple[str, str, int, bool, int]]:
    """(subject, sequence, frame, whether it is the peak, place in the data set) of each image."""
    found, sequences = [], dataset.sequences or ()
    for place, (subject, sequence) in enumerate(zip(dataset.subjects or (), sequences, strict=True)):
        first = place == 0 or sequences[place - 1] != sequence
        frame = 15 if first else found[-1][2] + 1
        last = place + 1 == len(sequences) or sequences[place + 1] != sequence
        found.append((subject, sequence, frame, last, place))
    return found


def _tree(root: Path, dataset: Dataset) -> Path:
    for subject, sequence, frame, peak, place in _frames(dataset):
        number, name = sequence.partition("_")[2], f"{sequence}_{frame:08d}"
        border = (_FRAME - 48) // 2
        wide = np.pad(dataset.images[place], border, mode="edge")
        write(root / "cohn-kanade-images" / subject / number / f"{name}.png", png(wide))
        if peak:
            label = int(dataset.labels[place]) + 1
            write(root / "Emotion" / subject / number / f"{name}_emotion.txt", f"   {label:.7e}\n")
    return root


def _folders(root: Path, dataset: Dataset) -> Path:
    for _, sequence, frame, _, place in _frames(dataset):
        word = CLASSES[int(dataset.labels[place])]
        write(root / "CK+48" / word / f"{sequence}_{frame:08d}.png", png(dataset.images[place]))
    return root


def _csv(root: Path, dataset: Dataset) -> Path:
    rows = [
        csv_row(CSV_LABELS.index(CLASSES[int(dataset.labels[place])]), dataset.images[place])
        for *_, peak, place in _frames(dataset)
        if peak
    ]
    return write(root / "ckextended.csv", "\n".join([HEADER, *rows]) + "\n")
