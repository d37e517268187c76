"""CK+ in its three forms: which one a copy is, what is wrong with it, and the data set in it.

CK+ is licensed to each group that asks for it. This project never downloads it and never holds a copy; the
user names a path. See docs/ckplus.md for the forms and for how to ask.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np

from harness.core.errors import DataError
from harness.core.paths import expanded
from harness.data.ckplus import naming
from harness.data.ckplus.csv_file import read_csv
from harness.data.ckplus.facecrop import make_cropper
from harness.data.ckplus.folders import read_folders
from harness.data.ckplus.samples import Reading, Sample, compare_counts, without_contradictions
from harness.data.ckplus.tree import IMAGE_FOLDERS, LABEL_FOLDERS, read_tree
from harness.data.dataset import CLASSES, Dataset
from harness.data.findings import DataFindings, FaultLog, in_order, not_recognised, printable
from harness.data.size import SIDE
from harness.data.spec import Crop, DataSpec, Frames

Form = Literal["tree", "folders", "csv"]

CSV_NAME = "ckextended.csv"

#: How far below the given path CK+'s own folders may lie (archives unpack into folders of their own).
_SEARCH_DEPTH = 3
#: CK+ has 123 folders at most at one level; beyond this a folder is not searched for a form.
_SEARCH_WIDTH = 2000

_FORMS_TEXT = (
    "give the folder with Emotion/ and cohn-kanade-images/, the folder with the class folders (anger/...), "
    "or ckextended.csv; symbolic links to folders are not followed"
)


def detect(path: Path) -> Form:
    """Which form of CK+ is at ``path``.

    Only names are looked at: ``tree`` has both of CK+'s folders, ``folders`` has at least two folders named
    after classes, ``csv`` is a ``.csv`` file or a folder with ``ckextended.csv``.

    Raises:
        DataError: nothing is there, no form is recognised, or more than one is.
    """
    return _locate(path)[0]


def open(spec: DataSpec) -> tuple[Dataset | None, DataFindings]:
    """The copy at ``spec.path``, as :mod:`harness.data.registry` asks for it.

    Raises:
        DataError: no form of CK+ is there.
        MissingExtraError: ``opencv`` was asked for and is not installed.
    """
    samples, findings = _examine(Path(spec.path or ""), spec.frames, spec.crop)
    return None if findings.fatal else _dataset(samples, findings), findings


def load_with_findings(path: Path, *, mode: Frames = "last3", crop: Crop = "auto") -> tuple[Dataset, DataFindings]:
    """Load what is good and tell the rest.

    Args:
        path: a folder or a CSV file.
        mode: of the official tree: the labelled peak frame, or the last three frames up to it. Other forms
            are what they are.
        crop: of the official tree: how faces are cut out; ``auto`` takes OpenCV's detector where it is
            installed.

    Returns:
        Images of shape (N, 48, 48), ordered by subject, sequence and frame (CSV: by row), the same on every
        machine; and the findings. The name says form, mode and crop (``ckplus-tree-last3-centre``,
        ``ckplus-981``, ``ckplus-csv``), so every result does too. ``subjects`` and ``sequences`` are None
        where names don't tell.

    Raises:
        DataError: no form of CK+, nothing usable in it, or labels that can't be trusted.
        MissingExtraError: ``opencv`` was asked for and is not installed.
    """
    samples, findings = _examine(path, mode, crop)
    if findings.fatal is not None:
        raise findings.refusal()
    return _dataset(samples, findings), findings


def check(path: Path, *, mode: Frames = "last3", crop: Crop = "auto") -> DataFindings:
    """Everything :func:`load_with_findings` would find, as a report even where it would refuse to load.

    Raises:
        MissingExtraError: ``opencv`` was asked for and is not installed.
    """
    try:
        return _examine(path, mode, crop)[1]
    except DataError as error:
        return not_recognised(str(path), error)


def _examine(path: Path, mode: Frames, crop: Crop) -> tuple[list[Sample], DataFindings]:
    form, root = _locate(path)
    faults = FaultLog()
    reading, cropped_by = _read(form, root, faults, mode=mode, crop=crop)
    samples, duplicates = without_contradictions(reading.samples, faults)
    counts = compare_counts(reading, samples, faults)
    if not samples and not any(fault.fatal for fault in faults.all):
        text = "no usable image of the seven classes is in it"
        faults.fatal("nothing-usable", ".", text, fix="see the errors in `harness data check`")
    subjects = {sample.subject for sample in samples}
    sequences = {sample.sequence for sample in samples}
    return samples, DataFindings(
        path=str(path),
        form=form,
        mode=mode if form == "tree" else None,
        crop=cropped_by if samples else None,
        counts=counts,
        published=dict(reading.published),
        subjects=None if None in subjects else len(subjects),
        published_subjects=reading.published_subjects,
        sequences=None if None in sequences else len(sequences),
        published_sequences=reading.published_sequences,
        duplicates=duplicates,
        left_out=dict(sorted(faults.left_out.items())),
        found=reading.found,
        usage=reading.usage,
        faults=in_order(faults.all),
    )


def _read(form: Form, root: Path, faults: FaultLog, *, mode: Frames, crop: Crop) -> tuple[Reading, str]:
    """What a form's reader hands on, and how faces were cut out."""
    if form == "tree":
        cropper = make_cropper(crop)
        return read_tree(root, faults, mode, cropper), cropper.name
    return read_folders(root, faults) if form == "folders" else read_csv(root, faults), "none"


