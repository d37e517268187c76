"""Exports every variant of a model and records what each file is and how accurate it is."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.files import sha256_bytes, write_atomic
from harness.records.manifest import VARIANTS, Agreement, Artifact, Format, Variant
from harness.training.export import bias, onnx, runtimes, tflite

#: an int8 file that gives fp32's answer for a smaller share of training and validation images gets its biases corrected
ALIKE = 0.995

Images = npt.NDArray[np.uint8]


def export_all(
    model: Any,
    folder: Path,
    *,
    representative: Images,
    validation: Images,
    images: Images,
    labels: npt.NDArray[np.int64],
    classes: int,
    progress: Callable[[str], None],
) -> tuple[list[Artifact], tuple[tuple[int, ...], ...]]:
    """Write ``<variant>.<format>`` files into ``folder`` and measure each with its runtime.

    Args:
        model: the trained Keras model.
        representative: training images uint8 (N, 48, 48) that set int8 ranges.
        validation: images of the validation split: with those above they decide whether int8's biases are corrected.
        images, labels: the test split.
        classes: how many there are.

    Returns:
        One record per file, and the fp32 TFLite model's confusion matrix (row = truth).
    """
    expected = np.asarray(model.predict(images.astype(np.float32)[..., None], batch_size=64, verbose=0))
    artifacts = []
    confusion = np.zeros((classes, classes), dtype=np.int64)
    for variant in VARIANTS:
        for fmt in formats(variant):
            path = folder / f"{variant}.{fmt}"
            export = tflite.export_tflite if fmt == "tflite" else onnx.export_onnx
            export(model, path, variant, representative)
            more = ""
            if (variant, fmt) == ("int8", "tflite"):
                more = _correct(path, np.concatenate([representative, validation]), representative)
            given = runtimes.probabilities(path, images)
            guess = given.argmax(1)
            if (variant, fmt) == ("fp32", "tflite"):
                np.add.at(confusion, (labels, guess), 1)
            right, alike = float((guess == labels).mean()), agreement(given, expected)
            artifacts.append(_record(path, variant, fmt, right, alike, more))
            progress(
                f"{model.name}: {path.name} {artifacts[-1].bytes} bytes, accuracy {right:.4f}, as Keras says on "
                f"{alike.same_top1} of {alike.images}"
            )
    return artifacts, tuple(tuple(int(n) for n in row) for row in confusion)


def formats(variant: Variant) -> tuple[Format, ...]:
    """File formats a variant exists in: dynamic range is TFLite's alone."""
    return ("tflite",) if variant == "dynamic" else ("tflite", "onnx")


def _correct(path: Path, checked: Images, training: Images) -> str:
    """Correct the biases of an int8 file that often answers otherwise than the fp32 file beside it, if that helps; what
    was done, in words. The test images have no say."""
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


def agreement(given: npt.NDArray[np.float64], expected: npt.NDArray[Any]) -> Agreement:
    """How a file's probabilities (N, classes) compare with the Keras model's."""
    return Agreement(
        same_top1=int((given.argmax(1) == expected.argmax(1)).sum()),
        images=len(given),
        max_difference=float(np.abs(given - expected).max()),
    )


def _record(path: Path, variant: Variant, fmt: Format, accuracy: float, alike: Agreement, more: str) -> Artifact:
    content = path.read_bytes()
    taken, given = runtimes.tensor_specs(path)
    return Artifact(
        variant=variant,
        format=fmt,
        sha256=sha256_bytes(content),
        bytes=len(content),
        gzip_bytes=len(gzip.compress(content, 9, mtime=0)),
        input=taken,
        output=given,
        quantisation=(tflite.QUANTISATION if fmt == "tflite" else onnx.QUANTISATION)[variant] + more,
        accuracy=accuracy,
        accuracy_runtime=runtimes.runtime_name(path),
        agreement=alike,
    )
