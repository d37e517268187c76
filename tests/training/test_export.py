"""Export: every variant runs in its real runtime and says what the Keras model says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")
onnx_package = pytest.importorskip("onnx")
pytestmark = [
    pytest.mark.train,
    pytest.mark.slow,
    # onnx and the converters use numpy, protobuf and typing names that newer releases deprecate
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

from harness.core.errors import BuildError  # noqa: E402
from harness.records.manifest import TensorSpec  # noqa: E402
from harness.training.compress.budget import Budget  # noqa: E402
from harness.training.export import bias, measures, onnx, package, runtimes, timing  # noqa: E402
from harness.training.networks import resvgg19  # noqa: E402
from tests.support.datasets import small_dataset  # noqa: E402
from tests.support.networks import stirred  # noqa: E402


@pytest.fixture(scope="module")
def model() -> Any:
    keras.utils.set_random_seed(5)
    return stirred(resvgg19.build(widths=((4, 4), (8, 8)), name="tiny"))


@pytest.fixture(scope="module")
def exported(model: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any], Any]:
    folder = tmp_path_factory.mktemp("exported")
    data = small_dataset()
    artifacts, confusion = package.export_all(
        model,
        folder,
        package.ExportImages(
            calibration=data.images[:50],
            validation=data.images[50:60],
            test=data.images[60:],
            labels=data.labels[60:],
            classes=7,
        ),
        progress=lambda line: None,
    )
    return folder, artifacts, confusion


def test_all_variants_are_recorded(exported: tuple[Path, list[Any], Any]) -> None:
    folder, artifacts, confusion = exported
    assert {a.filename for a in artifacts} == {p.name for p in folder.iterdir()}
    assert len(artifacts) == 7
    assert sum(map(sum, confusion)) == 36
    assert all(a.bytes == (folder / a.filename).stat().st_size for a in artifacts)


def test_outputs_agree_with_keras(model: Any, exported: tuple[Path, list[Any], Any]) -> None:
    folder, artifacts, _ = exported
    images = small_dataset().images[60:]
    expected = model.predict(images.astype(np.float32)[..., None], verbose=0)
    for artifact in artifacts:
        tolerance = {"fp32": 1e-4, "fp16": 0.02}.get(artifact.variant, 0.15)
        given = runtimes.probabilities(folder / artifact.filename, images)
        assert np.abs(given - expected).max() < tolerance, artifact.filename


def test_agreement_with_keras_is_recorded(model: Any, exported: tuple[Path, list[Any], Any]) -> None:
    folder, artifacts, _ = exported
    images = small_dataset().images[60:]
    expected = model.predict(images.astype(np.float32)[..., None], verbose=0)
    for artifact in artifacts:
        given = runtimes.probabilities(folder / artifact.filename, images)
        assert artifact.agreement.images == len(images)
        assert artifact.agreement.same_top1 == (given.argmax(1) == expected.argmax(1)).sum()
        assert artifact.agreement.max_difference == pytest.approx(np.abs(given - expected).max(), abs=1e-5)


def test_a_model_s_cost_is_that_of_its_int8_file(model: Any, exported: tuple[Path, list[Any], Any]) -> None:
    folder, artifacts, _ = exported
    (folder.parent / "models" / "tiny").mkdir(parents=True)
    (folder.parent / "models" / "tiny" / "int8.tflite").write_bytes((folder / "int8.tflite").read_bytes())
    budget = Budget(macs=None, bytes=1, latency_ratio=1, reference="tiny")
    found = measures.measures(budget, folder.parent / "models", small_dataset().images)
    size = next(a.bytes for a in artifacts if a.filename == "int8.tflite")
    assert found["bytes"](model) == pytest.approx(size, rel=0.02)
    assert 0.7 < found["latency_ratio"](model) < 1.4, "a file over itself, on a machine that may be busy"


def test_a_ratio_by_turns_sees_which_is_slower(exported: tuple[Path, list[Any], Any]) -> None:
    from tests.conftest import MODELS

    small, large = exported[0] / "int8.tflite", MODELS / "resvgg19" / "int8.tflite"
    images = small_dataset().images
    assert timing.ratio_by_turns(large, small, images) > 5


def skewed(content: bytes) -> bytes:
    """The file with the biases of all layers but the last off by what quantisation may do at its worst."""
    changed = bytearray(content)
    for layer in bias._layers(changed)[:-1]:
        layer.codes[:] += np.round(0.3 / layer.scales).astype(np.int32)
    return bytes(changed)


def test_biases_are_brought_back(exported: tuple[Path, list[Any], Any], tmp_path: Path) -> None:
    folder, images = exported[0], small_dataset().images
    fp32, int8 = (folder / f"{variant}.tflite" for variant in ("fp32", "int8"))
    expected = runtimes.probabilities(fp32, images)

    def off(content: bytes) -> float:
        (tmp_path / "x.tflite").write_bytes(content)
        return float(np.abs(runtimes.probabilities(tmp_path / "x.tflite", images) - expected).mean())

    plain = int8.read_bytes()
    wrong = skewed(plain)
    right = bias.corrected(wrong, fp32.read_bytes(), images)
    assert len(right) == len(plain)
    assert off(wrong) > 5 * off(plain)
    assert off(right) < off(wrong) / 3


def test_biases_are_corrected_where_int8_answers_otherwise_and_only_then(
    exported: tuple[Path, list[Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, path = small_dataset().images, tmp_path / "int8.tflite"
    for variant in ("fp32", "int8"):
        (tmp_path / f"{variant}.tflite").write_bytes((exported[0] / f"{variant}.tflite").read_bytes())
    plain = path.read_bytes()
    monkeypatch.setattr(package, "ALIKE", 0.0)
    assert package._correct(path, images, images) == ""
    monkeypatch.setattr(package, "ALIKE", 1.1)
    monkeypatch.setattr(bias, "corrected", lambda *words: skewed(plain))
    assert package._correct(path, images, images) == "", "it made things worse"
    assert path.read_bytes() == plain
    path.write_bytes(skewed(plain))
    monkeypatch.setattr(bias, "corrected", lambda *words: plain)
    assert package._correct(path, images, images).startswith("; biases corrected: fp32's answer for ")
    assert path.read_bytes() == plain


def test_int8_takes_pixels_minus_128(exported: tuple[Path, list[Any], Any]) -> None:
    _, artifacts, _ = exported
    int8 = next(a for a in artifacts if a.filename == "int8.tflite")
    assert int8.input == TensorSpec(shape=(1, 48, 48, 1), dtype="int8", scale=1.0, zero_point=-128)
    assert int8.output.dtype == "int8"


def test_onnx_is_old_enough_for_old_boards(exported: tuple[Path, list[Any], Any]) -> None:
    for path in exported[0].glob("*.onnx"):
        loaded = onnx_package.load(path)
        assert loaded.ir_version <= 7
        assert {o.version for o in loaded.opset_import if o.domain == ""} == {13}


def test_onnx_weights_leave_room_for_16_bit_sums(exported: tuple[Path, list[Any], Any]) -> None:
    graph = onnx_package.load(exported[0] / "int8.onnx").graph
    weights = [onnx_package.numpy_helper.to_array(i) for i in graph.initializer if i.name.endswith("_quantized")]
    whole = [w for w in weights if w.dtype == np.int8 and w.ndim >= 2]
    assert len(whole) >= 7
    # x86 without VNNI adds two products of a uint8 and an int8 in 16 bits: 2 * 255 * 64 fits, 2 * 255 * 127 doesn't
    assert max(int(np.abs(w.astype(int)).max()) for w in whole) <= 64


def test_quantise_rounds_and_clips() -> None:
    images = np.array([[[0, 128, 255]]], dtype=np.uint8)
    spec = TensorSpec(shape=(1, 1, 3, 1), dtype="int8", scale=1.0, zero_point=-128)
    assert runtimes.quantise(images, spec).ravel().tolist() == [-128, 0, 127]
    half = TensorSpec(shape=(1, 1, 3, 1), dtype="uint8", scale=0.5, zero_point=0)
    assert runtimes.quantise(images, half).ravel().tolist() == [0, 255, 255]


def test_a_converter_s_refusal_is_a_build_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    monkeypatch.setattr(onnx, "_to_onnx", lambda model, path: 1 / 0)
    with pytest.raises(BuildError, match=r"tiny: ONNX fp32"):
        onnx.export_onnx(model, tmp_path / "x.onnx", "fp32", small_dataset().images)


def test_dense_layers_stay_readable_by_old_runtimes(exported: tuple[Path, list[Any], Any]) -> None:
    schema = pytest.importorskip("tensorflow.lite.python.schema_py_generated")
    for path in exported[0].glob("*.tflite"):
        codes = schema.Model.GetRootAsModel(path.read_bytes(), 0)
        found = [codes.OperatorCodes(k) for k in range(codes.OperatorCodesLength())]
        dense = [c.Version() for c in found if c.BuiltinCode() == schema.BuiltinOperator.FULLY_CONNECTED]
        assert dense, path.name
        assert max(dense) <= 9, path.name
