"""Going on with a run after devices.yaml, or the harness itself, has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.config import devices as config
from harness.core.errors import UsageError
from harness.records.cell import RunInfo
from harness.run import resume

LISTED = "devices:\n  - {name: here, board: generic, local: true, threads: [1, 2]}\n"


def fleet(tmp_path: Path, text: str = LISTED) -> config.Fleet:
    path = tmp_path / "devices.yaml"
    path.write_text(text, encoding="utf-8")
    return config.load(path)


def begun(with_fleet: config.Fleet, **thresholds: Any) -> RunInfo:
    """A run of this fleet, as its ``run.json`` has it, with other thresholds."""
    stored = {device.name: device.model_dump(mode="json") for device in with_fleet.devices}
    for device in stored.values():
        device["thresholds"] |= thresholds
    return RunInfo(
        run="r", started="2026-11-22T20:00:00Z", harness="0.1.0", devices=tuple(stored), planned=(), config=stored
    )


def test_a_run_of_an_older_harness_goes_on_without_the_thresholds_it_did_not_know(tmp_path: Path) -> None:
    now = fleet(tmp_path)
    then = begun(now)
    del then.config["here"]["thresholds"]["stopped_s"]
    then.config["here"]["thresholds"]["of_a_newer_one"] = 1
    assert resume.fleet_then(then, now, ["here"]) == (now, [])


def test_a_threshold_that_was_changed_is_named_alone(tmp_path: Path) -> None:
    now = fleet(tmp_path)
    with pytest.raises(UsageError) as refused:
        resume.fleet_then(begun(now, drift=0.5), now, ["here"])
    assert "began to measure it: thresholds.drift was 0.5, is 0.1" in str(refused.value)
    assert "dispersion" not in str(refused.value)


def test_other_threads_are_refused_where_there_is_something_to_measure(tmp_path: Path) -> None:
    then = begun(fleet(tmp_path))
    now = fleet(tmp_path, LISTED.replace("[1, 2]", "[4]"))
    with pytest.raises(UsageError, match="threads was 1, 2, is 4"):
        resume.fleet_then(then, now, ["here"])
    assert "takes no notice" in resume.fleet_then(then, now, [])[1][0]
