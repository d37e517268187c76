"""Runtimes with a form of their own: what the board runs is converted here, and every cell says from what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.made.farm import fleet
from harness.core.files import sha256_file
from harness.records import manifest as manifests
from harness.records.cell import Cell
from harness.runtimes import mnnconvert, pnnx
from harness.runtimes.record import Converted, Source
from tests.conftest import MODELS
from tests.support.loopback import execute
from tests.support.pythons import OLD_PYTHONS
from tests.support.sshd_fixtures import Sshd

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("short_series")]

OURS = "resvgg19-pruned"
RUNTIMES = ("ncnn", "mnn")
CONVERTERS = {"ncnn": pnnx, "mnn": mnnconvert}


def cells(sshd: Sshd, results: Path, runtime: str, **options: object) -> list[Cell]:
    given = {"models": (OURS,), "variants": ("fp32",), **options}
    _, told = execute(fleet(sshd.device(runtimes=[runtime])), results, **given)
    return told.cells


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_converted_file_is_what_runs(runtime: str, sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    found = cells(sshd, tmp_path / "results", runtime)
    assert found
    for cell in found:
        assert cell.status == "VALID", cell.reasons
        artifact = manifests.load(MODELS, OURS).artifact(cell.model.variant, cell.model.format)
        made = cell.model.converted_from
        assert artifact is not None
        assert made is not None
        assert made.sha256 == artifact.sha256 != cell.model.sha256
        assert made.by.startswith({"ncnn": "pnnx ", "mnn": "mnnconvert "}[runtime])
        stored = sshd.home / ".cache/harness/objects" / cell.model.sha256
        assert sha256_file(stored) == cell.model.sha256
        assert cell.outputs is not None  # held against golden ones of the artifact itself
        assert cell.outputs.reference.runtime in ("litert", "onnxruntime")
        assert max(tensor.excess for tensor in cell.outputs.tensors) <= 1
    assert len({cell.model.sha256 for cell in found}) == len(found)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_conversion_that_changes_answers_is_invalid(
    runtime: str, sshd: Sshd, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A converter that makes some weights larger."""
    real = CONVERTERS[runtime].converted

    def wrong(source: Source, stopped: Callable[[], bool]) -> Converted:
        if source.format != "onnx":
            return real(source, stopped)
        other = tmp_path / "other.onnx"
        other.write_bytes(larger_weights(source.path))
        return real(replace(source, path=other, sha256=sha256_file(other)), stopped)

    monkeypatch.setattr(CONVERTERS[runtime], "converted", wrong)
    (cell,) = [cell for cell in cells(sshd, tmp_path / "results", runtime) if cell.model.format == "onnx"]
    assert (cell.status, [reason.code for reason in cell.reasons]) == ("INVALID", ["outputs-differ"]), cell.reasons
    assert "golden outputs by onnxruntime" in cell.reasons[0].text


def test_what_can_not_be_converted_fails_by_the_converters_words(sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    """An operator that neither has, in a file that ONNX's own checker takes."""
    odd = tmp_path / "odd.onnx"
    odd.write_bytes(odd_network())
    for runtime in RUNTIMES:
        found = cells(sshd, tmp_path / runtime, runtime, models=(str(odd), OURS), variants=())
        (cell,) = [cell for cell in found if cell.model.name == "odd"]
        assert cell.status == "FAILED"
        assert cell.reasons[0].code in ("not-converted", "bad-model"), cell.reasons
        assert "Multinomial" in cell.reasons[0].text
        others = [other for other in found if other.model.name == OURS and other.model.variant == "fp32"]
        assert {other.status for other in others} == {"VALID"}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_int8_is_refused_before_anything_is_sent(runtime: str, sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    found = cells(sshd, tmp_path / "results", runtime, variants=("int8",))
    assert found
    for cell in found:
        assert [reason.code for reason in cell.reasons] == ["unfit"]
        assert "takes fp32 and fp16 alone, and this is int8" in cell.reasons[0].text


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_a_real_old_python_runs_ncnn(version: str, sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    """As JetPack and Coral's Mendel have it; ncnn's wheels for these are from 2025."""
    python = OLD_PYTHONS[version]
    if python is None:
        pytest.skip(f"no CPython {version} here")
    (sshd.bin / "python3").symlink_to(python)
    (cell,) = cells(sshd, tmp_path / "results", "ncnn", quick=True)
    assert cell.status == "VALID", cell.reasons
    assert str(cell.device.python).startswith(f"{version}.")


def larger_weights(path: Path) -> bytes:
    """A network with some of its weights three times as large."""
    import onnx

    model = onnx.load(path)
    weights = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    values = onnx.numpy_helper.to_array(weights) * np.float32(3)
    weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    return bytes(model.SerializeToString())


def odd_network() -> bytes:
    """A network with an operator that neither runtime has."""
    import onnx
    from onnx import TensorProto, helper

    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    made = helper.make_tensor_value_info("y", TensorProto.INT32, [1, 1])
    node = helper.make_node("Multinomial", ["x"], ["y"])
    model = helper.make_model(
        helper.make_graph([node], "odd", [given], [made]), opset_imports=[helper.make_opsetid("", 13)], ir_version=7
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