def _dataset(samples: list[Sample], findings: DataFindings) -> Dataset:
    subjects = tuple(sample.subject for sample in samples if sample.subject is not None)
    sequences = tuple(sample.sequence for sample in samples if sample.sequence is not None)
    if findings.form == "tree":
        name = f"ckplus-tree-{findings.mode}-{(findings.crop or '').replace(' ', '-')}"
    else:
        name = {"folders": "ckplus-981", "csv": "ckplus-csv"}[findings.form or ""]
    return Dataset(
        name=name,
        synthetic=False,
        images=np.stack([sample.image for sample in samples]).reshape(len(samples), SIDE, SIDE),
        labels=np.array([sample.label for sample in samples], dtype=np.int64),
        subjects=subjects if len(subjects) == len(samples) else None,
        sequences=sequences if len(sequences) == len(samples) else None,
        classes=CLASSES,
    )


def _locate(path: Path) -> tuple[Form, Path]:
    """The form, and the folder or file to read it from, free of symbolic links in its own name."""
    try:
        root = Path(os.path.realpath(expanded(path, "data"), strict=True))
        if root.is_file():
            if root.suffix.lower() == ".csv":
                return "csv", root
            raise DataError(f"{printable(str(path))}: is a file, but no .csv", fix=_FORMS_TEXT)
        if not root.is_dir():
            raise DataError(f"{printable(str(path))}: is neither a folder nor a file", fix=_FORMS_TEXT)
        folders, csv_file = _look(root)
    except OSError as error:
        raise DataError(f"{printable(str(path))}: can't be read: {error.strerror}", fix="check the path") from error
    forms: list[tuple[Form, Path]] = []
    lower = {name.lower() for name in folders}
    if lower & LABEL_FOLDERS and lower & IMAGE_FOLDERS:
        forms.append(("tree", root))
    elif len({naming.folder_class(name) for name in folders} - {None}) >= 2:
        forms.append(("folders", root))
    if csv_file is not None:
        forms.append(("csv", csv_file))
    if not forms:
        raise DataError(f"{printable(str(path))}: no form of CK+ is recognised", fix=_FORMS_TEXT)
    if len(forms) > 1:
        both = " and ".join(form for form, _ in forms)
        raise DataError(f"{printable(str(path))}: holds more than one form of CK+ ({both})", fix="name one of them")
    return forms[0]


def _look(root: Path) -> tuple[set[str], Path | None]:
    """Names of folders (no links) down to a few levels, without what is in CK+'s own two; and
    ``ckextended.csv``."""
    folders: set[str] = set()
    csv_file: Path | None = None
    level = [root]
    for _ in range(_SEARCH_DEPTH):
        below: list[Path] = []
        for folder in level:
            with os.scandir(folder) as entries:
                in_order_of_names = sorted(entries, key=lambda entry: entry.name)[:_SEARCH_WIDTH]
            for entry in in_order_of_names:
                if entry.is_dir(follow_symlinks=False):
                    folders.add(entry.name)
                    if entry.name.lower() not in IMAGE_FOLDERS | LABEL_FOLDERS:
                        below.append(Path(entry.path))
                elif entry.name.lower() == CSV_NAME and entry.is_file(follow_symlinks=False) and csv_file is None:
                    csv_file = Path(entry.path)
        level = below[:_SEARCH_WIDTH]
    return folders, csv_file
