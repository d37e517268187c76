"""The samples that all forms of CK+ become, and the checks that all forms share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.core.files import sha256_bytes
from harness.data.dataset import CLASSES
from harness.data.findings import FaultLog

#: If a larger share of images has two labels, no label of the copy is trusted.
MAX_CONTRADICTED = 0.05


@dataclass(frozen=True)
class Sample:
    """One usable image.

    Attributes:
        path, line: relative path of its file, and the line of a CSV row.
        label: index into CLASSES.
        subject, sequence: ``S005`` and ``S005_001``; None if the form doesn't tell.
        image: uint8, shape (48, 48).
        digest: SHA-256 of the image as it was stored (before cropping), with its size.
    """

    path: str
    line: int | None
    label: int
    subject: str | None
    sequence: str | None
    image: npt.NDArray[np.uint8]
    digest: str


@dataclass
class Reading:
    """The result of one form's reader: usable samples in the data set's order, published counts, and statistics."""

    samples: list[Sample]
    published: dict[str, int]
    published_subjects: int | None = None
    published_sequences: int | None = None
    usage: dict[str, int] = field(default_factory=dict)
    #: number of images in files or rows: used, left out, or not needed
    found: int = 0


def pixel_digest(pixels: npt.NDArray[np.uint8]) -> str:
    """SHA-256 of an image's size and grey values."""
    return sha256_bytes(repr(pixels.shape).encode() + pixels.tobytes())


def without_contradictions(samples: list[Sample], faults: FaultLog) -> tuple[list[Sample], int]:
    """Leave out images with two labels, and report images that occur twice.

    An image is left out if its pixels or its sequence also occur with another label, since one label is wrong and
    nothing tells which. A duplicate with the same label stays, so that a complete copy of CK+ keeps its published
    counts. It is reported, because a split may put the same image into training and test.

    Returns:
        The remaining samples in the same order, and the number of those that repeat an earlier one.
    """
    labels: defaultdict[str, set[int]] = defaultdict(set)
    for sample in samples:
        for key in _keys(sample):
            labels[key].add(sample.label)
    consistent = [sample for sample in samples if all(len(labels[key]) == 1 for key in _keys(sample))]
    for sample in samples:
        for key in _keys(sample):
            if len(labels[key]) > 1:
                which = " and ".join(CLASSES[label] for label in sorted(labels[key]))
                what = "the same pixels are" if key == sample.digest else f"sequence {sample.sequence} is"
                faults.error(
                    "contradicting-labels",
                    sample.path,
                    f"{what} labelled {which}; left out",
                    line=sample.line,
                    fix="compare with the official labels and keep the right one",
                    images=1,
                )
                break
    lost = len(samples) - len(consistent)
    if lost > MAX_CONTRADICTED * len(samples):
        faults.fatal(
            "labels-contradict",
            ".",
            f"{lost} of {len(samples)} images carry two labels: no label can be trusted",
            fix="get a new copy of CK+",
        )
    return consistent, _report_duplicates(consistent, faults)


def _keys(sample: Sample) -> Iterable[str]:
    yield sample.digest
    if sample.sequence is not None:
        yield sample.sequence


def _report_duplicates(samples: list[Sample], faults: FaultLog) -> int:
    first: dict[str, Sample] = {}
    duplicates = 0
    for sample in samples:
        earlier = first.setdefault(sample.digest, sample)
        if earlier is not sample:
            duplicates += 1
            place = earlier.path if earlier.line is None else f"{earlier.path}:{earlier.line}"
            faults.warning(
                "duplicate-image",
                sample.path,
                f"has exactly the pixels of {place}; kept",
                line=sample.line,
                fix="if one was copied by mistake, remove it: a split may separate the two",
            )
    return duplicates


def report_sequence_lengths(samples: list[Sample], expected: int, faults: FaultLog) -> None:
    """Warn of each sequence without ``expected`` images, at the path of its first image."""
    groups: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.sequence is not None:
            groups[sample.sequence].append(sample)
    for sequence, group in sorted(groups.items()):
        if len(group) != expected:
            code = "short-sequence" if len(group) < expected else "long-sequence"
            faults.warning(
                code,
                group[0].path,
                f"sequence {sequence} gives {len(group)} images, not {expected}",
                fix="compare with the official tree",
            )


def compare_counts(reading: Reading, samples: list[Sample], faults: FaultLog) -> dict[str, int]:
    """Warn of each count that differs from the published one, with both numbers. Returns the counts per class."""
    counts = {name: sum(CLASSES[s.label] == name for s in samples) for name in CLASSES}
    fix = "a complete copy has the published number; see the errors above, or get a new copy"
    for name, published in reading.published.items():
        report_count(f"images of {name}", counts[name], published, faults, fix=fix)
    if reading.published_subjects is not None:
        report_count(
            "labelled subjects",
            len({s.subject for s in samples}),
            reading.published_subjects,
            faults,
            fix=fix,
        )
    if reading.published_sequences is not None:
        sequences = len({s.sequence for s in samples})
        report_count("labelled sequences", sequences, reading.published_sequences, faults, fix=fix)
    return counts


def report_count(what: str, found: int, published: int, faults: FaultLog, *, fix: str) -> None:
    """Warn with both numbers if they differ."""
    if found != published:
        faults.warning("count-differs", ".", f"{what}: found {found}, published {published}", fix=fix)
