"""Weights that an ONNX file keeps in other files beside it: checked, and put into one file with it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from harness.core.safetext import clean
from harness.modelfile.source import LIMIT, Source

_EXTERNAL = 1  # TensorProto.EXTERNAL


def tensors(graph: Any) -> Iterator[Any]:
    """All constant tensors of a graph and of the graphs in it."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer:
                    yield from tensors(inner)


def embed(source: Source, model: Any) -> bool:
    """Read all external weights into the model.

    Returns:
        Whether there were any.

    Raises:
        ModelFileError: a file of weights is missing, too short or not beside the model, or all are too large together.
    """
    outside = [tensor for tensor in tensors(model.graph) if tensor.data_location == _EXTERNAL]
    total = source.size
    for tensor in outside:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        path = _place(source, entries.get("location", ""))
        begin, length = (_whole(source, tensor, entries, key) for key in ("offset", "length"))
        size = path.stat().st_size
        length = size - begin if "length" not in entries else length
        if begin + length > size or length < 0:
            text = f"its weights in {clean(path.name)} are cut off: {begin + length} bytes needed, {size} there"
            raise source.error(text, fix="download that file again")
        total += length
        if total > LIMIT:
            text = f"has over {LIMIT >> 30} GiB with its weights, which no single file can hold"
            raise source.error(text, fix="use a smaller or quantised model")
        _fill(source, tensor, path, begin=begin, length=length)
    return bool(outside)


def _fill(source: Source, tensor: Any, path: Path, *, begin: int, length: int) -> None:
    try:
        with path.open("rb") as file:
            file.seek(begin)
            tensor.raw_data = file.read(length)
    except OSError as error:
        raise source.error(f"its weights in {clean(path.name)} can't be read: {error.strerror}") from error
    tensor.data_location = 0
    del tensor.external_data[:]


def _whole(source: Source, tensor: Any, entries: dict[str, str], key: str) -> int:
    text = entries.get(key, "0")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise source.error(f"external weights '{clean(tensor.name, 100)}' have the {key} '{clean(text, 40)}'")
    return int(text)


def _place(source: Source, location: str) -> Path:
    """The file of weights. It must be below the model's folder, whatever links are on the way.

    Raises:
        ModelFileError: it isn't, or there is none.
    """
    shown = clean(location, 200)
    folder = source.path.absolute().parent
    pure = PurePosixPath(location)
    absolute = pure.is_absolute() or PureWindowsPath(location).is_absolute()
    if not location or "\0" in location or absolute or ".." in (*pure.parts, *PureWindowsPath(location).parts):
        text = f"keeps weights in '{shown}', which is not a file beside it"
        raise source.error(text, fix="export it again, or save it with onnx.save_model(model, path)")
    path = folder / location
    try:
        state = path.stat()
        inside = path.resolve().is_relative_to(folder.resolve())
    except FileNotFoundError as error:
        text = f"keeps weights in '{shown}', which is not there"
        raise source.error(text, fix=f"put that file into {clean(folder)}") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise source.error(f"keeps weights in '{shown}', which can't be read") from error
    if not inside:
        text = f"keeps weights in '{shown}', a link to a file outside {clean(folder)}"
        raise source.error(text, fix="put the file itself there")
    if not stat.S_ISREG(state.st_mode) or not os.access(path, os.R_OK):
        raise source.error(f"keeps weights in '{shown}', which is no readable file")
    return path
