"""CK+ in its three forms: detects the form of a copy, checks the copy, and reads the data set.

CK+ is licensed to each group that asks for it. This project never downloads it and holds no copy; the user names a
path. docs/ckplus.md describes the forms and how to apply for a copy.
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

#: Levels below the given path at which CK+'s own folders may be, because archives unpack into extra folders.
_SEARCH_DEPTH = 3
#: Entries of a level that the search reads. CK+ has at most 123 folders at one level.
_SEARCH_WIDTH = 2000

_FORMS_TEXT = (
    "give the folder with Emotion/ and cohn-kanade-images/, the folder with the class folders (anger/...), "
    "or ckextended.csv; symbolic links to folders are not followed"
)


def detect(path: Path) -> Form:
    """The form of CK+ at ``path``, by names alone.

    ``tree`` has both of CK+'s folders. ``folders`` has at least two folders named after classes. ``csv`` is a ``.csv``
    file or a folder with ``ckextended.csv``.

    Raises:
        DataError: the path is missing, no form is recognised, or more than one is.
    """
    return _locate(path)[0]


def open(spec: DataSpec) -> tuple[Dataset | None, DataFindings]:
    """Read the copy at ``spec.path``; the entry point for :mod:`harness.data.registry`.

    Raises:
        DataError: the path holds no form of CK+.
        MissingExtraError: ``opencv`` was asked for and is not installed.
    """
    samples, findings = _examine(Path(spec.path or ""), spec.frames, spec.crop)
    return None if findings.fatal else _dataset(samples, findings), findings


def load_with_findings(path: Path, *, mode: Frames = "last3", crop: Crop = "auto") -> tuple[Dataset, DataFindings]:
    """Load the usable images, and report the other ones.

    Args:
        path: a folder or a CSV file.
        mode: frames of the official tree: the labelled peak frame, or the last three frames up to it. It does not
            apply to the other forms.
        crop: method of the official tree to cut faces out; ``auto`` takes OpenCV's detector if it is installed.

    Returns:
        The data set and the findings. Images have shape (N, 48, 48) and are ordered by subject, sequence and frame
        (CSV: by row), on every machine alike. The data set's name holds form, mode and crop
        (``ckplus-tree-last3-centre``, ``ckplus-981``, ``ckplus-csv``), so each result has them, too. ``subjects`` and
        ``sequences`` are None if file names don't tell them.

    Raises:
        DataError: the path holds no form of CK+ or no usable image, or its labels can't be trusted.
        MissingExtraError: ``opencv`` was asked for and is not installed.
    """
    samples, findings = _examine(path, mode, crop)
    if findings.fatal is not None:
        raise findings.refusal()
    return _dataset(samples, findings), findings


def check(path: Path, *, mode: Frames = "last3", crop: Crop = "auto") -> DataFindings:
    """The findings of :func:`load_with_findings`, also for a copy that it refuses.

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
    """The reading of a form's reader, and the name of the crop."""
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
    """The form, and the folder or file to read, with symbolic links in its path resolved."""
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
    """The names of folders down to a few levels, and the path of ``ckextended.csv``.

    The search skips links and the content of CK+'s own two folders.
    """
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
