"""``harness data check``: of a copy, and of a task."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness.cli.app import app
from harness.core.errors import ConfigError, UsageError
from tests.support.tasks import class_folders


def check(*words: str) -> Result:
    return CliRunner().invoke(app, ["data", "check", *words])


@pytest.fixture
def task(tmp_path: Path) -> Path:
    class_folders(tmp_path / "x", {"cat": 20, "dog\x1b[31m": 30})
    path = tmp_path / "pets.yaml"
    path.write_text("data: {form: folders, path: x}\n")
    return path


def test_a_task_is_described_by_class_and_part(task: Path) -> None:
    result = check("--task", str(task))
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["input", "1x16x16x3", "float32,", "after", "preprocessing"] in lines
    assert ["split", "stratified,", "seed", "0"] in lines
    assert ["cat", "16", "2", "2"] in lines
    assert "\x1b" not in result.stdout
    assert "50 images can be used" in result.stdout


def test_the_same_as_json(task: Path) -> None:
    (task.parent / "x" / "cat" / "bad.png").write_bytes(b"x")
    result = check("--task", str(task), "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["task"], told["metric"], told["usable"], told["errors"]) == ("pets", "top1", True, 1)
    assert told["input"] == {"shape": [1, 16, 16, 3], "dtype": "float32"}
    assert told["split"]["test"] == 5
    assert told["left_out"] == {"damaged-image": 1}


def test_a_task_without_data_is_described_all_the_same(task: Path) -> None:
    (task.parent / "x").rename(task.parent / "y")
    result = check("--task", str(task))
    assert result.exit_code == 1
    assert "No such file or directory" in result.stdout
    assert "This task can't be used" in result.stdout
    assert json.loads(check("--task", str(task), "--json").stdout)["usable"] is False


def test_built_in_tasks_are_what_they_were() -> None:
    assert check("--task", "faces").stdout == check("synthetic").stdout


@pytest.mark.parametrize(
    ("words", "error"),
    [((), UsageError), (("--task", "nowhere"), UsageError), (("x", "--task", "nowhere"), UsageError)],
)
def test_bad_usage_is_said(words: tuple[str, ...], error: type[Exception]) -> None:
    assert isinstance(check(*words).exception, error)


def test_a_wrong_file_is_said_with_its_line(task: Path) -> None:
    task.write_text("data: {form: folders, path: x}\nsplt: {}\n")
    error = check("--task", str(task)).exception
    assert isinstance(error, ConfigError)
    assert error.line == 2
