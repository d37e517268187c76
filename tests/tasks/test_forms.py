"""The forms in which data come: what is read, what is left out, and what is said of it."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.errors import DataError, HarnessError
from harness.data.findings import DataFindings
from harness.tasks.forms import table
from harness.tasks.task import Task, TaskData
from tests.support.tasks import class_folders, picture, write_task

FOLDERS = "data: {form: folders, path: x}\n"


def opened(task: Task) -> tuple[TaskData, DataFindings]:
    data, findings = task.open_with_findings()
    assert data is not None, findings.faults
    return data, findings


def codes(findings: DataFindings) -> set[str]:
    return {fault.code for fault in findings.faults}


# folders


def test_a_folder_is_a_class(tmp_path: Path) -> None:
    class_folders(tmp_path / "x", {"b": 10, "a": 20, "c": 15})
    data, findings = opened(write_task(tmp_path, FOLDERS))
    assert data.classes == ("a", "b", "c")
    assert findings.counts == {"a": 20, "b": 10, "c": 15}
    assert data.samples.shape == (45, 16, 16, 3)
    assert data.ids[0] == "a/000.png"
    assert not findings.faults
    assert data.split.scheme == "stratified"
    parts = np.concatenate([data.split.train, data.split.validation, data.split.test])
    assert sorted(parts) == list(range(45))
    again, _ = opened(write_task(tmp_path, FOLDERS))
    assert (again.sha256, again.split.sha256) == (data.sha256, data.split.sha256)


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "valid", "TESTING")])
def test_folders_above_the_classes_are_the_split(tmp_path: Path, names: tuple[str, str, str]) -> None:
    for name, count in zip(names, (9, 3, 4), strict=True):
        class_folders(tmp_path / "x" / name, {"a": count, "b": count}, (16, 16 + count))
    data, _ = opened(write_task(tmp_path, FOLDERS + "preprocess: {size: 16}\n"))
    assert data.classes == ("a", "b")
    assert (len(data.split.train), len(data.split.validation), len(data.split.test)) == (18, 6, 8)
    assert data.split.scheme == "folders"
    assert all(data.ids[k].startswith(names[2]) for k in data.split.test)


def test_without_a_test_folder_validation_is_the_test_and_some_training_is_validation(tmp_path: Path) -> None:
    class_folders(tmp_path / "x" / "train", {"a": 20, "b": 20}, (16, 17))
    class_folders(tmp_path / "x" / "val", {"a": 5, "b": 5}, (16, 18))
    data, findings = opened(write_task(tmp_path, FOLDERS + "preprocess: {size: 16}\n"))
    assert (len(data.split.train), len(data.split.validation), len(data.split.test)) == (36, 4, 10)
    assert sum(fault.code == "split" for fault in findings.faults) == 2


def test_folders_of_parts_and_of_classes_side_by_side_are_refused(tmp_path: Path) -> None:
    for part in ("train", "test"):
        class_folders(tmp_path / "x" / part, {"a": 3, "b": 3})
    class_folders(tmp_path / "x", {"cats": 3})
    with pytest.raises(DataError, match="beside folders such as train there are cats"):
        write_task(tmp_path, FOLDERS).open()


def test_classes_that_are_called_as_parts_are_classes(tmp_path: Path) -> None:
    class_folders(tmp_path / "x", {"train": 10, "bus": 10, "test": 10})
    assert opened(write_task(tmp_path, FOLDERS))[0].classes == ("bus", "test", "train")


def test_groups_come_from_file_names_and_are_not_torn_apart(tmp_path: Path) -> None:
    (tmp_path / "x" / "a").mkdir(parents=True)
    (tmp_path / "x" / "b").mkdir()
    for person in range(12):
        for k in range(4):
            picture(person * 10 + k).save(tmp_path / "x" / "ab"[k % 2] / f"P{person:02}_{k}.png")
    task = write_task(tmp_path, "data: {form: folders, path: x, group: '^(P[0-9]+)_'}\nsplit: {test: 25%}\n")
    data, findings = opened(task)
    assert data.split.scheme == "group"
    assert data.split.subject_overlap == 0
    assert findings.subjects == 12
    groups = [{data.groups[k] for k in part} for part in (data.split.train, data.split.validation, data.split.test)]  # type: ignore[index]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    assert len(data.split.test) == 12
    task = write_task(tmp_path, "data: {form: folders, path: x, group: '^(P[0-9]+)_'}\nsplit: {by: stratified}\n")
    assert "group-overlap" in codes(opened(task)[1])
    with pytest.raises(DataError, match="finds nothing in its name"):
        write_task(tmp_path, "data: {form: folders, path: x, group: '^(S[0-9]+)_'}\n").open()


def test_what_is_no_usable_image_is_said(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "x", {"a": 12, "b": 12})
    picture(901).save(root / "a" / "BIG.PNG", format="PNG")
    picture(902).save(root / "a" / "photo.JPEG", format="JPEG")
    (root / "a" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (root / "a" / "._000.png").write_bytes(b"x")
    (root / "a" / "notes.txt").write_text("x")
    (root / "a" / "raw.heic").write_bytes(b"x")
    (root / "b" / "empty.png").write_bytes(b"")
    (root / "b" / "text.png").write_text("<html>")
    whole = (root / "b" / "000.png").read_bytes()
    (root / "b" / "cut.png").write_bytes(whole[: len(whole) // 2])
    picture(903).save(root / "loose.png")
    (root / "c").mkdir()
    (root / "b" / "out.png").symlink_to("/etc/hostname")
    os.mkfifo(root / "b" / "pipe.png")
    data, findings = opened(write_task(tmp_path, FOLDERS))
    assert data.classes == ("a", "b")
    assert findings.counts == {"a": 14, "b": 12}
    assert codes(findings) == {
        "litter", "no-image", "other-image", "damaged-image", "no-class", "empty-class", "symlink-escape",
        "special-file",
    }  # fmt: skip
    assert findings.left_out == {
        "other-image": 1, "damaged-image": 3, "no-class": 1, "symlink-escape": 1, "special-file": 1
    }  # fmt: skip
    assert findings.found == 33


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda x: None, "No such file or directory"),
        (lambda x: x.write_text("x"), "is no folder"),
        (lambda x: x.mkdir(), "no sample can be used"),
        (lambda x: class_folders(x, {"a": 9}), "all samples are of one class"),
        (lambda x: class_folders(x, {"a": 1, "b": 1}), "leaves no sample for"),
    ],
)
def test_a_folder_that_is_no_task_is_refused(make: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    make(tmp_path / "x")
    with pytest.raises(DataError, match=said):
        write_task(tmp_path, FOLDERS).open()


def test_images_of_several_sizes_need_a_size(tmp_path: Path) -> None:
    class_folders(tmp_path / "x", {"a": 9, "b": 9})
    picture(77, (20, 10)).save(tmp_path / "x" / "b" / "zz.png")
    with pytest.raises(DataError, match=r"b/zz.png: is 10x20 pixels, and a/000.png is 16x16.*size"):
        write_task(tmp_path, FOLDERS).open()
    data, _ = opened(write_task(tmp_path, FOLDERS + "preprocess: {size: [12, 10]}\n"))
    assert data.samples.shape == (19, 12, 10, 3)


def test_doubles_across_the_split_are_said(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "x", {"a": 20, "b": 20})
    for k in range(20):
        (root / "a" / f"copy{k:02}.png").write_bytes((root / "a" / f"{k:03}.png").read_bytes())
    (root / "b" / "copy.png").write_bytes((root / "a" / "000.png").read_bytes())
    _, findings = opened(write_task(tmp_path, FOLDERS))
    assert {"double-across-split", "contradicting-labels"} <= codes(findings)
    assert findings.duplicates == 21


def test_a_class_of_one_image_is_said(tmp_path: Path) -> None:
    class_folders(tmp_path / "x", {"a": 20, "b": 20, "c": 1})
    _, findings = opened(write_task(tmp_path, FOLDERS))
    (fault,) = findings.faults
    assert (fault.code, fault.text) == ("one-sample", "class 'c' has one sample, which is for training")


def test_declared_classes_may_have_no_image_and_others_are_left_out(tmp_path: Path) -> None:
    class_folders(tmp_path / "x", {"a": 20, "b": 20, "c": 5})
    data, findings = opened(write_task(tmp_path, FOLDERS + "classes: [b, a, z]\n"))
    assert data.classes == ("b", "a", "z")
    assert findings.counts == {"b": 20, "a": 20, "z": 0}
    assert {"empty-class", "unknown-label"} == codes(findings)
    assert findings.left_out == {"unknown-label": 5}


# tables


def table_of(folder: Path, content: bytes | str, keys: str = "image: path") -> Task:
    (folder / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return write_task(folder, f"data: {{form: csv, path: t.csv, {keys}}}\npreprocess: {{size: 16}}\n")


def rows(folder: Path, count: int = 30) -> list[str]:
    """Rows ``path,label`` of images that are there."""
    (folder / "pics").mkdir(exist_ok=True)
    for k in range(count):
        picture(k).save(folder / "pics" / f"{k}.png")
    return [f"pics/{k}.png,{'cat' if k % 2 else 'dog'}" for k in range(count)]


def test_a_table_names_images(tmp_path: Path) -> None:
    data, findings = opened(table_of(tmp_path, "\n".join(["path,label", *rows(tmp_path)])))
    assert data.classes == ("cat", "dog")
    assert data.ids[0] == "t.csv:2"
    assert not findings.faults


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ("\ufeffpath,label\r\n{}\r\n", "image: path"),
        ('"path","label"\n{}\n\n', "image: path"),
        ("path;label\n{}", "image: path"),
        ("path\tlabel\n{}", "image: path"),
        ("path|label\n{}", "image: path, delimiter: '|'"),
    ],
)
def test_marks_quotes_line_ends_and_delimiters(tmp_path: Path, content: str, keys: str) -> None:
    mark = next(mark for mark in "|;\t," if mark in content)
    end = "\r\n" if "\r" in content else "\n"
    content = content.format(end.join(row.replace(",", mark) for row in rows(tmp_path)))
    data, _ = opened(table_of(tmp_path, content, keys))
    assert len(data.labels) == 30


def test_another_encoding_is_named_and_can_be_said(tmp_path: Path) -> None:
    content = "\n".join(["path,label", *rows(tmp_path)]).replace("dog", "hündchen").encode("latin-1")
    with pytest.raises(DataError, match=r"t.csv:2: is not in utf-8.*encoding: latin-1"):
        table_of(tmp_path, content).open()
    data, _ = opened(table_of(tmp_path, content, "image: path, encoding: latin-1"))
    assert data.classes == ("cat", "hündchen")
    with pytest.raises(DataError, match="is in UTF-16"):
        table_of(tmp_path, content.decode("latin-1").encode("utf-16")).open()
    data, _ = opened(table_of(tmp_path, content.decode("latin-1").encode("utf-16"), "image: path, encoding: utf-16"))
    assert len(data.labels) == 30


def test_bad_rows_are_left_out_by_line(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    inside = tmp_path / "in"
    inside.mkdir()
    lines = [
        "path,label", *rows(inside), "pics/0.png", "pics/0.png,cat,dog", ",cat", "pics/0.png,", "/etc/passwd,cat",
        "../secret.png,cat", 'pics/0.png,"cat', "nowhere.png,cat", "pics/\0.png,cat", "pics,cat",
    ]  # fmt: skip
    _, findings = opened(table_of(inside, "\n".join(lines)))
    assert {fault.line for fault in findings.faults} == set(range(32, 42))
    assert findings.left_out == {"bad-row": 8, "unreadable": 1, "special-file": 1}
    assert findings.found == 40


@pytest.mark.parametrize(
    ("content", "keys", "said"),
    [
        ("", "image: path", "is empty"),
        ("a,b\n", "image: path", "no column 'path'; one of: a, b"),
        ("path,path,label\n", "image: path", "column 'path' is here twice"),
        ("path,label\n", "label: label", "no key says where images are.*there: path, label"),
        ("path,label\n", "image: path, pixels: label", "are both given"),
        ("path,lable\n", "image: path", "no column 'label'; did you mean 'lable'"),
        ("path,label\n" + "x" * 200_000, "image: path", "t.csv:2: a line of more than"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, content: str, keys: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        table_of(tmp_path, content, keys).open()


def test_columns_give_groups_and_parts(tmp_path: Path) -> None:
    lines = [f"{row},P{k % 5},{('train', 'train', 'val', 'test')[k % 4]}" for k, row in enumerate(rows(tmp_path, 40))]
    content = "\n".join(["path,label,person,part", *lines])
    data, _ = opened(table_of(tmp_path, content, "image: path, group: person, split: part"))
    assert (data.split.scheme, len(data.split.train), len(data.split.test)) == ("column", 20, 10)
    data, _ = opened(table_of(tmp_path, content, "image: path, group: person"))
    assert (data.split.scheme, data.split.subject_overlap) == ("group", 0)
    _, findings = opened(table_of(tmp_path, content.replace("val", "vl"), "image: path, split: part"))
    assert findings.left_out == {"bad-row": 10}


def fer(count: int = 30, side: int = 16) -> str:
    """FER2013's columns."""
    lines = ["emotion,pixels,Usage"]
    for k in range(count):
        pixels = " ".join(map(str, np.random.default_rng(k).integers(0, 256, side * side)))
        lines.append(f"{k % 3},{pixels},{('Training', 'Training', 'PublicTest', 'PrivateTest')[k % 4]}")
    return "\n".join(lines)


