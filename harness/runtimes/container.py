"""A converted network as one file: a line of JSON, and behind it the files that its runtime reads.

A board's store keeps one file for each network, by its hash. ncnn's networks are two files, and neither ncnn's nor
MNN's say which shapes and element types the artifact's tensors have. The half on the board is
``harness/ondevice/runner/container.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

#: Version of the form.
FORM = 1


@dataclass(frozen=True)
class Blob:
    """An input or output: what the runtime calls it, and the artifact's name, shape and element type of it.

    ``batch`` is the axis of one that the runtime leaves away; None if it keeps all.
    """

    blob: str
    name: str
    shape: tuple[int, ...]
    dtype: str
    batch: int | None = None


def packed(parts: Mapping[str, bytes], inputs: Sequence[Blob], outputs: Sequence[Blob]) -> bytes:
    """The one file.

    Args:
        parts: the runtime's own files, by the names that its half on the board knows.
        inputs, outputs: in the artifact's order.
    """
    header = {
        "harness": FORM,
        "parts": [{"name": name, "bytes": len(content)} for name, content in parts.items()],
        "inputs": [asdict(blob) for blob in inputs],
        "outputs": [asdict(blob) for blob in outputs],
    }
    return json.dumps(header, sort_keys=True).encode("ascii") + b"\n" + b"".join(parts.values())
