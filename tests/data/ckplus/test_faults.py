"""Every kind of litter and damage in the official tree and the class folders is named, by path and line."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import DataError
from harness.data.ckplus.copy import check, load_with_findings
from harness.data.ckplus.png import MAX_IMAGE_BYTES
from harness.data.findings import DataFindings, FaultLog
from harness.data.walk import MAX_DEPTH, walk
from tests.support import ckplus_writer as made


def places(findings: DataFindings, severity: str, code: str) -> list[str]:
    """Where a kind of fault was found; each must have a text, and a fix where something is to be done."""
    faults = [fault for fault in findings.faults if (fault.severity, fault.code) == (severity, code)]
    assert all(fault.text and (fault.fix or fault.severity == "note") for fault in faults)
    return [fault.place for fault in faults]


def frame(number: int, sequence: str = "S001_001", ending: str = ".png") -> str:
    subject, _, folder = sequence.partition("_")
    return f"cohn-kanade-images/{subject}/{folder}/{sequence}_{number:08d}{ending}"


def label(sequence: str = "S001_001", number: int = 4) -> str:
    subject, _, folder = sequence.partition("_")
    return f"Emotion/{subject}/{folder}/{sequence}_{number:08d}_emotion.txt"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return made.write_tree(tmp_path / "ck")


GOOD = made.png(made.picture(7, 64, 60))
BOMB_HEADER = struct.pack(">II5B", 60_000, 60_000, 8, 0, 0, 0, 0)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


BAD_IMAGES = {
    "truncated-image": GOOD[:-30],
    "damaged-image": GOOD[:60] + bytes([GOOD[60] ^ 255]) + GOOD[61:],
    "not-png": b"GIF89a",
    "wrong-size": made.png(made.picture(1, 40, 47)),
    "too-many-pixels": GOOD[:8] + chunk(b"IHDR", BOMB_HEADER) + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
    "unusual-depth": made.png(np.zeros((60, 64), dtype=np.uint16)),
}


@pytest.mark.parametrize("code", BAD_IMAGES)
def test_tree_names_a_bad_frame_and_uses_the_others(tree: Path, code: str) -> None:
    made.write(tree / frame(3), BAD_IMAGES[code])
    dataset, findings = load_with_findings(tree, crop="centre")
    assert places(findings, "error", code) == [frame(3)]
    assert findings.left_out == {code: 1}
    assert len(dataset.images) == 20
    assert places(findings, "warning", "short-sequence") == [frame(2)]


def test_a_png_without_its_pixels_is_damaged(tree: Path) -> None:
    header = chunk(b"IHDR", struct.pack(">II5B", 64, 60, 8, 0, 0, 0, 0))
    made.write(tree / frame(3), GOOD[:8] + header + chunk(b"IDAT", b"xx") + chunk(b"IEND", b""))
    made.write(tree / frame(2), GOOD[:8] + chunk(b"IEND", b""))
    assert places(check(tree, crop="centre"), "error", "damaged-image") == [frame(2), frame(3)]


def test_an_empty_and_a_huge_file(tree: Path) -> None:
    made.write(tree / frame(3), b"")
    made.write(tree / frame(4), GOOD[:5])
    with (tree / frame(2)).open("r+b") as handle:
        handle.truncate(MAX_IMAGE_BYTES + 1)  # sparse: takes no room
    findings = check(tree, crop="centre")
    assert places(findings, "error", "truncated-image") == [frame(3), frame(4)]
    assert places(findings, "error", "too-large") == [frame(2)]


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("", "is empty", 1),
        ("   NaN\n", "'NaN', which is not a number", 1),
        ("   3.0000000e+00 4.0\n", "2 words", 1),
        ("\n\n  9.0\n", "from 0 to 7", 3),
        ("3.5", "not a whole number", 1),
        ("1e999", "not a whole number", 1),
        ("happy", "not a number", 1),
        (b"\xff\xfe3\x00", "no plain text", 1),
        ("3" * 5000, "larger than", 1),
    ],
)
def test_odd_label_files_are_named_with_their_line(tree: Path, text: str | bytes, says: str, line: int) -> None:
    made.write(tree / label(), text)
    dataset, findings = load_with_findings(tree, crop="centre")
    assert places(findings, "error", "bad-label") == [f"{label()}:{line}"]
    assert says in findings.faults[0].text
    assert findings.left_out == {"bad-label": 3}
    assert len(dataset.images) == 18


def test_neutral_label_is_left_out_and_counted(tree: Path) -> None:
    made.write(tree / label(), "   0.0000000e+00\n")
    _, findings = load_with_findings(tree, crop="centre")
    assert places(findings, "note", "neutral") == [label()]
    assert findings.left_out == {"neutral": 3}


def test_two_label_files(tree: Path) -> None:
    made.write(tree / label(number=3), "   1.0000000e+00\n")
    assert places(check(tree, crop="centre"), "warning", "two-label-files") == [label()]
    made.write(tree / label(number=3), "   2.0000000e+00\n")
    findings = check(tree, crop="centre")
    assert places(findings, "error", "contradicting-labels") == [label()]
    assert "labelled anger and contempt" in findings.faults[0].text
    assert findings.left_out == {"contradicting-labels": 3}


def test_missing_frames(tree: Path) -> None:
    (tree / frame(4)).unlink()
    (tree / frame(3, "S002_001")).unlink()
    dataset, findings = load_with_findings(tree, crop="centre")
    assert places(findings, "error", "missing-frame") == [label()]
    assert places(findings, "warning", "frame-gap") == [frame(4, "S002_001")]
    assert len(dataset.images) == 20  # S001_001 gives the two before its peak
    _, peak = load_with_findings(tree, mode="peak", crop="centre")
    assert peak.counts["anger"] == 0


def test_frames_after_the_labelled_peak_are_not_used(tree: Path) -> None:
    made.write(tree / frame(5), GOOD)
    dataset, findings = load_with_findings(tree, crop="centre")
    assert places(findings, "warning", "frames-after-peak") == [frame(5)]
    assert len(dataset.images) == 21


def test_tree_litter_and_strays(tree: Path) -> None:
    made.write(tree / ".DS_Store", "x")
    made.write(tree / "Emotion/S001/._x", "x")
    made.write(tree / "Emotion/readme.txt", "x")
    made.write(tree / "Landmarks/S001/001/S001_001_00000001_landmarks.txt", "1 2")
    made.write(tree / "cohn-kanade-images/S009/001/.DS_Store", "x")
    made.write(tree / "S001_001_00000009.png", GOOD)
    made.write(tree / "Emotion/S002/001/S003_001_00000004_emotion.txt", "1")
    made.write(tree / "cohn-kanade-images/s003/001/s003_001_00000003.PNG", GOOD)
    (tree / frame(3, "S003_001")).unlink()
    dataset, findings = load_with_findings(tree, crop="centre")
    assert places(findings, "note", "litter") == [
        ".DS_Store", "Emotion/S001/._x", "cohn-kanade-images/S009/001/.DS_Store",
    ]  # fmt: skip
    assert places(findings, "warning", "stray-file") == ["Emotion/readme.txt", "S001_001_00000009.png"]
    assert places(findings, "note", "other-files") == ["."]
    assert places(findings, "warning", "empty-image-folder") == ["cohn-kanade-images/S009/001"]
    assert places(findings, "error", "misplaced-file") == ["Emotion/S002/001/S003_001_00000004_emotion.txt"]
    assert places(findings, "note", "odd-case") == ["cohn-kanade-images/s003/001/s003_001_00000003.PNG"]
    assert len(dataset.images) == 21


def test_links_and_special_files_are_not_followed(tree: Path, tmp_path: Path) -> None:
    outside = made.write(tmp_path / "secret.png", GOOD)
    folder = tree / "cohn-kanade-images/S001/001"
    made.write(folder / "S001_001_00000004.png", GOOD).unlink()
    (folder / "S001_001_00000004.png").symlink_to(outside)
    (folder / "loop").symlink_to(folder.parent)
    (folder / "self").symlink_to("self")
    (folder / "gone").symlink_to("nowhere")
    (folder / "other").symlink_to(tree / "Emotion")
    os.mkfifo(folder / "pipe")
    at = "cohn-kanade-images/S001/001/"
    findings = check(tree, crop="centre")
    assert places(findings, "error", "symlink-escape") == [frame(4)]
    assert places(findings, "error", "symlink-loop") == [f"{at}loop", f"{at}self"]
    assert places(findings, "error", "symlink-broken") == [f"{at}gone"]
    assert places(findings, "error", "symlink-folder") == [f"{at}other"]
    assert places(findings, "error", "special-file") == [f"{at}pipe"]
    assert places(findings, "error", "missing-frame") == [label()]


def test_a_link_to_a_frame_inside_the_copy_is_a_duplicate(tree: Path) -> None:
    (tree / frame(3)).unlink()
    (tree / frame(3)).symlink_to(tree / frame(4))
    findings = check(tree, crop="centre")
    assert places(findings, "warning", "duplicate-image") == [frame(4)]
    assert findings.duplicates == 1


def test_a_walk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path.joinpath(*["d"] * (MAX_DEPTH + 3))
    deep.mkdir(parents=True)
    log = FaultLog()
    walk(tmp_path, log)
    assert [fault.code for fault in log.all] == ["too-deep"]
    monkeypatch.setattr("harness.data.walk.MAX_ENTRIES", 3)
    with pytest.raises(DataError, match="more than 3 files"):
        walk(tmp_path, log)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two classes with two sequences each."""
    for word, subject in (("anger", 1), ("anger", 2), ("happy", 3), ("happy", 4)):
        for number in (7, 8, 9):
            content = made.png(made.picture(subject * 100 + number))
            made.write(tmp_path / "CK+48" / word / f"S{subject:03d}_001_{number:08d}.png", content)
    return tmp_path


