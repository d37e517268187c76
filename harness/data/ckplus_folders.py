"""The 981-image form of CK+: one folder per class with 48x48 faces, ``anger/S010_004_00000017.png``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from harness.data import ckplus_labels as names
from harness.data.ckplus_files import Found, walk
from harness.data.ckplus_kinds import CONVERT, NOT_READ, is_hidden_image, kind_of
from harness.data.ckplus_labels import FrameName
from harness.data.ckplus_png import read_grey
from harness.data.ckplus_samples import Reading, Sample, pixel_digest, report_sequence_lengths
from harness.data.dataset import CLASSES
from harness.data.facecrop import SIDE
from harness.data.faults import FaultLog

_AGAIN = "compare with the official tree, or get a new copy"


def read_folders(root: Path, faults: FaultLog) -> Reading:
    """Every 48x48 PNG or JPEG that lies in a folder named after one of the seven classes.

    The file names tell the subject. Where no file has such a name, samples have no subject and no sequence;
    where only some have, the others are left out, as their person may also be in the named ones.

    Returns:
        Samples ordered by sequence, then frame (by class, then name, where names don't tell).

    Raises:
        DataError: far more files than CK+ has.
    """
    files, found = _class_files(root, faults)
    named = [(file, word, names.parse_frame_name(file.name)) for file, word in files]
    some_named = any(name for _, _, name in named)
    entries: list[tuple[tuple[str, int, str], Found, str, FrameName | None]] = []
    for file, word, name in named:
        if name is None and some_named:
            faults.error(
                "odd-name",
                file.rel,
                "its name does not tell the subject, as S010_004_00000017.png does; left out",
                fix="give it its CK+ name",
                images=1,
            )
            continue
        key = (name.sequence, name.frame, word) if name else ("", CLASSES.index(word), file.rel.lower())
        entries.append((key, file, word, name))
    if files and not some_named:
        faults.warning(
            "no-subjects",
            ".",
            "no file name tells its subject, so no subject-disjoint split is possible",
            fix="use a copy with CK+'s own names (S010_004_00000017.png)",
        )
    entries.sort(key=lambda entry: (entry[0], kind_of(entry[1].name) == "JPEG"))  # of two copies the PNG is used
    samples = _read(entries, faults)
    report_sequence_lengths(samples, 3, faults)
    if not some_named:
        return Reading(samples, names.PUBLISHED_981, found=found)
    people, sequences = names.PUBLISHED_LABELLED_SUBJECTS, names.PUBLISHED_LABELLED_SEQUENCES
    return Reading(samples, names.PUBLISHED_981, people, sequences, found=found)


def _class_files(root: Path, faults: FaultLog) -> tuple[list[tuple[Found, str]], int]:
    """Images that can be read with the class of the folder they lie in, and how many images there are; everything
    else is reported."""
    found = walk(root, faults, is_image=lambda rel: kind_of(rel) is not None)
    images = found.refused_images
    files: list[tuple[Found, str]] = []
    neutral: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    odd_case: dict[str, str] = {}
    for file in found.files:
        folder = "/".join(file.parents) or "."
        last = file.parents[-1] if file.parents else ""
        word = names.folder_class(last)
        kind = kind_of(file.name)
        if kind is None and not is_hidden_image(file):
            faults.warning("stray-file", file.rel, "is no image; ignored", fix="remove it")
            continue
        images += 1
        if kind not in ("PNG", "JPEG"):
            faults.error("other-image", file.rel, NOT_READ, fix=CONVERT, images=1)
        elif word == names.NEUTRAL:
            neutral[folder] += 1
        elif word is None:
            unknown[folder] += 1
        else:
            files.append((file, word))
            if last != word:
                odd_case[folder] = word
    for folder, word in sorted(odd_case.items()):
        faults.note("odd-case", folder, f"taken as {word}")
    for folder, count in sorted(neutral.items()):
        faults.note("neutral", folder, f"{count} neutral images left out: neutral is not one of the seven classes")
        faults.leave_out("neutral", count)
    for folder, count in sorted(unknown.items()):
        fix = f"name the folder after one of {', '.join(CLASSES)}"
        faults.error("unknown-label", folder, f"no class has this name; {count} images left out", fix=fix, images=count)
    for folder in found.empty:
        if names.folder_class(folder.rpartition("/")[2]):
            faults.warning("empty-class-folder", folder, "no images", fix=_AGAIN)
    return files, images


def _read(entries: list[tuple[tuple[str, int, str], Found, str, FrameName | None]], faults: FaultLog) -> list[Sample]:
    samples: list[Sample] = []
    taken: dict[tuple[str, int, str], Found] = {}
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
        samples.append(Sample(file.rel, None, CLASSES.index(word), subject, sequence, pixels, pixel_digest(pixels)))
    return samples
