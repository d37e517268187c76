"""Adds accuracy on strangers to a stored manifest, and leaves every other byte of it as it is.

Shipped manifests are under version control, and were written by several versions of the harness. Writing a whole record
again would change numbers' notation, the order of keys and the schema, and hide the one change in a long difference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from harness.core.files import write_atomic
from harness.records import manifest as manifests
from harness.records.manifest import Manifest, Unseen

#: A value of JSON whose numbers are still text.
_Json = object


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def put_unseen(models: Path, name: str, found: Mapping[str, Unseen]) -> Manifest:
    """Put accuracies on strangers into the manifest of a network, in place of earlier ones; returns it as read again.

    Args:
        found: by the SHA-256 of the artifact's file; other artifacts keep what they have.

    Raises:
        ArtifactError: the manifest can't be read.
        StoreError: it can't be written.
    """
    manifests.load(models, name)  # refuses a damaged one with its own words
    path = models / name / "manifest.json"
    content = read(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    for artifact in content["artifacts"]:
        if (score := found.get(artifact["sha256"])) is not None:
            artifact["unseen"] = read(score.model_dump_json())
    write_atomic(path, text(content) + "\n")
    return manifests.load(models, name)


def read(content: str) -> _Json:
    """JSON whose numbers stay text, for :func:`text`."""
    return json.loads(content, parse_float=_Number, parse_int=_Number)


def text(value: _Json, level: int = 0) -> str:
    """A value of :func:`read` as manifests are written: one space of indentation a level."""
    if isinstance(value, _Number):
        return str(value)
    if not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False)
    inside, outside = "\n" + " " * (level + 1), "\n" + " " * level
    if isinstance(value, dict):
        items = [f"{json.dumps(key, ensure_ascii=False)}: {text(each, level + 1)}" for key, each in value.items()]
        return "{" + inside + f",{inside}".join(items) + outside + "}"
    return "[" + inside + f",{inside}".join(text(each, level + 1) for each in value) + outside + "]"
