"""The manifest: migration from schema 1, and what a file of somebody else's may lack."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.core.errors import ArtifactError
from harness.records import manifest as manifests
from harness.records.golden import Golden, InputsRecord
from harness.records.manifest import Manifest, TensorSpec, Unseen
from tests.support.manifests import ARTIFACT, MANIFEST

SHIPPED = Path(__file__).parents[2] / "models"
SHA = "0" * 64


def test_every_shipped_manifest_of_schema_1_is_read_with_its_tensors() -> None:
    for name in manifests.names(SHIPPED):
        raw = json.loads((SHIPPED / name / "manifest.json").read_text(encoding="utf-8"))
        record = manifests.load(SHIPPED, name)
        assert record.schema_version == manifests.SCHEMA
        for before, now in zip(raw["artifacts"], record.artifacts, strict=True):
            old = before.get("input", before.get("inputs", [None])[0])
            assert (list(now.input.shape), now.input.dtype, now.input.scale) == (
                old["shape"],
                old["dtype"],
                old["scale"],
            )
            assert (len(now.inputs), len(now.outputs)) == (1, 1)
            assert now.accuracy == before["accuracy"]


def test_a_migrated_manifest_differs_from_its_file_only_in_what_the_schema_changed() -> None:
    raw = json.loads((SHIPPED / "resvgg19-pruned" / "manifest.json").read_text(encoding="utf-8"))
    written = json.loads(Manifest.model_validate(raw).model_dump_json())
    if raw["schema_version"] == 1:
        raw["schema_version"] = 2
        for artifact in raw["artifacts"]:
            artifact["inputs"], artifact["outputs"] = [artifact.pop("input")], [artifact.pop("output")]
    assert written == raw


def test_schema_1_may_have_accuracies_on_people_nobody_was_trained_on() -> None:
    raw = json.loads((SHIPPED / "resvgg19-pruned" / "manifest.json").read_text(encoding="utf-8"))
    raw["artifacts"][0]["unseen"] = {
        "n": 2943, "persons": 354, "seeds": [101, 102, 103], "accuracy": 0.95, "low": 0.93, "high": 0.97
    }  # fmt: skip
    unseen = Manifest.model_validate(raw).artifacts[0].unseen
    assert unseen == Unseen(n=2943, persons=354, seeds=(101, 102, 103), accuracy=0.95, low=0.93, high=0.97)


def test_a_file_of_somebody_elses_is_stored_and_read_back(tmp_path: Path) -> None:
    tensors = (
        TensorSpec(name="input", shape=(1, 512), declared=(-1, "frames"), dtype="float32"),
        TensorSpec(name="sr", shape=(), dtype="int64"),
    )
    artifact = ARTIFACT.model_copy(
        update={
            "inputs": tensors, "outputs": tensors[:1], "accuracy": None, "accuracy_runtime": None,
            "operators": {"If": 1}, "versions": {"opset": 16, "ir": 8}, "source": "silero vad.onnx",
            "golden": Golden(file="golden.npz", sha256=SHA, inputs_sha256=SHA, runtime="onnxruntime", version="1.23",
                             machine="x86_64", samples=8),
        }
    )  # fmt: skip
    foreign = MANIFEST.model_copy(
        update={
            "classes": (), "macs": None, "macs_missing": "operator If", "parameters": None, "split": None, "seed": None,
            "inputs": InputsRecord(kind="seeded", seed=0, n=8, sha256=SHA), "artifacts": (artifact,),
        }
    )  # fmt: skip
    manifests.save(tmp_path, foreign)
    assert manifests.load(tmp_path, "net") == foreign


def test_a_newer_manifest_is_refused_with_its_reason(tmp_path: Path) -> None:
    path = manifests.save(tmp_path, MANIFEST)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 3}))
    with pytest.raises(ArtifactError, match="newer harness"):
        manifests.load(tmp_path, "net")


@pytest.mark.parametrize("shape", [(-1, 3), (1,) * 33, (1 << 41,)])
def test_a_shape_that_cant_be_run_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        TensorSpec(shape=shape, dtype="float32")


@pytest.mark.parametrize("dtype", ["uint16", "string", "complex64"])
def test_an_element_type_that_no_input_may_have_is_refused(dtype: str) -> None:
    with pytest.raises(ValueError, match="dtype"):
        TensorSpec.model_validate({"shape": [1], "dtype": dtype})
