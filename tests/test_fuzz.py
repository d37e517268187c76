"""Whatever stands in a device list, a manifest, a cell file or a runner's answer: it is read, or refused by name."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import config, store
from harness import manifest as manifests
from harness.answers import RunnerFailure, RunnerResult, parse_answer
from harness.errors import HarnessError
from harness.records import Cell
from tests.cell_factory import make_cell
from tests.conftest import MODELS
from tests.test_answers import good

TEXT = st.text(max_size=12) | st.sampled_from(
    ["../../x", "\x1b[2J", "<script>", "-oProxyCommand=x", "~", "NaN", "1e999"]
)
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
DEVICE = st.dictionaries(st.sampled_from(sorted(config.Device.model_fields)) | TEXT, JSON, max_size=6)
LIST = st.fixed_dictionaries(
    {"devices": st.lists(DEVICE.map(lambda d: {"name": "a", "board": "generic", "host": "h", **d}), max_size=3) | JSON},
    optional={"defaults": JSON, "surprise": JSON},
)
ANSWER = st.dictionaries(st.sampled_from(sorted(good())) | TEXT, JSON, max_size=5)


def changed(base: dict[str, Any], change: dict[str, Any]) -> bytes:
    return json.dumps({**base, **change}).encode()


def check_devices(document: Any) -> None:
    try:
        fleet = config.parse(json.dumps(document))
    except HarnessError as error:
        assert str(error).startswith("devices.yaml")
        return
    for device in fleet.devices:
        assert not (device.host or "x").startswith("-")


def check_answer(change: dict[str, Any]) -> None:
    try:
        answer = parse_answer(changed(good(), change), "c")
    except HarnessError as error:
        assert str(error)
        assert "\x1b" not in str(error)
        return
    assert isinstance(answer, RunnerResult | RunnerFailure)
    assert answer.cell == "c"


def check_cell(change: dict[str, Any]) -> None:
    base = json.loads(make_cell().model_dump_json(by_alias=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{base['cell']}.json"
        path.write_bytes(changed(base, change))
        try:
            found = store.read_cell(path)
        except HarnessError as error:
            assert str(path) in str(error)
            return
    assert isinstance(found, Cell)
    assert found.status != "VALID" or (found.latency_ns and found.accuracy is not None)


def check_manifest(change: dict[str, Any]) -> None:
    name = "mobilenet-v3-small"
    base = json.loads((MODELS / name / "manifest.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).mkdir()
        (Path(folder) / name / "manifest.json").write_bytes(changed(base, change))
        try:
            found = manifests.load(Path(folder), name)
        except HarnessError as error:
            assert "manifest.json" in str(error)
            return
    assert found.name == name
    assert all("/" not in artifact.filename for artifact in found.artifacts)


def keys(base: Callable[[], dict[str, Any]]) -> Any:
    return st.deferred(lambda: st.dictionaries(st.sampled_from(sorted(base())) | TEXT, JSON, max_size=5))


SUBJECTS = {
    "devices.yaml": (LIST | JSON, check_devices),
    "runner answers": (ANSWER, check_answer),
    "cells": (keys(lambda: json.loads(make_cell().model_dump_json(by_alias=True))), check_cell),
    "manifests": (
        keys(lambda: json.loads((MODELS / "mobilenet-v3-small" / "manifest.json").read_text())),
        check_manifest,
    ),
}


def fuzz(name: str, examples: int) -> None:
    strategy, check = SUBJECTS[name]
    calm = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    settings(max_examples=examples, deadline=None, database=None, suppress_health_check=calm)(given(strategy)(check))()


@pytest.mark.parametrize("name", SUBJECTS)
def test_anything_is_read_or_refused(name: str) -> None:
    fuzz(name, 100)


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_ten_thousand_of_anything(name: str) -> None:
    fuzz(name, 10_000)
