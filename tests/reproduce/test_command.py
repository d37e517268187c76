"""``harness reproduce``: what it refuses, before anything is touched, and what it says beforehand."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from harness.cli import reproduce as command
from harness.cli.app import app
from harness.core.errors import DataError, LockTakenError, MissingExtraError, UsageError
from harness.data.registry import choose, load
from harness.reproduce.places import Places
from harness.reproduce.stages import Stage
from harness.training import pace, pipeline
from harness.training.pace import Pace, Rate
from tests.support.ckplus_drawn import FORMS, write_copy
from tests.support.ckplus_writer import write_tree

RATE = Rate(seconds=0.01, start_s=1, macs=1_000_000, parameters=1000)


@pytest.fixture(autouse=True)
def untrained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing is timed, trained or measured; returns the titles of the stages that would have been performed."""
    performed: list[str] = []

    def measure(wanted: Sequence[Any], *_: Any, **__: Any) -> Pace:
        return Pace(rates={network.name: RATE for network in wanted}, small=RATE)

    monkeypatch.setattr(pipeline, "ensure_extra", lambda: None)
    monkeypatch.setattr(pace, "measure", measure)
    monkeypatch.setattr(Stage, "perform", lambda stage: performed.append(stage.title))
    monkeypatch.setattr(command, "_measure", lambda experiment, spec: 0)
    return performed


def reproduce(copy: Path, out: Path, *words: str) -> Result:
    pytest.importorskip("keras")
    return CliRunner().invoke(app, ["reproduce", "--data", str(copy), "--out", str(out), *words])


def error(result: Result, kind: type[BaseException]) -> str:
    """The message of the error that ended it."""
    assert isinstance(result.exception, kind), result.exception
    return str(result.exception)


def test_without_the_extra_it_ends_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find(name))
    result = CliRunner().invoke(app, ["reproduce", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    assert "pip install -e '.[train]'" in error(result, MissingExtraError)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--profile", "slow"), "one of: quick, full"),
        (("--model", "resnet"), "network 'resnet' is unknown"),
        (("--fold", "x"), "--fold"),
        (("--fold", "40"), "fold 40 is not among 0 to"),
        (("--frames", "all"), "--frames 'all' is unknown"),
    ],
)
def test_bad_usage_is_said_before_anything_is_touched(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    copy = write_copy(tmp_path / "copy", "folders", 12)
    assert said in error(reproduce(copy, tmp_path / "out", *words), UsageError)
    assert not (tmp_path / "out").exists()


def test_data_that_are_no_copy_are_refused_with_all_findings(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = reproduce(tmp_path / "empty", tmp_path / "out")
    assert "class folders" in error(result, DataError)
    assert "This copy can't be used" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_copy_without_usable_images_is_refused_with_all_findings(tmp_path: Path) -> None:
    for word in ("anger", "happy"):
        (tmp_path / "bad" / word).mkdir(parents=True)
        (tmp_path / "bad" / word / "S001_001_00000001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    result = reproduce(tmp_path / "bad", tmp_path / "out")
    error(result, DataError)
    assert "S001_001_00000001.png" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_trained_on_the_splits_that_it_allows(form: str, tmp_path: Path, untrained: list[str]) -> None:
    copy = write_copy(tmp_path / "copy", form, 12)
    result = reproduce(copy, tmp_path / "out", "--profile", "quick")
    assert result.exit_code == 0, result.exception
    folds = [title for title in untrained if "subject-disjoint" in title]
    assert len(untrained) - len(folds) == 5
    if form == "csv":
        assert not folds
        assert "no subject-disjoint split is possible" in result.stderr
    else:
        assert folds == [f"{name}, subject-disjoint split, fold 1 of 10" for name in ("resvgg19", "resvgg19-pruned")]
    assert "a look: it trains too little" in result.stderr
    assert "together about" in result.stderr
    assert "images, so what comes out is not about the paper's data" in result.stderr


def test_a_small_tree_has_fewer_folds(tmp_path: Path, untrained: list[str]) -> None:
    write_tree(tmp_path / "copy")
    result = reproduce(tmp_path / "copy", tmp_path / "out", "--model", "squeezenet")
    assert result.exit_code == 0, result.exception
    assert untrained == ["squeezenet, random split", "squeezenet, subject-disjoint split, fold 1 of 6"]


def test_a_second_one_at_the_same_place_is_refused(tmp_path: Path, untrained: list[str]) -> None:
    copy = write_copy(tmp_path / "copy", "folders", 12)
    with Places(tmp_path / "out").opened(load(choose(str(copy))), "quick"):
        result = reproduce(copy, tmp_path / "out", "--profile", "quick")
    assert "another harness reproduce works there" in error(result, LockTakenError)
    assert untrained == []


def test_the_rate_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = write_copy(tmp_path / "copy", "folders", 12)
    assert "timing a few training steps" in reproduce(copy, tmp_path / "out").stderr
    monkeypatch.setattr(pace, "measure", lambda *_, **__: pytest.fail("it is known"))
    assert reproduce(copy, tmp_path / "out").exit_code == 0


def test_an_interruption_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Stage) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Stage, "perform", interrupted)
    result = reproduce(write_copy(tmp_path / "copy", "folders", 12), tmp_path / "out")
    assert result.exit_code == 130
    assert "The same command goes on from there" in result.stderr
