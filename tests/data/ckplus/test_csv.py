"""ckextended.csv line by line, and the pure parsers of labels, names and rows under made-up input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import DataError
from harness.data.ckplus import csv_file, naming
from harness.data.ckplus.copy import check, load_with_findings
from harness.data.dataset import CLASSES
from harness.data.findings import DataFindings
from tests.support import ckplus_writer as made

FACE = made.picture(5)
PIXELS = " ".join(map(str, FACE.ravel().tolist()))


def load(tmp_path: Path, *lines: str | bytes, end: bytes = b"\n") -> DataFindings:
    """DataFindings of a file with a header, one good row of anger and ``lines`` from line 3 on."""
    rows = [made.HEADER, made.csv_row(0, made.picture(1)), *lines]
    content = end.join(row.encode() if isinstance(row, str) else row for row in rows) + end
    dataset, findings = load_with_findings(made.write(tmp_path / "ckextended.csv", content))
    assert len(dataset.images) == findings.images
    return findings


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (made.csv_row(3, "1 2 3"), "has 3 pixels, not 2304"),
        (made.csv_row(3, PIXELS + " 7"), "has 2305 pixels"),
        (made.csv_row(3, PIXELS.replace(" 20 ", " 256 ", 1)), "'256', not a whole number from 0 to 255"),
        (made.csv_row(3, PIXELS.replace(" 20 ", " -1 ", 1)), "'-1', not a whole number"),
        (made.csv_row(3, PIXELS.replace(" 20 ", " 2.5 ", 1)), "'2.5', not a whole number"),
        (made.csv_row(3, PIXELS.replace(" 20 ", f" {'x' * 50} ", 1)), "xxx...'"),
        (made.csv_row(8, FACE), "label says '8'; numbers go from 0 to 7"),
        (made.csv_row("happy", FACE), "'happy', which is not a number"),
        (made.csv_row("nan", FACE), "'nan', which is not a number"),
        (made.csv_row(3, FACE, None), "2 columns, not 3"),
        (f'3,"{PIXELS},Training', "no CSV"),
        (f"3,{PIXELS},Train\0ing", "NUL"),
        (b"3,\xff\xfe,Training", "no plain text"),
        ("3," + "1 " * 40_000 + ",Training", "longer than"),
    ],
)
def test_a_bad_row_is_named_by_line_and_the_next_one_is_read(tmp_path: Path, row: str | bytes, says: str) -> None:
    findings = load(tmp_path, row, made.csv_row(3, FACE))
    (bad,) = (fault for fault in findings.faults if fault.severity == "error")
    assert bad.code == "bad-row"
    assert bad.place == "ckextended.csv:3"
    assert says in bad.text
    assert bad.fix
    assert findings.left_out == {"bad-row": 1}
    assert findings.counts["happy"] == 1


def test_quotes_bom_crlf_and_blank_lines_are_read_and_said(tmp_path: Path) -> None:
    content = f'\ufeff"Emotion","Pixels"," usage"\r\n"3","{PIXELS}","Training"\r\n\r\n4,{made_other()},PublicTest\r\n'
    findings = load_with_findings(made.write(tmp_path / "c.csv", content))[1]
    found = {fault.code: fault.place for fault in findings.faults if fault.severity == "note"}
    assert found["bom"] == "c.csv:1"
    assert found["blank-line"] == "c.csv:3"
    assert "crlf" in found
    assert findings.counts["happy"] == findings.counts["sadness"] == 1
    assert findings.usage == {"PublicTest": 1, "Training": 1}


def made_other() -> str:
    return " ".join(map(str, made.picture(6).ravel().tolist()))


def test_columns_may_be_in_another_order_or_without_usage(tmp_path: Path) -> None:
    content = f"pixels,emotion\n{PIXELS},5\n"
    dataset, findings = load_with_findings(made.write(tmp_path / "c.csv", content))
    assert dataset.labels.tolist() == [CLASSES.index("surprise")]
    assert "missing-column" in {fault.code for fault in findings.faults}
    assert findings.usage == {}


def test_a_missing_header_is_a_warning_at_line_1(tmp_path: Path) -> None:
    findings = check(made.write(tmp_path / "c.csv", made.csv_row(3, FACE) + "\n"))
    assert [fault.place for fault in findings.faults if fault.code == "missing-header"] == ["c.csv:1"]
    assert findings.images == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("label,image\n1,2\n", "no column 'emotion' and no column 'pixels'"),
        ("emotion,emotion,pixels\n", "two columns 'emotion'"),
        ('"emotion,pixels\n', "no CSV"),
        ("emotion,pixels".encode("utf-16"), "UTF-16"),
        ("", "no usable image"),
        (made.HEADER, "no usable image"),
    ],
)
def test_a_file_whose_labels_cannot_be_told_is_refused(tmp_path: Path, content: str | bytes, says: str) -> None:
    path = made.write(tmp_path / "c.csv", content)
    with pytest.raises(DataError, match=says) as caught:
        load_with_findings(path)
    assert caught.value.fix
    assert check(path).fatal is not None


def test_a_file_numbered_as_the_official_tree_is_refused(tmp_path: Path) -> None:
    rows = [made.csv_row(0, made.picture(n)) for n in range(5)] + [made.csv_row(3, made.picture(9))]
    path = made.write(tmp_path / "c.csv", "\n".join([made.HEADER, *rows]))
    with pytest.raises(DataError, match="5 of 6 rows have label 0"):
        load_with_findings(path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = made.write(tmp_path / "c.csv", made.HEADER)
    with path.open("r+b") as handle:
        handle.truncate(csv_file.MAX_FILE_BYTES + 1)
    with pytest.raises(DataError, match="has about 8 MB"):
        load_with_findings(path)


def test_duplicate_rows_and_contradicting_rows(tmp_path: Path) -> None:
    rows = [made.csv_row(n % 6, made.picture(n)) for n in range(2, 60)]
    findings = load(tmp_path, *rows, made.csv_row(2, made.picture(2)), made.csv_row(5, made.picture(3)))
    assert [f.place for f in findings.faults if f.code == "duplicate-image"] == ["ckextended.csv:61"]
    places = [f.place for f in findings.faults if f.code == "contradicting-labels"]
    assert places == ["ckextended.csv:4", "ckextended.csv:62"]


@given(st.text(max_size=60))
def test_any_label_text_gives_a_label_or_a_plain_reason(text: str) -> None:
    try:
        value = naming.parse_label(text)
    except ValueError:
        return
    assert value in range(8)
    assert float(text.removeprefix("\ufeff")) == value


@given(st.integers(0, 7), st.text(" \t\r\n", max_size=5), st.integers(0, 9))
def test_every_way_ckplus_writes_a_label_is_read(value: int, space: str, digits: int) -> None:
    assert naming.parse_label(f"{space}{value:.{digits}e}{space}") == value
    assert naming.parse_label(f"{space}{value:.{digits}f}{space}") == value


@given(st.text(max_size=80))
def test_any_line_is_fields_or_a_plain_reason(text: str) -> None:
    columns = csv_file.Columns(0, 1, 2, 3)
    with pytest.raises(ValueError, match=r"."):  # 80 characters can't hold 2304 pixels
        csv_file.parse_fields(csv_file.parse_row(text), columns)


@given(st.binary(max_size=400))
def test_any_bytes_are_findings_never_another_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(data)
    assert check(path).fatal is not None


@given(st.integers(0, 2**24 - 1), st.integers(0, 7))
def test_rows_survive_writing_and_reading(seed: int, label: int) -> None:
    face = made.picture(seed)
    row = made.csv_row(label, face)
    found, pixels, usage = csv_file.parse_fields(csv_file.parse_row(row), csv_file.Columns(0, 1, 2, 3))
    assert (found, usage) == (label, "Training")
    assert np.array_equal(pixels, face)


@given(st.text(max_size=40))
def test_any_file_name_is_a_frame_or_none(name: str) -> None:
    parsed = naming.parse_frame_name(name)
    assert parsed is None or name.lower().endswith((".png", ".jpg", ".jpeg", ".jpe", ".jfif"))


def test_names_and_folders() -> None:
    assert naming.parse_frame_name("S005_001_00000011.png") == ("S005", "S005_001", 11, True)
    assert naming.parse_frame_name("s005_001_00000011.PNG") == ("S005", "S005_001", 11, False)
    assert naming.parse_label_name("S005_001_00000011_emotion.txt") == ("S005", "S005_001", 11, True)
    assert naming.parse_frame_name("S005_001_11.png") is None
    assert [naming.folder_class(name) for name in ("Happiness", "ANGRY", "neutral", "3")] == [
        "happy", "anger", "neutral", None,
    ]  # fmt: skip
