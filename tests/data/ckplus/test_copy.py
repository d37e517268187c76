"""CK+'s three forms as a whole: which one it is, what comes out, and that the order never depends on the
disk."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import DataError
from harness.data.ckplus.copy import check, detect, load_with_findings
from harness.data.ckplus.naming import PUBLISHED_981, PUBLISHED_SEQUENCES
from harness.data.dataset import CLASSES
from harness.data.findings import SHOWN, DataFindings, Fault, printable, render, to_json
from tests.conftest import REPOSITORY
from tests.support import ckplus_writer as made


def codes(findings: DataFindings) -> dict[str, list[str]]:
    """Places of all faults, by code."""
    result: dict[str, list[str]] = {}
    for fault in findings.faults:
        result.setdefault(fault.code, []).append(fault.place)
    return result


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.write_folders(tmp_path_factory.mktemp("ck"))


def test_a_complete_981_copy_has_nothing_to_say(folders: Path) -> None:
    dataset, findings = load_with_findings(folders)
    assert findings.faults == ()
    assert dataset.name == "ckplus-981"
    assert not dataset.synthetic
    assert dataset.images.shape == (981, 48, 48)
    assert dataset.images.dtype == np.uint8
    assert dataset.labels.dtype == np.int64
    assert np.bincount(dataset.labels).tolist() == list(PUBLISHED_981.values())
    assert dataset.subjects is not None
    assert dataset.sequences is not None
    assert len(set(dataset.subjects)) == 118
    assert len(set(dataset.sequences)) == 327
    assert list(dataset.sequences) == sorted(dataset.sequences)
    assert findings.counts == PUBLISHED_981
    assert (findings.subjects, findings.sequences, findings.duplicates) == (118, 327, 0)
    assert findings.crop == "none"


def test_a_complete_csv_names_its_neutral_rows_and_missing_subjects(tmp_path: Path) -> None:
    path = made.write(tmp_path / "ckextended.csv", "\n".join([made.HEADER, *made.complete_csv_rows()]) + "\n")
    dataset, findings = load_with_findings(tmp_path)
    assert dataset.name == "ckplus-csv"
    assert len(dataset.images) == 327
    assert dict(zip(CLASSES, np.bincount(dataset.labels).tolist(), strict=True)) == PUBLISHED_SEQUENCES
    assert dataset.subjects is None
    assert dataset.sequences is None
    assert findings.left_out == {"neutral": 593}
    assert findings.usage == {"PrivateTest": 92, "PublicTest": 92, "Training": 736}
    assert set(codes(findings)) == {"neutral", "no-subjects"}
    assert "593 neutral rows left out" in render(findings)
    assert load_with_findings(path)[0].sha256 == dataset.sha256


def test_tree_gives_last_three_frames_or_the_peak(tmp_path: Path) -> None:
    made.write_tree(tmp_path)
    dataset = load_with_findings(tmp_path, crop="centre")[0]
    assert dataset.name == "ckplus-tree-last3-centre"
    assert dataset.images.shape == (21, 48, 48)
    assert dataset.labels.tolist() == [label for label in range(7) for _ in range(3)]
    assert dataset.subjects == tuple(f"S{n:03d}" for n in range(1, 8) for _ in range(3))
    peak = load_with_findings(tmp_path, mode="peak", crop="centre")[0]
    assert peak.name == "ckplus-tree-peak-centre"
    assert peak.labels.tolist() == list(range(7))
    assert np.array_equal(peak.images, dataset.images[2::3])


def test_tree_findings_compare_with_what_was_published(tmp_path: Path) -> None:
    made.write_tree(tmp_path)
    findings = check(tmp_path, crop="centre")
    text = render(findings)
    assert "images of anger: found 3, published 135" in text
    assert "image sequences: found 8, published 593" in text
    assert "labelled subjects: found 7, published 118" in text
    assert codes(findings)["empty-label-folder"] == ["Emotion/S001/002"]
    assert findings.crop == "centre"
    peak = render(check(tmp_path, mode="peak", crop="centre"))
    assert "images of anger: found 1, published 45" in peak


@pytest.mark.slow
def test_a_complete_tree_differs_in_nothing(tmp_path: Path) -> None:
    for sequence, word in made.complete_sequences():
        made.write_sequence(tmp_path, sequence, CLASSES.index(word) + 1, frames=(11,), size=(640, 490))
    for index in range(266):
        sequence = f"S{index % 118 + 1:03d}_{index // 118 + 11:03d}" if index >= 5 else f"S{200 + index}_001"
        made.write_sequence(tmp_path, sequence, None, frames=(1,), size=(640, 490))
    dataset, findings = load_with_findings(tmp_path, mode="peak", crop="centre")
    assert set(codes(findings)) == {"empty-label-folder", "unlabelled"}
    assert len(codes(findings)["empty-label-folder"]) == 266
    assert np.bincount(dataset.labels).tolist() == list(PUBLISHED_SEQUENCES.values())
    assert (findings.subjects, findings.sequences) == (118, 327)


def test_both_modes_read_nested_archives_in_any_case(tmp_path: Path) -> None:
    where = {"labels": "Emotion_labels/emotion", "images": "extended-cohn-kanade-images/Cohn-Kanade-Images"}
    made.write_sequence(tmp_path, "S001_001", 1, **where)
    assert detect(tmp_path) == "tree"
    assert len(load_with_findings(tmp_path, crop="centre")[0].images) == 3


def test_order_does_not_depend_on_when_files_were_made(tmp_path: Path) -> None:
    source = made.write_tree(tmp_path / "a")
    names = sorted((path.relative_to(source) for path in source.rglob("*.*")), reverse=True)
    for name in names:
        made.write(tmp_path / "b" / name, (source / name).read_bytes())
    first, second = (load_with_findings(tmp_path / name, crop="centre")[0] for name in "ab")
    assert first.sha256 == second.sha256
    assert first.sequences == tuple(sorted(first.sequences or ()))


@pytest.mark.parametrize("name", ["nothing-there", "a.txt", "empty"])
def test_what_is_no_copy_is_refused_with_the_path_and_a_fix(tmp_path: Path, name: str) -> None:
    made.write(tmp_path / "a.txt", "")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=name) as caught:
        detect(tmp_path / name)
    assert caught.value.fix
    findings = check(tmp_path / name)
    assert findings.form is None
    assert findings.fatal is not None
    assert findings.errors == 1
    assert "can't be used" in render(findings)


def test_two_forms_in_one_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "CK+48" / "anger").mkdir(parents=True)
    (tmp_path / "CK+48" / "happy").mkdir()
    assert detect(tmp_path) == "folders"
    made.write(tmp_path / "CK+48" / "CKextended.csv", made.HEADER)
    with pytest.raises(DataError, match=r"more than one form of CK\+ \(folders and csv\)"):
        load_with_findings(tmp_path)[0]


def test_a_tree_without_one_usable_image_is_refused_with_the_reason(tmp_path: Path) -> None:
    made.write_sequence(tmp_path, "S001_001", None)
    with pytest.raises(DataError, match="no usable image"):
        load_with_findings(tmp_path, crop="centre")[0]
    assert check(tmp_path, crop="centre").fatal is not None


def test_json_holds_what_the_text_holds(tmp_path: Path) -> None:
    made.write_tree(tmp_path)
    findings = check(tmp_path, crop="centre")
    answer = json.loads(json.dumps(to_json(findings)))
    assert answer["form"] == "tree"
    assert answer["images"] == 21
    assert answer["usable"] is True
    assert answer["counts"] == dict.fromkeys(CLASSES, 3)
    assert len(answer["faults"]) == len(findings.faults)
    assert {"severity", "code", "path", "line", "text", "fix", "fatal"} == set(answer["faults"][0])


def test_many_faults_of_one_kind_are_shortened_and_counted() -> None:
    faults = tuple(Fault("note", "litter", f"{n:03d}", None, "ignored") for n in range(40))
    text = render(DataFindings("x", "folders", faults=faults))
    assert "note litter (40 times)" in text
    assert f"and {40 - SHOWN['note']} more" in text


def test_hostile_names_cannot_reach_the_terminal(tmp_path: Path) -> None:
    made.write_tree(tmp_path)
    made.write(tmp_path / "Emotion" / "\x1b[31mred\udcff.txt", "x")
    text = render(check(tmp_path, crop="centre"))
    assert "\x1b" not in text
    assert r"\x1b[31mred\udcff.txt" in text
    text.encode()
    assert printable("a\nb") == r"a\nb"


def test_no_module_of_data_imports_tensorflow() -> None:
    for path in (REPOSITORY / "harness/data").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] in {"tensorflow", "keras"} for name in names), path