def test_fer_s_columns_are_known(tmp_path: Path) -> None:
    (tmp_path / "fer.csv").write_text(fer())
    data, _ = opened(write_task(tmp_path, "data: {form: csv, path: fer.csv}\n"))
    assert data.samples.shape == (30, 16, 16)
    assert (data.classes, data.split.scheme) == (("0", "1", "2"), "column")
    assert (len(data.split.train), len(data.split.validation), len(data.split.test)) == (16, 7, 7)
    named, _ = opened(write_task(tmp_path, "data: {form: csv, path: fer.csv}\nclasses: [anger, disgust, fear]\n"))
    assert named.classes[1] == "disgust"
    assert (named.labels == data.labels).all()


def test_labels_that_are_no_row_of_numbers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "fer.csv").write_text(fer().replace("\n2,", "\n3,"))
    with pytest.raises(DataError, match=r"labels are the numbers 0, 1, 3: not 0, 1, 2.*classes: \["):
        write_task(tmp_path, "data: {form: csv, path: fer.csv}\n").open()
    data, _ = opened(write_task(tmp_path, "data: {form: csv, path: fer.csv}\nclasses: [a, b, c, d]\n"))
    assert sorted(set(data.labels.tolist())) == [0, 1, 3]


def test_numbers_are_judged_by_a_metric_for_numbers(tmp_path: Path) -> None:
    lines = [f"pics/{k}.png,{k / 4}" for k, _ in enumerate(rows(tmp_path))]
    content = "\n".join(["path,age", *lines, "pics/0.png,old", "pics/0.png,nan", "pics/0.png,1e400"])
    (tmp_path / "t.csv").write_text(content)
    task = write_task(tmp_path, "data: {form: csv, path: t.csv, image: path, label: age}\nmetric: mae\n")
    data, findings = opened(task)
    assert (data.classes, data.split.scheme, data.labels.dtype) == ((), "shuffled", np.float64)
    assert findings.left_out == {"bad-number": 3}
    metric = data.score([data.labels[data.split.test] + 0.5], data.split.test)
    assert (metric.name, metric.value, metric.higher_is_better) == ("mae", 0.5, False)
    with pytest.raises(HarnessError, match="its labels are numbers"):
        data.dataset()


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_is_read_or_refused(tmp_path: Path, content: str) -> None:
    try:
        table_of(tmp_path, "path,label\n" + content).open()
    except HarnessError:
        return


