"""The extra pass that times each node: what it finds, and that nothing else changes by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.made.answers import good
from benchmarks.made.farm import fleet
from harness.core.errors import RunnerError
from harness.records.answer import RunnerResult
from tests.support.answers import parse
from tests.support.loopback import execute
from tests.support.pythons import OLD_PYTHONS
from tests.support.sshd_fixtures import Sshd

NODE = {"name": "conv_1", "op": "Conv", "provider": "CPUExecutionProvider", "calls": 20, "total_ns": 1000}


def profile(**change: object) -> dict[str, object]:
    return {"profile": {"how": "ONNX Runtime's profiler", "runs": 20, "nodes": [NODE], **change}}


def test_a_profile_is_optional_and_checked() -> None:
    without, given = parse(good()), parse(good() | profile())
    assert isinstance(without, RunnerResult)
    assert without.profile is None
    assert isinstance(given, RunnerResult)
    assert given.profile is not None
    assert given.profile.nodes[0].op == "Conv"


@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes": [NODE] * 513},
        {"nodes": [{**NODE, "total_ns": -1}]},
        {"nodes": [{**NODE, "total_ns": 10**14}]},
        {"nodes": [{**NODE, "name": "x" * 2001}]},
        {"nodes": [{**NODE, "path": "/etc/passwd"}]},
        {"runs": -1},
        {"how": None},
    ],
)
def test_a_wrong_one_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(RunnerError, match="profile"):
        parse(good() | profile(**wrong))


@pytest.mark.slow
@pytest.mark.parametrize("version", ["", "3.6"])
def test_each_node_is_timed_after_everything_else(version: str, sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    """ONNX Runtime has a profiler, also on a Jetson Nano's Python; LiteRT's Python interface has none, and says so."""
    if version:
        if OLD_PYTHONS[version] is None:
            pytest.skip(f"no CPython {version} here")
        (sshd.bin / "python3").symlink_to(str(OLD_PYTHONS[version]))
    runtimes = ["onnxruntime"] if version else ["onnxruntime", "litert"]
    outcome, told = execute(fleet(sshd.device(runtimes=runtimes)), tmp_path / "results", profile_ops=True)
    assert outcome.all_valid, [cell.reasons for cell in told.cells]
    found = {cell.runtime.name: cell.evidence["profile"] for cell in told.cells}
    assert set(found) == set(runtimes)
    onnx = found["onnxruntime"]
    assert onnx["runs"] == 20
    assert {"Conv", "QLinearConv"} & {node["op"] for node in onnx["nodes"]}
    assert {node["calls"] for node in onnx["nodes"]} == {20}
    assert {node["provider"] for node in onnx["nodes"]} == {"CPUExecutionProvider"}
    times = [node["total_ns"] for node in onnx["nodes"]]
    assert times == sorted(times, reverse=True)
    (cell,) = [cell for cell in told.cells if cell.runtime.name == "onnxruntime"]
    assert 0.1 < sum(times) / 20 / (sum(cell.latency_ns) / len(cell.latency_ns)) < 10
    if not version:
        assert found["litert"] == {"how": "this runtime's Python interface has no profiler", "runs": 0, "nodes": []}


@pytest.mark.slow
def test_unasked_there_is_none(sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    _, told = execute(fleet(sshd.device(runtimes=["litert"])), tmp_path / "results")
    assert [cell.evidence["profile"] for cell in told.cells] == [None]
