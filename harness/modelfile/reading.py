"""Reading a model file of any kind: the format is decided by the content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.modelfile.record import ModelFile


def read(path: Path, shapes: Mapping[str, tuple[int, ...]] | None = None) -> ModelFile:
    """Read and check a ``.tflite`` or ``.onnx`` file.

    Args:
        shapes: shapes of inputs by their names, for inputs with dynamic dimensions.

    Raises:
        ModelFileError: (a UsageError) the file is missing, damaged, no model, or one that can't be run as it is; or an
            input's shape has to be chosen, or was chosen wrongly.
    """
    raise NotImplementedError
