"""The cost that a model would have once exported, measured while it is pruned to a budget."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness.core.errors import UsageError
from harness.training.arrays import Images, Model
from harness.training.compress.budget import Budget, Measure
from harness.training.export import tflite, timing

#: number of calibration images; neither size nor speed depends on the ranges that they set
FEW = 8


def reference_file(name: str, models: Path) -> Path:
    """The reference file of a latency ratio.

    Raises:
        UsageError: it doesn't exist.
    """
    path = models / name / "int8.tflite"
    if not path.exists():
        raise UsageError(f"{path}: a latency ratio is of this file, and it isn't there",
                         fix=f"harness build {name}")  # fmt: skip
    return path


def measures(budget: Budget, models: Path, images: Images) -> Mapping[str, Measure]:
    """How the targets of a budget are measured, by name.

    Args:
        models: the folder with the reference's file.
        images: training images uint8 (N, h, w[, 3]).

    Raises:
        UsageError: the reference's file doesn't exist.
    """

    def bytes_of(model: Model) -> float:
        with tempfile.TemporaryDirectory() as folder:
            return float(_int8(model, folder, images).stat().st_size)

    by_target: dict[str, Measure] = {"bytes": bytes_of}
    if budget.latency_ratio is not None:
        reference = reference_file(budget.reference, models)

        def ratio_of(model: Model) -> float:
            with tempfile.TemporaryDirectory() as folder:
                return timing.ratio_by_turns(_int8(model, folder, images), reference, images[:100])

        by_target["latency_ratio"] = ratio_of
    return by_target


def _int8(model: Model, folder: str, images: Images) -> Path:
    path = Path(folder) / "int8.tflite"
    tflite.export_tflite(model, path, "int8", images[:FEW])
    return path