@given(st.text(alphabet="0123456789 -+_.e٣", max_size=400))
def test_pixels_are_whole_numbers(written: str) -> None:
    try:
        pixels = table.parse_pixels(written)
    except ValueError:
        return
    assert pixels.tolist() == np.array(written.split(), dtype=np.int64).reshape(pixels.shape).tolist()


# arrays


def npz(folder: Path, content: str = "data: {form: npz, path: a.npz}\n", **arrays: object) -> Task:
    np.savez(folder / "a.npz", **arrays)  # type: ignore[arg-type]
    return write_task(folder, content)


def noise(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *shape)).astype(np.uint8)


def test_keras_s_arrays_are_known(tmp_path: Path) -> None:
    task = npz(tmp_path, x_train=noise(30, 28, 28), y_train=np.arange(30) % 3, x_test=noise(9, 28, 28) ^ 1,
               y_test=np.arange(9)[:, None] % 3)  # fmt: skip
    data, _ = opened(task)
    assert data.samples.shape == (39, 28, 28)
    assert (data.split.scheme, len(data.split.test), len(data.split.validation)) == ("arrays", 9, 3)


def test_arrays_of_other_names_with_groups_and_parts(tmp_path: Path) -> None:
    content = "data: {form: npz, path: a.npz, images: x, labels: y, group: who, split: part}\n"
    parts = np.array(["train", "val", "test"])[np.arange(30) % 3]
    data, _ = opened(
        npz(tmp_path, content, x=noise(30, 16, 16, 3), y=np.array(["u", "v"])[np.arange(30) // 15], part=parts,
            who=np.arange(30) % 3)
    )  # fmt: skip
    assert (data.classes, data.split.scheme, data.split.subject_overlap) == (("u", "v"), "arrays", 0)
    assert [len(part) for part in (data.split.train, data.split.validation, data.split.test)] == [10, 10, 10]


def test_arrays_of_any_shape_are_inputs_as_they_are(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(40, 3, 50)).astype(np.float64)
    content = "data: {form: npz, path: a.npz}\npreprocess: {scale: 2, mean: 1}\n"
    data, _ = opened(npz(tmp_path, content, images=values, labels=np.arange(40) % 2))
    assert not data.pixels
    given_values = data.values(data.split.test)
    assert given_values.dtype == np.float32
    assert np.allclose(given_values, values[data.split.test] * 2 - 1, atol=1e-5)
    with pytest.raises(HarnessError, match="its samples are no images"):
        data.dataset()
    with pytest.raises(DataError, match="leave 'size', 'colour' and 'layout' out"):
        npz(tmp_path, "data: {form: npz, path: a.npz}\npreprocess: {size: 16}\n", images=values,
            labels=np.arange(40) % 2).open()  # fmt: skip


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": noise(9, 16, 16)}, "no array 'labels'; did you mean 'images'"),
        ({"images": noise(9, 16, 16), "labels": np.arange(8)}, "9 entries in 'images', but 8 labels"),
        ({"images": noise(9, 16, 16), "labels": np.zeros((9, 2))}, "not one label for each sample"),
        ({"images": np.array([{}, {}], dtype=object), "labels": np.arange(2)}, "holds object, not numbers"),
        ({"images": np.full((9, 4), np.nan), "labels": np.arange(9) % 2}, "holds NaN or infinity"),
        ({"images": np.arange(9), "labels": np.arange(9) % 2}, "no numbers for each sample"),
        ({"images": np.array([["a"]] * 9), "labels": np.arange(9) % 2}, "no numbers for each sample"),
    ],
)
def test_arrays_that_cannot_be_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(DataError, match=said):
        npz(tmp_path, **arrays).open()


