"""The official tree of CK+: ``Emotion/S005/001/*_emotion.txt`` beside ``cohn-kanade-images/S005/001/*.png``.

Files are recognised by their names and by the two folders that hold them, so the archives may be unpacked anywhere:
``Emotion_labels/Emotion/S005/001`` is as good as ``Emotion/S005/001``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from harness.data.ckplus import naming
from harness.data.ckplus.facecrop import Cropper
from harness.data.ckplus.kinds import CONVERT, NOT_READ, is_hidden_image, kind_of
from harness.data.ckplus.naming import FrameName
from harness.data.ckplus.png import read_grey
from harness.data.ckplus.samples import Reading, Sample, pixel_digest, report_count, report_sequence_lengths
from harness.data.dataset import CLASSES
from harness.data.findings import FaultLog
from harness.data.size import SIDE
from harness.data.spec import Frames
from harness.data.walk import MAX_TEXT_BYTES, RegularFile, Walk, read_bytes, walk

LABEL_FOLDERS = {"emotion", "emotions", "emotion_labels"}
IMAGE_FOLDERS = {"cohn-kanade-images", "extended-cohn-kanade-images"}

_SIZES = {(490, 640), (480, 640)}
_AGAIN = "unpack the official archive again"


@dataclass
class _Sequence:
    """The files of one sequence such as S005_001: its label files, and its frames by number."""

    labels: list[tuple[FrameName, RegularFile]] = field(default_factory=list)
    frames: dict[int, RegularFile] = field(default_factory=dict)


def read_tree(root: Path, faults: FaultLog, mode: Frames, cropper: Cropper) -> Reading:
    """Read all labelled sequences: the peak frame, or the last three frames up to the peak.

    Only the frames that are used are opened. The others, from neutral to the expression, are checked by name.

    Returns:
        Samples ordered by sequence, then frame.

    Raises:
        DataError: the folder has far more files than CK+, or the face detector failed.
    """
    walked = walk(root, faults, is_image=_is_frame)
    sequences, images = _sort_files(walked, faults)
    _report_empty(walked, sequences, faults)
    samples = []
    for sequence, parts in sorted(sequences.items()):
        if parts.labels:
            samples += _read_sequence(sequence, parts, faults, mode=mode, cropper=cropper)
    per_sequence = 1 if mode == "peak" else 3
    report_sequence_lengths(samples, per_sequence, faults)
    with_frames = [sequence for sequence, parts in sequences.items() if parts.frames]
    subjects = {sequence.partition("_")[0] for sequence in with_frames}
    fix = "labelled sequences may still be complete; else " + _AGAIN
    report_count("image sequences", len(with_frames), naming.PUBLISHED_ALL_SEQUENCES, faults, fix=fix)
    report_count("subjects with images", len(subjects), naming.PUBLISHED_ALL_SUBJECTS, faults, fix=fix)
    return Reading(
        samples,
        naming.PUBLISHED_SEQUENCES if mode == "peak" else naming.PUBLISHED_981,
        naming.PUBLISHED_LABELLED_SUBJECTS,
        naming.PUBLISHED_LABELLED_SEQUENCES,
        found=images,
    )


def _is_frame(rel: str) -> bool:
    """Whether a path is an image in CK+'s image folder. Images in other archives' folders are no frames."""
    *above, name = rel.split("/")
    return kind_of(name) is not None and bool({part.lower() for part in above} & IMAGE_FOLDERS)


def _sort_files(walked: Walk, faults: FaultLog) -> tuple[dict[str, _Sequence], int]:
    """The files of each sequence, and the number of images."""
    sequences: defaultdict[str, _Sequence] = defaultdict(_Sequence)
    others, images = 0, walked.refused_images
    # a PNG comes before a JPEG of the same frame, and only the first is used
    for file in sorted(walked.files, key=lambda file: kind_of(file.name) == "JPEG"):
        above = {name.lower() for name in file.parents}
        label, frame = naming.parse_label_name(file.name), naming.parse_frame_name(file.name)
        hidden = above & IMAGE_FOLDERS and not label and kind_of(file.name) is None and is_hidden_image(file)
        images += bool(frame or _is_frame(file.rel) or hidden)
        if label and above & LABEL_FOLDERS and _in_place(file, label, faults):
            sequences[label.sequence].labels.append((label, file))
        elif label and above & LABEL_FOLDERS:
            continue  # reported as misplaced
        elif frame and above & IMAGE_FOLDERS:
            if not _in_place(file, frame, faults, images=1):
                continue
            earlier = sequences[frame.sequence].frames.setdefault(frame.frame, file)
            if earlier is not file:
                faults.error("same-frame-twice", file.rel, f"is {earlier.rel} again; left out", fix=_AGAIN, images=1)
        elif frame:
            text = "a frame that lies in neither of CK+'s two folders for images; left out"
            faults.warning("stray-file", file.rel, text, fix="move it there")
            faults.leave_out("stray-file", 1)
        elif hidden or _is_frame(file.rel):
            _report_image(file, faults)
        elif above & (LABEL_FOLDERS | IMAGE_FOLDERS):
            faults.warning("stray-file", file.rel, "is neither a frame nor a label file; ignored", fix="remove it")
        elif label:
            faults.warning("stray-file", file.rel, "lies in neither of CK+'s two folders; ignored", fix="move it there")
        else:
            others += 1
    if others:
        faults.note(
            "other-files",
            ".",
            f"{others} files outside the two folders (landmarks, FACS codes...); not needed",
        )
    return dict(sequences), images


def _report_image(file: RegularFile, faults: FaultLog) -> None:
    """Report an image among the frames that is no frame."""
    if kind_of(file.name) in ("PNG", "JPEG"):
        text = "its name is no frame's, as S005_001_00000011.png is; left out"
        faults.warning("stray-file", file.rel, text, fix="give it its CK+ name, or remove it")
        faults.leave_out("stray-file", 1)
    else:
        faults.error("other-image", file.rel, NOT_READ, fix=CONVERT, images=1)


def _in_place(file: RegularFile, name: FrameName, faults: FaultLog, *, images: int = 0) -> bool:
    """Whether a file's folders match its name. If not, its label or subject can't be trusted."""
    subject, _, sequence = name.sequence.partition("_")
    place = [part.upper() for part in file.parents[-2:]]
    if place != [subject, sequence]:
        faults.error(
            "misplaced-file",
            file.rel,
            f"by its name it belongs into {subject}/{sequence}; left out",
            fix=_AGAIN,
            images=images,
        )
        return False
    if not name.exact or file.parents[-2] != subject:
        faults.note("odd-case", file.rel, "capitals and small letters differ from CK+'s own; used all the same")
    return True


def _report_empty(walked: Walk, sequences: dict[str, _Sequence], faults: FaultLog) -> None:
    for rel in walked.empty:
        parts = {part.lower() for part in rel.split("/")}
        if parts & LABEL_FOLDERS:
            faults.note("empty-label-folder", rel, "no label; CK+ has labels for 327 of its 593 sequences")
        elif parts & IMAGE_FOLDERS:
            faults.warning("empty-image-folder", rel, "no frames", fix=_AGAIN)
    unlabelled = sum(not parts.labels for parts in sequences.values())
    if unlabelled:
        faults.note("unlabelled", ".", f"{unlabelled} sequences without a label file; not used")


def _read_sequence(
    sequence: str, parts: _Sequence, faults: FaultLog, *, mode: Frames, cropper: Cropper
) -> list[Sample]:
    chosen = _choose_label(sequence, parts, faults, mode)
    if chosen is None:
        return []
    label, peak, file = chosen
    numbers = _choose_frames(parts, peak, file, faults, mode=mode)
    pictures = []
    for number in reversed(numbers):  # the peak comes first, because the face is detected there
        frame = parts.frames[number]
        pixels = read_grey(frame, faults)
        if pixels is not None and _size_is_usable(frame, pixels.shape, faults):
            pictures.append((frame, pixels))
    if not pictures:
        return []
    images, face_found = cropper.crop([pixels for _, pixels in pictures])
    if not face_found:
        faults.warning(
            "no-face",
            pictures[0][0].rel,
            f"no face found in sequence {sequence}; the centre crop was used",
            fix="look at the frame, or use the centre crop for all",
        )
    subject = sequence.partition("_")[0]
    samples = [
        Sample(
            path=frame.rel, line=None, label=label, subject=subject, sequence=sequence, image=image,
            digest=pixel_digest(pixels),
        )
        for (frame, pixels), image in zip(pictures, images, strict=True)
    ]  # fmt: skip
    return samples[::-1]


def _choose_label(
    sequence: str, parts: _Sequence, faults: FaultLog, mode: Frames
) -> tuple[int, int, RegularFile] | None:
    """The class index, the number of the peak frame, and the label file; None (and a fault) without a usable label."""
    readable = []
    for name, file in sorted(parts.labels, key=lambda item: (item[0].frame, item[1].rel)):
        value = _read_label(file, faults)
        if value is not None:
            readable.append((value, name.frame, file))
    images = min(len(parts.frames), 1 if mode == "peak" else 3)
    if not readable:
        faults.leave_out("bad-label", images)
        return None
    value, peak, file = readable[-1]
    words = {naming.TREE_LABELS[number] for number, _, _ in readable}
    if len(words) > 1:
        faults.error(
            "contradicting-labels",
            file.rel,
            f"sequence {sequence} is labelled {' and '.join(sorted(words))}; left out",
            fix=_AGAIN,
            images=images,
        )
        return None
    if len(readable) > 1:
        faults.warning(
            "two-label-files",
            file.rel,
            f"{len(readable)} label files that agree; this one is used",
            fix=_AGAIN,
        )
    word = naming.TREE_LABELS[value]
    if word == naming.NEUTRAL:
        faults.note("neutral", file.rel, "labelled neutral, which is not one of the seven classes; left out")
        faults.leave_out("neutral", images)
        return None
    return CLASSES.index(word), peak, file


def _read_label(file: RegularFile, faults: FaultLog) -> int | None:
    line = 1
    try:
        text = read_bytes(file, MAX_TEXT_BYTES).decode("utf-8")
        content = text.lstrip("\ufeff")
        line += content[: len(content) - len(content.lstrip())].count("\n") if content.strip() else 0
        return naming.parse_label(text)
    except UnicodeDecodeError:
        reason = "is no plain text"
    except OSError as error:
        reason = f"can't be read: {error.strerror}"
    except ValueError as error:
        reason = str(error)
    faults.error("bad-label", file.rel, f"{reason}; the sequence is left out", line=line, fix=_AGAIN)
    return None


def _choose_frames(parts: _Sequence, peak: int, file: RegularFile, faults: FaultLog, *, mode: Frames) -> list[int]:
    """The numbers of the frames to use, ascending: the peak, and in ``last3`` the two before it."""
    numbers = sorted(number for number in parts.frames if number <= peak)
    later = sorted(number for number in parts.frames if number > peak)
    if later:
        faults.warning(
            "frames-after-peak",
            parts.frames[later[0]].rel,
            f"{len(later)} frames after the labelled peak {peak}; not used",
            fix=_AGAIN,
        )
    if peak not in parts.frames:
        faults.error("missing-frame", file.rel, f"the peak frame {peak} that it names is not there", fix=_AGAIN)
        # The frame before is not the peak, and three earlier ones would show a weaker expression than the label.
        return [] if mode == "peak" else [number for number in numbers if number > peak - 3]
    if mode == "peak":
        return [peak]
    last = numbers[-3:]
    if last[-1] - last[0] != len(last) - 1:
        faults.warning(
            "frame-gap",
            parts.frames[peak].rel,
            f"the last frames are numbered {', '.join(map(str, last))}: one may be missing",
            fix=_AGAIN,
        )
    return last


def _size_is_usable(frame: RegularFile, shape: tuple[int, ...], faults: FaultLog) -> bool:
    height, width = shape
    if min(shape) < SIDE:
        faults.error(
            "wrong-size",
            frame.rel,
            f"{width} x {height} pixels; a face of {SIDE} x {SIDE} can't be cut out of it",
            fix=_AGAIN,
            images=1,
        )
        return False
    if (height, width) not in _SIZES:
        faults.warning(
            "unusual-size",
            frame.rel,
            f"{width} x {height} pixels; CK+ has 640 x 490 or 640 x 480",
            fix=_AGAIN,
        )
    return True
