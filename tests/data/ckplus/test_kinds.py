"""Copies with images of other kinds: JPEG is read and said, the rest is counted; no image is lost without a word."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.data.ckplus.copy import check, load_with_findings
from harness.data.ckplus.kinds import kind_of
from harness.data.ckplus.png import read_grey
from harness.data.findings import DataFindings, FaultLog, render
from harness.data.walk import RegularFile
from tests.support import ckplus_writer as made

Grey = made.Grey


def smooth(seed: int, side: int = 48) -> Grey:
    """A picture that JPEG keeps nearly as it is."""
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    return np.asarray(120 + 90 * np.sin(x / 9 + seed) * np.cos(y / 11 + seed / 3), np.uint8)


def encoded(pixels: Grey, kind: str, mode: str | None = None, **options: object) -> bytes:
    image = Image.fromarray(pixels)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, kind, **options)
    return buffer.getvalue()


JPEG = encoded(smooth(5), "JPEG", quality=95)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """42 images: seven classes, two sequences of three each, all PNG."""
    for index, word in enumerate(("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")):
        for subject in (2 * index + 1, 2 * index + 2):
            for number in (7, 8, 9):
                name = f"S{subject:03d}_001_{number:08d}.png"
                made.write(tmp_path / "CK+48" / word / name, made.png(smooth(subject * 10 + number)))
    return tmp_path


def images_there(root: Path) -> int:
    return sum(kind_of(path.name) is not None for path in root.rglob("*"))


def adds_up(findings: DataFindings, root: Path) -> None:
    """By counting the files ourselves."""
    assert findings.found == images_there(root)
    assert findings.found == findings.images + sum(findings.left_out.values())
    assert findings.not_needed == 0


def codes(findings: DataFindings, severity: str) -> set[str]:
    return {fault.code for fault in findings.faults if fault.severity == severity} - {"count-differs"}


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".JPG", ".jfif"])
def test_jpeg_frames_among_png_are_read_with_a_warning(folders: Path, ending: str) -> None:
    for index, path in enumerate(sorted(folders.rglob("*.png"))):
        if index % 7 < 3:
            made.write(path.with_suffix(ending), encoded(np.asarray(Image.open(path)), "JPEG", quality=95))
            path.unlink()
    dataset, findings = load_with_findings(folders)
    assert len(dataset.images) == findings.images == 42
    assert (findings.left_out, findings.errors) == ({}, 0)
    lossy = [fault for fault in findings.faults if fault.code == "lossy-image"]
    assert len(lossy) == 18
    assert all(fault.severity == "warning" and fault.fix for fault in lossy)
    assert dataset.subjects is not None
    assert len(set(dataset.subjects)) == 14
    adds_up(findings, folders)


def test_grey_values_of_a_jpeg_are_those_that_it_holds(folders: Path) -> None:
    path = folders / "CK+48/anger/S001_001_00000007.png"
    before = load_with_findings(folders)[0].images[0]
    made.write(path.with_suffix(".jpg"), encoded(np.asarray(Image.open(path)), "JPEG", quality=95))
    path.unlink()
    after = load_with_findings(folders)[0].images[0]
    assert 0 < np.abs(before.astype(int) - after.astype(int)).max() < 8


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF", "WEBP", "PPM"])
def test_other_kinds_are_counted_as_left_out(folders: Path, kind: str) -> None:
    for path in sorted(folders.rglob("*.png"))[:18]:
        made.write(path.with_suffix(f".{kind.lower()}"), encoded(np.asarray(Image.open(path)), kind))
        path.unlink()
    findings = check(folders)
    assert findings.images == 24
    assert findings.left_out == {"other-image": 18}
    assert codes(findings, "error") == {"other-image"}
    assert "there      42 images: 24 used, 18 left out" in render(findings)
    adds_up(findings, folders)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("S001_001_00000007.png", JPEG, "not-png"),
        ("S001_001_00000007.png", encoded(smooth(1), "BMP"), "not-png"),
        ("S001_001_00000007.jpg", encoded(smooth(1), "PNG"), "not-jpeg"),
        ("S001_001_00000007.jpg", JPEG[:-400], "truncated-image"),
        ("S001_001_00000007.jpg", b"", "truncated-image"),
        ("S001_001_00000007.jpg", b"\xff\xd8\xff" + b"x" * 500 + b"\xff\xd9", "damaged-image"),
        ("S001_001_00000007.jpg", JPEG[:300] + b"\xff\xda\0\0" * 100 + JPEG[300:], "damaged-image"),
        ("S001_001_00000007.jpg", encoded(smooth(1, 60), "JPEG"), "wrong-size"),
        ("S001_001_00000007.jpg", encoded(smooth(1), "JPEG", "CMYK"), "unusual-depth"),
        ("S001_001_00000007.jpg", encoded(np.zeros((2100, 2100), np.uint8), "JPEG"), "too-many-pixels"),
    ],
)
def test_what_is_damaged_or_misnamed_is_counted(folders: Path, name: str, content: bytes, code: str) -> None:
    (folders / "CK+48/anger/S001_001_00000007.png").unlink()
    made.write(folders / "CK+48/anger" / name, content)
    findings = check(folders)
    assert (findings.images, findings.left_out) == (41, {code: 1})
    assert codes(findings, "error") == {code}
    adds_up(findings, folders)


def test_an_image_whose_name_is_none_is_counted(folders: Path) -> None:
    path = folders / "CK+48/anger/S001_001_00000007.png"
    path.rename(path.with_suffix(""))
    made.write(folders / "CK+48/anger/notes", "text")
    findings = check(folders)
    assert (findings.found, findings.images, findings.left_out) == (42, 41, {"other-image": 1})
    assert [fault.path for fault in findings.faults if fault.code == "stray-file"] == ["CK+48/anger/notes"]


def test_of_two_copies_of_a_frame_the_png_is_used(folders: Path) -> None:
    made.write(folders / "CK+48/anger/S001_001_00000007.jpg", JPEG)
    findings = check(folders)
    assert (findings.images, findings.left_out) == (42, {"same-frame-twice": 1})
    assert "lossy-image" not in codes(findings, "warning")
    adds_up(findings, folders)


def test_all_sorts_at_once_add_up(folders: Path, tmp_path: Path) -> None:
    top = folders / "CK+48"
    made.write(top / "anger/face.png", made.png(smooth(1)))
    made.write(top / "anger/S300_001_00000001.jpg", JPEG)
    made.write(top / "bored/S301_001_00000001.jpeg", JPEG)
    made.write(top / "neutral/S302_001_00000001.jpg", JPEG)
    made.write(top / "neutral/S302_001_00000002.gif", encoded(smooth(1), "GIF"))
    (top / "happy/S303_001_00000001.jpg").symlink_to("/etc/hostname")
    findings = check(folders)
    assert sum(findings.left_out.values()) == 5
    adds_up(findings, folders)


def write_tree(root: Path) -> None:
    for number in range(1, 8):
        made.write_sequence(root, f"S{number:03d}_001", number)
    made.write_sequence(root, "S001_002", None)


def test_jpeg_frames_of_the_official_tree(tmp_path: Path) -> None:
    write_tree(tmp_path)
    for path in tmp_path.rglob("*_0000000[34].png"):
        made.write(path.with_suffix(".jpg"), encoded(np.asarray(Image.open(path)), "JPEG", quality=95))
        path.unlink()
    dataset, findings = load_with_findings(tmp_path, crop="centre")
    assert len(dataset.images) == 21
    assert sum(fault.code == "lossy-image" for fault in findings.faults) == 14
    # frame 1 of each labelled sequence, and the four of the one without a label
    assert (findings.found, findings.left_out, findings.not_needed) == (32, {}, 11)


@pytest.mark.parametrize(
    ("name", "content", "left_out", "severity"),
    [
        ("S001/001/S001_001_00000003.bmp", encoded(smooth(1, 64), "BMP"), {"other-image": 1}, "error"),
        ("S001/001/S001_001_00000003", made.png(smooth(1, 64)), {"other-image": 1}, "error"),
        ("S001/001/face.png", made.png(smooth(1, 64)), {"stray-file": 1}, "warning"),
        ("S001/001/S002_001_00000003.png", made.png(smooth(1, 64)), {"misplaced-file": 1}, "error"),
        ("S001/001/S001_001_00000003.jpg", JPEG, {"same-frame-twice": 1}, "error"),
        ("../S001_001_00000009.jpg", JPEG, {"stray-file": 1}, "warning"),
        ("../Emotion/S001/001/S001_001_00000003.png", made.png(smooth(1, 64)), {"stray-file": 1}, "warning"),
    ],
)
def test_images_of_the_tree_that_are_not_read_are_counted(
    tmp_path: Path, name: str, content: bytes, left_out: dict[str, int], severity: str
) -> None:
    write_tree(tmp_path)
    made.write(tmp_path / "cohn-kanade-images" / name, content)
    findings = check(tmp_path, crop="centre")
    assert (findings.images, findings.left_out) == (21, left_out)
    assert (findings.found, findings.not_needed) == (33, 11)
    assert set(left_out) <= codes(findings, severity)


def test_rows_of_the_csv_add_up(tmp_path: Path) -> None:
    rows = [made.HEADER, made.csv_row(0, made.picture(1)), made.csv_row(6, made.picture(2)), "0,1 2 3,Training"]
    made.write(tmp_path / "ckextended.csv", "\n".join(rows) + "\n")
    findings = check(tmp_path)
    assert (findings.found, findings.images, findings.left_out) == (3, 1, {"bad-row": 1, "neutral": 1})


@pytest.mark.parametrize(("kind", "status"), [("JPEG", 0), ("BMP", 1)])
def test_the_command_ends_with_one_where_images_are_not_read(folders: Path, kind: str, status: int) -> None:
    path = folders / "CK+48/anger/S001_001_00000007.png"
    content = encoded(np.asarray(Image.open(path)), kind)
    made.write(path.with_suffix(".jpg" if kind == "JPEG" else ".bmp"), content)
    path.unlink()
    command = [sys.executable, "-m", "harness", "data", "check", str(folders), "--json"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    answer = json.loads(done.stdout)
    assert done.returncode == status == min(1, answer["errors"])
    assert answer["found"] == 42 == answer["images"] + sum(answer["left_out"].values()) + answer["not_needed"]


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4), st.integers(1, 2000))
def test_damage_is_named_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], length: int
) -> None:
    data = bytearray(JPEG)
    for position, value in changes:
        data[position % len(data)] = value
    for version in (bytes(data), bytes(data[:length])):
        path = tmp_path_factory.getbasetemp() / "x.jpg"
        path.write_bytes(version)
        log = FaultLog()
        image = read_grey(RegularFile(path, "x.jpg", len(version)), log)
        errors = [fault for fault in log.all if fault.severity == "error"]
        assert (image is None) == (len(errors) == 1) == (sum(log.left_out.values()) == 1)


@given(st.integers(0, 100_000))
def test_every_cut_is_noticed(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.jpg"
    path.write_bytes(JPEG[: length % len(JPEG)])
    assert read_grey(RegularFile(path, "cut.jpg", 1), FaultLog()) is None