def test_an_array_that_claims_to_be_huge_is_refused_before_it_is_read(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 19, 1 << 10, 1 << 10)}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue())
        labels = io.BytesIO()
        np.save(labels, np.arange(4))
        archive.writestr("labels.npy", labels.getvalue())
    with pytest.raises(DataError, match="is too large"):
        write_task(tmp_path, "data: {form: npz, path: a.npz}\n").open()


@given(st.data())
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_npz_is_an_error(tmp_path: Path, data: st.DataObject) -> None:
    np.savez_compressed(tmp_path / "whole.npz", images=noise(9, 16, 16), labels=np.arange(9) % 2)
    content = bytearray((tmp_path / "whole.npz").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "a.npz").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        write_task(tmp_path, "data: {form: npz, path: a.npz}\n").open()
    except HarnessError:
        return


# data sets that the harness knows


def test_drawn_faces_as_a_task_are_the_ones_that_ship(tmp_path: Path) -> None:
    from harness.records import manifest
    from tests.conftest import MODELS

    data, _ = opened(write_task(tmp_path, "data: {form: faces}\n"))
    shipped = manifest.load(MODELS, "resvgg19-pruned").split
    assert shipped is not None
    assert (data.split.sha256, data.sha256) == (shipped.sha256, shipped.dataset_sha256)
    assert data.synthetic
    with pytest.raises(HarnessError, match="have their own size"):
        write_task(tmp_path, "data: {form: faces}\npreprocess: {size: 32}\n").open()
