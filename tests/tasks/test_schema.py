"""A task's file: what it may say, and that each error names line, key and the nearest valid one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import ConfigError, HarnessError, UsageError
from harness.tasks import schema
from harness.tasks.task import Task, chosen, load, models_folder
from tests.support.tasks import write_task

WHOLE = """\
name: rust
title: Rusty parts
data: {form: folders, path: parts, group: '^(P[0-9]+)_'}
classes: [clean, rusty]
preprocess:
  colour: rgb
  size: [48, 64]
  fit: crop
  shorter: 80
  interpolation: bicubic
  scale: 1/255
  mean: [0.485, 0.456, 0.406]
  std: [0.229, 0.224, 0.225]
  layout: nchw
split: {by: group, seed: 7, test: 20%, validation: 0.15}
metric: top1
augment: {mirror: true}
"""


def parse(content: str) -> schema.Document:
    return schema.parse(content, file="t.yaml")


def test_every_key_is_understood() -> None:
    task = parse(WHOLE)
    assert (task.name, task.title, task.form) == ("rust", "Rusty parts", "folders")
    assert task.classes == ("clean", "rusty")
    rules = task.preprocess
    assert (rules.size, rules.fit, rules.shorter, rules.layout) == ((48, 64), "crop", 80, "nchw")
    assert rules.scale == pytest.approx(1 / 255)
    assert (task.split.by, task.split.seed, task.split.test, task.split.validation) == ("group", 7, 0.2, 0.15)
    assert task.augment.mirror


def test_two_lines_are_a_task_and_it_is_called_as_its_file() -> None:
    task = schema.parse("data: {form: folders, path: x}\n", file="some/My_Parts.yaml")
    assert task.name == "my-parts"
    assert (task.metric.name, task.preprocess.size, task.split.by, task.augment.mirror) == ("top1", None, None, False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "t.yaml:1: the file needs keys|t.yaml: the file needs keys"),
        ("- a\n", "the file needs keys of its own"),
        ("name: x\n", "key 'data' is missing"),
        ("data: x\n", "t.yaml:1: 'data:' needs keys of its own"),
        ("data: {path: x}\n", "t.yaml:1: key 'form' is missing in data; one of: folders, csv"),
        ("data:\n  form: folder\n  path: x\n", "t.yaml:2: 'folder' is no form of data; did you mean 'folders'"),
        ("data:\n  form: folders\n", "key 'path' is missing in data"),
        ("data:\n  form: folders\n  path: x\n  pth: y\n", "t.yaml:4: unknown key 'pth' in data; did you mean 'path'"),
        ("data: {form: folders, path: x}\nspilt: {}\n", "t.yaml:2: unknown key 'spilt'; did you mean 'split'"),
        ("data: {form: folders, path: x}\npreprocess:\n  sise: 3\n", "t.yaml:3: unknown key 'sise' in preprocess; did"),
        (
            "data: {form: folders, path: x}\npreprocess:\n  size: 4\n",
            "t.yaml:3: 'size: 4' in preprocess: must be from 8",
        ),
        ("data: {form: folders, path: x}\npreprocess: {size: [1, 2, 3]}\n", "needs height and width"),
        ("data: {form: folders, path: x}\npreprocess: {scale: 0}\n", "'scale: 0' in preprocess: must not be 0"),
        ("data: {form: folders, path: x}\npreprocess: {scale: 1/0}\n", "must not be 0"),
        ("data: {form: folders, path: x}\npreprocess: {std: 0}\n", "must be above 0"),
        ("data: {form: folders, path: x}\npreprocess: {mean: [1, 2]}\n", "one number, or three"),
        (
            "data: {form: folders, path: x}\npreprocess: {colour: grey, mean: [1, 2, 3]}\n",
            "grey images have one channel",
        ),
        ("data: {form: folders, path: x}\npreprocess: {fit: squash}\n", "must be one of stretch, crop, pad"),
        ("data: {form: folders, path: x}\npreprocess: {shorter: 80}\n", "'shorter' is for 'fit: crop'"),
        ("data: {form: folders, path: x}\nsplit: {test: 120%}\n", "must be a share above 0 and below 100 %"),
        ("data: {form: folders, path: x}\nsplit: {by: luck}\n", "must be one of folders, column"),
        ("data: {form: folders, path: x}\nsplit: {seed: 07}\n", "write 7"),
        ("data: {form: folders, path: x}\nclasses: [a, a]\n", "has 'a' twice"),
        ("data: {form: folders, path: x}\nclasses: [a]\n", "at least two"),
        ("data: {form: folders, path: x}\nclasses: a\n", "needs a list of names"),
        ("data: {form: folders, path: x}\nmetric: top2\n", "t.yaml:2: 'top2' is no metric; did you mean 'top"),
        ("data: {form: folders, path: x}\nmetric: {name: mae}\nclasses: [a, b]\n", "mae judges numbers"),
        (
            "data: {form: folders, path: x}\nmetric: {name: top1, labels: numbers}\n",
            "'labels' is for 'module:function'",
        ),
        ("data: {form: folders, path: x}\nname: My Task\n", "'name: My Task': must be 1 to 64 small letters"),
        ("data: {form: folders, path: x, group: '('}\n", "is no regular expression"),
        ("data: {form: folders, path: x, group: abc}\n", "needs one pair of brackets"),
        ("data: {form: csv, path: x, encoding: rot13}\n", "is no text encoding"),
        ("data: {form: csv, path: x, delimiter: ab}\n", "must be one character"),
        ("data: {form: folders, path: x}\ndata: {}\n", "is here twice"),
        ("data: *x\n", "alias"),
        ("data: [\n", "not YAML"),
    ],
)
def test_each_error_names_the_place_and_the_fix(content: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(content)
    assert any(part in str(caught.value) for part in said.split("|")), str(caught.value)
    assert caught.value.exit_code == 2


@given(st.text(max_size=200))
def test_any_text_is_a_task_or_an_error(content: str) -> None:
    try:
        parse(content)
    except ConfigError:
        return


@given(st.recursive(st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_any_value_of_a_key_is_taken_or_refused(value: object) -> None:
    import json

    for key in ("name", "title", "classes", "preprocess", "split", "metric", "augment", "data"):
        try:
            parse(json.dumps({"data": {"form": "folders", "path": "x"}, key: value}, ensure_ascii=False))
        except ConfigError:
            continue


def test_a_task_is_found_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    write_task(tmp_path / "tasks", "data: {form: folders, path: x}\n", "parts")
    assert load("parts").path == Path("tasks/parts.yaml")
    assert load("tasks/parts.yaml").name == "parts"
    with pytest.raises(UsageError, match="task 'part' is unknown; did you mean 'parts'"):
        load("part")
    with pytest.raises(UsageError, match="no such file"):
        load("elsewhere/parts.yaml")
    with pytest.raises(UsageError, match="no such file"):
        load("parts.yaml")


def test_names_of_built_in_tasks_are_kept_for_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'faces' is built in"):
        write_task(tmp_path, "data: {form: folders, path: x}\n", "faces")


def test_task_and_data_do_not_contradict_each_other(tmp_path: Path) -> None:
    assert chosen(None, "synthetic") is None
    assert chosen("faces", "synthetic") is None
    assert chosen("ckplus", "some/path") is None
    for name, data, said in (
        ("faces", "x", "leave one of them out"),
        ("ckplus", "synthetic", "the place of a copy"),
        ("mine", "x", "names its own data"),
    ):
        with pytest.raises(UsageError, match=said):
            chosen(name, data)


def test_each_task_has_its_own_folder_of_networks(tmp_path: Path) -> None:
    task: Task = write_task(tmp_path, "data: {form: folders, path: x}\n")
    assert models_folder(Path("models"), None) == Path("models")
    assert models_folder(Path("models"), task) == Path("models/mine")


def test_a_metric_of_ones_own_is_loaded_from_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "judge.py").write_text("def off(outputs, labels):\n    return abs(outputs[0][:, 0] - labels)\n")
    content = "data: {form: folders, path: x}\nmetric: {name: 'judge:off', labels: numbers, higher_is_better: false}\n"
    kind = write_task(tmp_path, content).metric
    assert (kind.labels, kind.higher_is_better) == ("numbers", False)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (None, "put judge.py beside"),
        ("x = 1\n", "no function 'off'"),
        ("def off(:\n", "SyntaxError"),
        ("import nowhere_at_all\n", "install nowhere_at_all"),
        ("raise SystemExit(3)\n", "SystemExit"),
    ],
)
def test_a_metric_that_cannot_be_loaded_is_named(module: str | None, said: str, tmp_path: Path) -> None:
    if module is not None:
        (tmp_path / "judge.py").write_text(module)
    task = write_task(tmp_path, "data: {form: folders, path: x}\nmetric: 'judge:off'\n")
    with pytest.raises(HarnessError, match=said):
        task.metric  # noqa: B018