Breaker = Callable[[Path], object]
SMALL = made.png(made.picture(999))
FOLDER_FAULTS: dict[str, tuple[Breaker, str, str, str, int]] = {
    "truncated": (
        lambda top: made.write(top / "anger/S001_001_00000007.png", SMALL[:50]),
        "error", "truncated-image", "CK+48/anger/S001_001_00000007.png", 11,
    ),
    "wrong size": (
        lambda top: made.write(top / "anger/S001_001_00000007.png", GOOD),
        "error", "wrong-size", "CK+48/anger/S001_001_00000007.png", 11,
    ),
    "unknown label": (
        lambda top: made.write(top / "bored/S009_001_00000007.png", SMALL),
        "error", "unknown-label", "CK+48/bored", 12,
    ),
    "neutral": (
        lambda top: made.write(top / "Neutral/S009_001_00000007.png", SMALL),
        "note", "neutral", "CK+48/Neutral", 12,
    ),
    "odd case": (
        lambda top: (top / "anger").rename(top / "ANGER"),
        "note", "odd-case", "CK+48/ANGER", 12,
    ),
    "empty class": (
        lambda top: (top / "fear").mkdir(),
        "warning", "empty-class-folder", "CK+48/fear", 12,
    ),
    "stray": (
        lambda top: made.write(top / "anger/notes.txt", "x"),
        "warning", "stray-file", "CK+48/anger/notes.txt", 12,
    ),
    "odd name": (
        lambda top: made.write(top / "anger/face1.png", SMALL),
        "error", "odd-name", "CK+48/anger/face1.png", 12,
    ),
    "same frame twice": (
        lambda top: made.write(top / "copy/anger/S001_001_00000007.png", SMALL),
        "error", "same-frame-twice", "CK+48/copy/anger/S001_001_00000007.png", 12,
    ),
    "duplicate": (
        lambda top: made.write(top / "anger/S001_001_00000010.png", (top / "anger/S001_001_00000009.png").read_bytes()),
        "warning", "duplicate-image", "CK+48/anger/S001_001_00000010.png", 13,
    ),
    "colour": (
        lambda top: made.write(top / "anger/S001_001_00000007.png", made.png(made.picture(999), "RGB")),
        "note", "colour", "CK+48/anger/S001_001_00000007.png", 12,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDER_FAULTS)
def test_class_folders_name_each_fault(folders: Path, name: str) -> None:
    damage, severity, code, place, images = FOLDER_FAULTS[name]
    damage(folders / "CK+48")
    dataset, findings = load_with_findings(folders)
    assert places(findings, severity, code) == [place]
    assert len(dataset.images) == images


def test_pixels_or_a_sequence_under_two_labels_are_left_out(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.data.ckplus.samples.MAX_CONTRADICTED", 0.5)
    source, target = "CK+48/anger/S001_001_00000007.png", "CK+48/happy/S200_001_00000001.png"
    made.write(folders / target, (folders / source).read_bytes())
    dataset, findings = load_with_findings(folders)
    assert places(findings, "error", "contradicting-labels") == [source, target]
    assert "the same pixels are labelled anger and happy" in findings.faults[0].text
    assert len(dataset.images) == 11
    made.write(folders / "CK+48/happy/S002_001_00000010.png", SMALL)
    findings = check(folders)
    assert "sequence S002_001 is labelled anger and happy" in findings.faults[2].text
    assert findings.left_out == {"contradicting-labels": 6}


def test_many_contradictions_make_all_labels_untrustworthy(folders: Path) -> None:
    made.write(folders / "CK+48/happy/S001_001_00000006.png", SMALL)
    with pytest.raises(DataError, match="no label can be trusted"):
        load_with_findings(folders)
    assert "can't be used" not in str(check(folders).faults[0].text)


def test_names_without_subjects_leave_subjects_unknown(folders: Path) -> None:
    for path in folders.rglob("*.png"):
        path.rename(path.with_name(f"x{path.name}"))
    dataset, findings = load_with_findings(folders)
    assert dataset.subjects is None
    assert dataset.sequences is None
    assert len(dataset.images) == 12
    assert places(findings, "warning", "no-subjects") == ["."]
