"""Exports every variant of a model and records each file's properties and accuracy."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.core.files import sha256_bytes, write_atomic
from harness.data.dataset import Dataset, Split
from harness.records.manifest import VARIANTS, Agreement, Artifact, Format, Variant
from harness.training.arrays import Images, Index, Model
from harness.training.export import bias, onnx, runtimes, tflite
from harness.training.train.epochs import as_input

#: an int8 file that agrees with fp32 on a smaller share of training and validation images gets its biases corrected
ALIKE = 0.995
#: counts of answers: row = truth, column = answer
Confusion = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class ExportImages:
    """The images that an export needs, uint8 (N, h, w[, 3]).

    Attributes:
        calibration: training images that set int8 ranges.
        validation: images of the validation split; together with those above they decide whether int8's biases are
            corrected.
        test: images for measuring accuracy.
        labels: classes of the test images, int64 (N,).
        classes: the number of classes.
    """

    calibration: Images
    validation: Images
    test: Images
    labels: Index
    classes: int

    @classmethod
    def of(cls, dataset: Dataset, split: Split, *, calibration: Images) -> ExportImages:
        """The images of a split."""
        return cls(
            calibration=calibration,
            validation=dataset.images[split.validation],
            test=dataset.images[split.test],
            labels=dataset.labels[split.test],
            classes=len(dataset.classes),
        )


@dataclass(frozen=True)
class _Measured:
    """The accuracy of a file's answers to the test images, and a note on the correction of its biases."""

    accuracy: float
    agreement: Agreement
    correction: str


def export_all(
    model: Model, folder: Path, images: ExportImages, *, progress: Callable[[str], None]
) -> tuple[list[Artifact], Confusion]:
    """Write ``<variant>.<format>`` files into ``folder`` and measure each with its runtime.

    Args:
        model: the trained Keras model.

    Returns:
        One record per file, and the fp32 TFLite model's confusion matrix.

    Raises:
        BuildError: a converter failed, or a file's outputs are not finite.
    """
    expected = np.asarray(model.predict(as_input(images.test), batch_size=64, verbose=0))
    artifacts = []
    confusion = np.zeros((images.classes, images.classes), dtype=np.int64)
    for variant in VARIANTS:
        for fmt in formats(variant):
            path = folder / f"{variant}.{fmt}"
            correction = _write(model, path, variant, images)
            answers = runtimes.probabilities(path, images.test)
            if (variant, fmt) == ("fp32", "tflite"):
                np.add.at(confusion, (images.labels, answers.argmax(1)), 1)
            accuracy, alike = float((answers.argmax(1) == images.labels).mean()), agreement(answers, expected)
            artifacts.append(_record(path, variant, _Measured(accuracy, alike, correction)))
            progress(
                f"{model.name}: {path.name} {artifacts[-1].bytes} bytes, accuracy {accuracy:.4f}, as Keras says on "
                f"{alike.same_top1} of {alike.images}"
            )
    return artifacts, tuple(tuple(int(n) for n in row) for row in confusion)


def _write(model: Model, path: Path, variant: Variant, images: ExportImages) -> str:
    """Write one file; returns a note on the correction of its biases."""
    if path.suffix == ".onnx":
        onnx.export_onnx(model, path, variant, images.calibration)
        return ""
    tflite.export_tflite(model, path, variant, images.calibration)
    if variant != "int8":
        return ""
    return _correct(path, np.concatenate([images.calibration, images.validation]), images.calibration)


def formats(variant: Variant) -> tuple[Format, ...]:
    """File formats of a variant; only TFLite has dynamic range."""
    return ("tflite",) if variant == "dynamic" else ("tflite", "onnx")


def _correct(path: Path, checked: Images, training: Images) -> str:
    """Correct the biases of an int8 file that often disagrees with the fp32 file beside it, if that helps; returns a
    note on it. The test images have no influence.
    """
    whole = path.with_name("fp32.tflite")
    answers = runtimes.probabilities(whole, checked).argmax(1)

    def alike() -> float:
        return float((runtimes.probabilities(path, checked).argmax(1) == answers).mean())

    if (before := alike()) >= ALIKE:
        return ""
    plain = path.read_bytes()
    write_atomic(path, bias.corrected(plain, whole.read_bytes(), training))
    if (after := alike()) > before:
        return f"; biases corrected: fp32's answer for {after:.1%} of training and validation images, not {before:.1%}"
    write_atomic(path, plain)
    return ""


def agreement(answers: npt.NDArray[np.float64], expected: npt.NDArray[np.floating]) -> Agreement:
    """The agreement of a file's probabilities (N, classes) with the Keras model's."""
    return Agreement(
        same_top1=int((answers.argmax(1) == expected.argmax(1)).sum()),
        images=len(answers),
        max_difference=float(np.abs(answers - expected).max()),
    )


def _record(path: Path, variant: Variant, measured: _Measured) -> Artifact:
    content = path.read_bytes()
    fmt: Format = "tflite" if path.suffix == ".tflite" else "onnx"
    input_spec, output_spec = runtimes.tensor_specs(path)
    return Artifact(
        variant=variant,
        format=fmt,
        sha256=sha256_bytes(content),
        bytes=len(content),
        gzip_bytes=len(gzip.compress(content, 9, mtime=0)),
        inputs=(input_spec,),
        outputs=(output_spec,),
        quantisation=(tflite.QUANTISATION if fmt == "tflite" else onnx.QUANTISATION)[variant] + measured.correction,
        accuracy=measured.accuracy,
        accuracy_runtime=runtimes.runtime_name(path),
        agreement=measured.agreement,
    )
