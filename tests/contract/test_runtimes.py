"""What every registered runtime must be and do; a new one passes without a change here."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from pathlib import Path
from typing import get_args

import pytest

from harness.ondevice.runner.runtimes.base import Model, model_class
from harness.records.answer import parse_answer
from harness.records.manifest import Format
from harness.runtimes.registry import DELEGATES, RUNTIMES, reading
from harness.runtimes.wheels import table
from tests.conftest import REPOSITORY
from tests.support import runner_jobs

BOARD_HALVES = REPOSITORY / "harness/ondevice/runner/runtimes"

registered = pytest.mark.parametrize("name", RUNTIMES)


@registered
def test_it_is_described(name: str) -> None:
    runtime = RUNTIMES[name]
    assert runtime.name == name
    assert name.isidentifier()
    assert runtime.title
    assert runtime.formats
    assert set(runtime.formats) <= set(get_args(Format))
    assert "cpu" in {delegate.name for delegate in runtime.delegates}
    assert set(runtime.same_as.values()) <= {delegate.name for delegate in runtime.delegates}


@registered
def test_one_that_stands_in_reads_what_the_other_reads(name: str) -> None:
    other = RUNTIMES[name].stands_in_for
    if other is not None:
        assert RUNTIMES[other].stands_in_for is None
        assert set(RUNTIMES[name].formats) >= set(RUNTIMES[other].formats)
        for fmt in RUNTIMES[other].formats:
            able = reading(fmt)
            assert able.index(other) < able.index(name)


@registered
def test_its_wheels_are_listed(name: str) -> None:
    """A runtime that nothing can be sent of would run nowhere."""
    assert [bundle for bundle in table() if bundle.runtime == name]
    assert {bundle.runtime for bundle in table()} <= set(RUNTIMES)


@registered
def test_a_delegate_is_the_same_for_all(name: str) -> None:
    for delegate in RUNTIMES[name].delegates:
        assert DELEGATES[delegate.name] == delegate


@registered
def test_it_has_a_board_half_of_its_name(name: str) -> None:
    text = (BOARD_HALVES / f"{name}.py").read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 6))
    model = model_class(name)
    assert issubclass(model, Model)
    assert model.__module__ == f"harness.ondevice.runner.runtimes.{name}"
    for method in ("__init__", "prepare", "set", "get", "quantised", "applied"):
        assert getattr(model, method) is not getattr(Model, method), f"{name}: {method} is missing"


@registered
def test_its_board_half_needs_nothing_but_python_and_the_runtime(name: str) -> None:
    source = inspect.getsource(importlib.import_module(f"harness.ondevice.runner.runtimes.{name}"))
    allowed = {*sys.stdlib_module_names, "numpy", RUNTIMES[name].module.partition(".")[0]}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert str(node.module).partition(".")[0] in allowed


@pytest.mark.slow
@registered
def test_it_runs_a_network_and_proves_what_ran(name: str, tmp_path: Path) -> None:
    """By the shipped runner, on the newest Python of this machine that the runtime is published for."""
    runtime, model = RUNTIMES[name], runner_jobs.network(name)
    there = runner_jobs.interpreter(name)
    if there is None or model is None:
        pytest.skip(f"{name}: no Python here that it is published for, or no network in its format")
    order = runner_jobs.order(tmp_path, model.file, name, there.packages, variant=model.variant)
    found = runner_jobs.answer(tmp_path, there.python, order)
    assert found["status"] == "ok", found["text"]
    parse_answer((tmp_path / "result.json").read_bytes(), "c")
    delegate = found["delegate"]
    assert runtime.same_as.get(delegate["applied"], delegate["applied"]) == "cpu"
    assert delegate["how"]
    assert found["load_ns"] > 0
    assert found["import_ns"]["runtime"] > 0
    assert len(found["predictions"]) == 2


@pytest.mark.slow
@registered
def test_a_delegate_that_is_not_there_is_never_passed_over(name: str, tmp_path: Path) -> None:
    """Asked for an accelerator that this machine lacks, or that it doesn't know, it says so: no number of the CPU's."""
    model, there = runner_jobs.network(name), runner_jobs.interpreter(name)
    if there is None or model is None:
        pytest.skip(f"{name}: no Python here that it is published for, or no network in its format")
    order = runner_jobs.order(tmp_path, model.file, name, there.packages, variant=model.variant)
    for delegate in ["unheard-of", *(known.name for known in RUNTIMES[name].delegates if known.name != "cpu")]:
        found = runner_jobs.answer(tmp_path, there.python, order, delegate=delegate)
        assert (found["status"], found["code"].partition("-")[0]) == ("error", "delegate"), delegate
