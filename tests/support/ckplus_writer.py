"""Writes made-up copies of CK+ in its three forms, complete or small, with and without litter. No real face
is in them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.data.ckplus.naming import CSV_LABELS, PUBLISHED_SEQUENCES, TREE_LABELS
from harness.data.dataset import CLASSES

Grey = npt.NDArray[np.uint8]


def picture(seed: int, width: int = 48, height: int = 48) -> Grey:
    """Grey values that differ for every seed; few distinct ones, so that PNGs stay small and quick."""
    corner = np.zeros((height, width), dtype=np.uint8)
    bits = np.array([seed >> bit & 1 for bit in range(24)], dtype=np.uint8) * 200 + 20
    corner[:4, :6] = bits.reshape(4, 6)
    corner[height // 2 :, :] = seed % 251
    return corner


def png(pixels: npt.NDArray[np.uint8], mode: str | None = None) -> bytes:
    """A PNG file of ``pixels``, converted to Pillow's ``mode`` first where one is given."""
    image = Image.fromarray(pixels)
    if mode is not None:
        image = image.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def write(path: Path, content: bytes | str) -> Path:
    """Write a file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_sequence(
    root: Path,
    sequence: str,
    label: int | str | None,
    *,
    frames: Sequence[int] = (1, 2, 3, 4),
    size: tuple[int, int] = (64, 60),
    images: str = "cohn-kanade-images",
    labels: str = "Emotion",
) -> None:
    """One sequence such as ``S005_001`` of the official tree; the last of ``frames`` is the labelled peak.

    ``label``: a number written as CK+ does, or the label file's whole text, or None for an empty label
    folder.
    """
    subject, _, number = sequence.partition("_")
    for frame in frames:
        seed = int(subject[1:]) * 100_000 + int(number) * 100 + frame
        write(root / images / subject / number / f"{sequence}_{frame:08d}.png", png(picture(seed, *size)))
    folder = root / labels / subject / number
    folder.mkdir(parents=True, exist_ok=True)
    if label is not None:
        text = f"   {label:.7e}\n" if isinstance(label, int) else label
        write(folder / f"{sequence}_{frames[-1]:08d}_emotion.txt", text)


def complete_sequences() -> list[tuple[str, str]]:
    """(sequence, class) of 327 made-up sequences of 118 subjects with CK+'s counts per class."""
    words = [word for word, count in PUBLISHED_SEQUENCES.items() for _ in range(count)]
    return [(f"S{index % 118 + 1:03d}_{index // 118 + 1:03d}", word) for index, word in enumerate(words)]


def write_folders(root: Path, *, top: str = "CK+48") -> Path:
    """The complete 981-image form: three 48x48 images for each of 327 sequences."""
    for sequence, word in complete_sequences():
        subject, _, number = sequence.partition("_")
        for frame in (15, 16, 17):
            seed = int(subject[1:]) * 1000 + int(number) * 100 + frame
            write(root / top / word / f"{sequence}_{frame:08d}.png", png(picture(seed)))
    return root


def write_tree(root: Path) -> Path:
    """A small official tree: seven labelled sequences, one per class, and one without a label."""
    for number, _ in enumerate(CLASSES, 1):
        write_sequence(root, f"S{number:03d}_001", number)
    write_sequence(root, "S001_002", None)
    assert TREE_LABELS[1:] == CLASSES
    return root


def write_example(folder: Path) -> Path:
    """A copy that loads, for the contract of all data sets."""
    return write_tree(folder / "ckplus")


def csv_row(emotion: object, pixels: Grey | str, usage: str | None = "Training") -> str:
    """One line of ckextended.csv without its line end."""
    text = pixels if isinstance(pixels, str) else " ".join(str(value) for value in pixels.ravel().tolist())
    return f"{emotion},{text}" + ("" if usage is None else f",{usage}")


def complete_csv_rows() -> list[str]:
    """920 made-up rows with the published counts: 327 in seven classes and 593 neutral ones."""
    labels = [CSV_LABELS.index(word) for word, count in PUBLISHED_SEQUENCES.items() for _ in range(count)]
    labels += [CSV_LABELS.index("neutral")] * 593
    usages = ("Training",) * 8 + ("PublicTest", "PrivateTest")
    return [csv_row(label, picture(index), usages[index % 10]) for index, label in enumerate(labels)]


HEADER = "emotion,pixels,Usage"
