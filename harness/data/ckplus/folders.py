"""The 981-image form of CK+: one folder per class with 48x48 faces, ``anger/S010_004_00000017.png``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness.data.ckplus import naming
from harness.data.ckplus.kinds import CONVERT, NOT_READ, is_hidden_image, kind_of
from harness.data.ckplus.naming import FrameName
from harness.data.ckplus.png import read_grey
from harness.data.ckplus.samples import Reading, Sample, pixel_digest, report_sequence_lengths
from harness.data.dataset import CLASSES
from harness.data.findings import FaultLog
from harness.data.size import SIDE
from harness.data.walk import RegularFile, walk

_AGAIN = "compare with the official tree, or get a new copy"


class _Entry(NamedTuple):
    """A file to read, with the class of its folder; ``key`` orders it in the data set."""

    key: tuple[str, int, str]
    file: RegularFile
    word: str
    name: FrameName | None


def read_folders(root: Path, faults: FaultLog) -> Reading:
    """Read all 48x48 PNG and JPEG files in folders named after one of the seven classes.

    File names hold the subject. If no file has such a name, samples have no subject and no sequence. If only some have,
    the others are left out, because their subjects may also be among the named ones.

    Returns:
        Samples ordered by sequence, then frame; without names of subjects by class, then file name.

    Raises:
        DataError: the folder has far more files than CK+.
    """
    files, images_there = _class_files(root, faults)
    named = any(naming.parse_frame_name(file.name) for file, _ in files)
    samples = _read(_in_order(files, faults, named=named), faults)
    report_sequence_lengths(samples, 3, faults)
    if not named:
        return Reading(samples, naming.PUBLISHED_981, found=images_there)
    return Reading(
        samples,
        published=naming.PUBLISHED_981,
        published_subjects=naming.PUBLISHED_LABELLED_SUBJECTS,
        published_sequences=naming.PUBLISHED_LABELLED_SEQUENCES,
        found=images_there,
    )


def _in_order(files: list[tuple[RegularFile, str]], faults: FaultLog, *, named: bool) -> list[_Entry]:
    """The files to read, in the data set's order. If some are ``named`` as in CK+, the others are left out."""
    entries: list[_Entry] = []
    for file, word in files:
        name = naming.parse_frame_name(file.name)
        if name is None and named:
            text = "its name does not tell the subject, as S010_004_00000017.png does; left out"
            faults.error("odd-name", file.rel, text, fix="give it its CK+ name", images=1)
            continue
        key = (name.sequence, name.frame, word) if name else ("", CLASSES.index(word), file.rel.lower())
        entries.append(_Entry(key, file, word, name))
    if files and not named:
        faults.warning(
            "no-subjects",
            ".",
            "no file name tells its subject, so no subject-disjoint split is possible",
            fix="use a copy with CK+'s own names (S010_004_00000017.png)",
        )
    # a PNG comes before a JPEG of the same frame, and only the first is used
    return sorted(entries, key=lambda entry: (entry.key, kind_of(entry.file.name) == "JPEG"))


def _class_files(root: Path, faults: FaultLog) -> tuple[list[tuple[RegularFile, str]], int]:
    """The readable images with the class of their folder, and the number of all images. Other files are reported."""
    walked = walk(root, faults, is_image=lambda rel: kind_of(rel) is not None)
    images = walked.refused_images
    files: list[tuple[RegularFile, str]] = []
    by_folder = _Folders()
    for file in walked.files:
        folder = "/".join(file.parents) or "."
        last = file.parents[-1] if file.parents else ""
        word = naming.folder_class(last)
        kind = kind_of(file.name)
        if kind is None and not is_hidden_image(file):
            faults.warning("stray-file", file.rel, "is no image; ignored", fix="remove it")
            continue
        images += 1
        if kind not in ("PNG", "JPEG"):
            faults.error("other-image", file.rel, NOT_READ, fix=CONVERT, images=1)
        elif word == naming.NEUTRAL:
            by_folder.neutral[folder] += 1
        elif word is None:
            by_folder.unknown[folder] += 1
        else:
            files.append((file, word))
            if last != word:
                by_folder.odd_case[folder] = word
    by_folder.report(faults)
    for folder in walked.empty:
        if naming.folder_class(folder.rpartition("/")[2]):
            faults.warning("empty-class-folder", folder, "no images", fix=_AGAIN)
    return files, images


@dataclass
class _Folders:
    """Faults that are reported once for each folder.

    ``neutral`` and ``unknown`` count the images left out of a folder; ``odd_case`` has the class of a folder's name.
    """

    neutral: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    odd_case: dict[str, str] = field(default_factory=dict)

    def report(self, faults: FaultLog) -> None:
        for folder, word in sorted(self.odd_case.items()):
            faults.note("odd-case", folder, f"taken as {word}")
        for folder, count in sorted(self.neutral.items()):
            faults.note("neutral", folder, f"{count} neutral images left out: neutral is not one of the seven classes")
            faults.leave_out("neutral", count)
        for folder, count in sorted(self.unknown.items()):
            text, fix = (
                f"no class has this name; {count} images left out",
                f"name the folder after one of {', '.join(CLASSES)}",
            )
            faults.error("unknown-label", folder, text, fix=fix, images=count)


def _read(entries: list[_Entry], faults: FaultLog) -> list[Sample]:
    samples: list[Sample] = []
    taken: dict[tuple[str, int, str], RegularFile] = {}
    for key, file, word, name in entries:
        if name is not None:
            earlier = taken.setdefault(key, file)
            if earlier is not file:
                faults.error("same-frame-twice", file.rel, f"is {earlier.rel} again; left out", fix=_AGAIN, images=1)
                continue
            if not name.exact:
                faults.note(
                    "odd-case",
                    file.rel,
                    "capitals and small letters differ from CK+'s own; used all the same",
                )
        pixels = read_grey(file, faults)
        if pixels is None:
            continue
        if pixels.shape != (SIDE, SIDE):
            height, width = pixels.shape
            faults.error(
                "wrong-size",
                file.rel,
                f"{width} x {height} pixels, not {SIDE} x {SIDE}; left out",
                fix=_AGAIN,
                images=1,
            )
            continue
        subject, sequence = (name.subject, name.sequence) if name else (None, None)
        samples.append(
            Sample(
                path=file.rel, line=None, label=CLASSES.index(word), subject=subject, sequence=sequence, image=pixels,
                digest=pixel_digest(pixels),
            )
        )  # fmt: skip
    return samples
