"""Whatever stands in a device list, a manifest, a cell file or a runner's answer: it is read, or refused by name."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.made.answers import good
from benchmarks.made.cells import make_cell
from harness.config import devices as config
from harness.core.errors import HarnessError
from harness.records import manifest as manifests
from harness.records.answer import RunnerFailure, RunnerResult, parse_answer
from harness.records.cell import Cell
from harness.remote.base import Command, Completed
from harness.results import store
from harness.run.cell import Measurement
from harness.run.context import Context
from harness.run.images import TestSet, prepare
from harness.run.inventory import inventory
from harness.run.measure import Prepared, run_cell
from harness.run.plan import CellJob, Options, make
from tests.conftest import MODELS

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
#: What the verdict reads of a board's state, with values of any kind.
STATE = st.dictionaries(
    st.sampled_from(
        ["monotonic_ns", "wall_s", "self cpu_ns", "self waited_ns", "/proc/stat cpu", "/proc/pressure/memory",
         "vcgencmd get_throttled", "vcgencmd pmic_read_adc", "nvpmodel -q",
         "/sys/class/powercap/intel-rapl:0/energy_uj",
         "/sys/class/hwmon/hwmon0/power1_input", "/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq",
         "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor"]
    ),
    st.text(max_size=12) | st.integers().map(str) | st.floats().map(str)
    | st.sampled_from(["9" * 4999, "1e999", "-1e308", "nan", "cpu " + "9 " * 10, "cpu " + "9" * 4000 + " 1" * 9,
                       "throttled=0xffffffff", "some avg10=0.00 total=" + "9" * 18, "NV Power Mode: MAXN\n0",
                       "VDD_CORE_A current(7)=9999.9A\nVDD_CORE_V volt(15)=9999.9V"]),
    max_size=8,
)  # fmt: skip
LONG = st.sampled_from(["x" * 2000, "\ud800", "\x1b[2J" * 300, "CPU part\t: " + "9" * 1900])
FULL_ANSWER = st.fixed_dictionaries(
    {},
    optional={
        "evidence": st.fixed_dictionaries(
            {"before": STATE, "start": STATE, "during": st.lists(STATE, max_size=3), "end": STATE, "after": STATE,
             "busiest": st.lists(st.fixed_dictionaries(
                 {"pid": st.integers(), "name": TEXT | LONG, "cpu_s": st.floats()}), max_size=5)}),
        "cpuinfo": st.lists(LONG | TEXT, max_size=64),
        "delegate": st.fixed_dictionaries({"applied": st.sampled_from(["xnnpack", None]) | LONG, "how": LONG | TEXT}),
        "clock": st.dictionaries(TEXT, JSON, max_size=3),
        "import_ns": st.dictionaries(TEXT, st.integers(), max_size=3),
        "state_root": LONG | TEXT,
        "inject_slowdown": st.floats(),
        "peak_rss_bytes": st.integers(),
        "runtime_version": LONG | TEXT,
        "predictions_stable": st.booleans(),
        "latency_ns": st.lists(st.integers(0, 1 << 62), min_size=20, max_size=20),
        "load_ns": st.integers(),
    },
)  # fmt: skip
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


@dataclass
class Answering:
    """A board that has ended its cell, with this answer."""

    data: bytes
    label: str = "b"
    root: str = "/r"

    def run(self, command: Command) -> Completed:
        return Completed(0, b"" if "--job" in command.argv else self.data, b"")


@functools.cache
def jobs() -> tuple[list[CellJob], TestSet]:
    """A cell of a board that is timed, and of one whose instructions are counted."""
    boards = config.parse(
        "devices: [{name: a, board: generic, host: h}, {name: b, board: raspberry-pi-4, emulate: true}]"
    )
    plan = make(boards, inventory(MODELS, ["mobilenet-v3-small"], ["int8"])[:1], Options(quick=True))
    found = [job for every in plan.jobs.values() for job in every]
    return found, prepare(found[0].shipped.manifest.split, samples=found[0].samples)


def check_verdict(change: dict[str, Any]) -> None:
    """A board may spoil its own cell by what it says of itself; whatever it is, a cell comes of it that can be kept."""
    for job in jobs()[0]:
        test = jobs()[1]
        right = {"cell": job.cell, "model_sha256": job.shipped.artifact.sha256, "inputs_sha256": test.file_sha256}
        series = {"predictions": [0] * 20, "latency_ns": [1_000_000] * 20}
        board = Answering(changed({**good(), **series, **right}, change))
        context = Context("run", job.device, None)
        try:
            prepared = Prepared(runner="r", model="m", inputs="i", packages=("p",), runtime="litert")
            cell = run_cell(board, Measurement(job, test, context), prepared, limit_s=1)  # type: ignore[arg-type]
        except HarnessError as error:
            assert "\x1b" not in str(error)
            continue
        with tempfile.TemporaryDirectory() as folder:
            assert store.read_cell(store.write_cell(Path(folder), cell)).status == cell.status


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
    "boards' states": (FULL_ANSWER, check_verdict),
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
