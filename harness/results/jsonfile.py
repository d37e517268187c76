"""Reads one stored JSON file: with a limit on its size, migrated to the present schema, and checked against it.

Each problem raises a :class:`~harness.core.errors.StoreError` that names the file.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from harness.core.errors import StoreError

_Model = TypeVar("_Model", bound=BaseModel)
JsonObject = dict[str, object]
Migration = Callable[[JsonObject], JsonObject]


def read(path: Path, limit: int) -> bytes:
    """The bytes of a regular file.

    Raises:
        StoreError: the file is missing, is not a regular file, or is larger than ``limit`` bytes.
    """
    try:
        # without O_NONBLOCK, the open of a named pipe would wait forever
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            state = os.fstat(number)
            if not stat.S_ISREG(state.st_mode):
                raise StoreError(f"{path}: not a plain file")
            data = b"" if state.st_size > limit else _read_all(number, limit + 1)
        finally:
            os.close(number)
    except OSError as error:
        raise StoreError(f"{path}: can't be read: {error.strerror}") from error
    if len(data) > limit or state.st_size > limit:
        raise StoreError(f"{path}: larger than the {limit >> 20} MiB such a file can have")
    return data


def _read_all(number: int, most: int) -> bytes:
    """Read up to ``most`` bytes. Usually the first read returns all of them."""
    parts = [os.read(number, min(most, 1 << 20))]
    while parts[-1] and sum(map(len, parts)) < most:
        parts.append(os.read(number, 1 << 20))
    return parts[0] if len(parts) == 2 else b"".join(parts)


def parse(path: Path, data: bytes) -> JsonObject:
    """The file's JSON object.

    Raises:
        StoreError: the data is not JSON or not an object, or it holds NaN or infinities.
    """
    try:
        content = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise StoreError(f"{path}: not whole JSON: {error}") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path}: not a JSON object")
    return content


def migrated(path: Path, data: bytes, migrations: Mapping[int, Migration]) -> JsonObject:
    """A file's JSON object, migrated step by step to the present schema: the one that the last migration leads to.

    Raises:
        StoreError: the data is not JSON, has no schema number, or has a newer schema.
    """
    content, newest = parse(path, data), max(migrations, default=0) + 1
    version = content.get("schema")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise StoreError(f"{path}: no schema number, so not one of our files")
    if version > newest:
        raise StoreError(f"{path}: schema {version} is newer than {newest}", fix="use a newer harness")
    for step in range(version, newest):
        content = migrations[step](content)
    return content


def validated(model: type[_Model], path: Path, content: JsonObject) -> _Model:
    """The record that a JSON object holds.

    Raises:
        StoreError: the object does not match the model; the message names the first mismatch.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise StoreError(f"{path}: {place}: {first['msg']}") from error


def dump(record: BaseModel) -> str:
    """JSON with one top-level key on each line: compact, but readable and diffable."""
    fields = record.model_dump(mode="json", by_alias=True)
    lines = (
        f" {json.dumps(key)}: {json.dumps(value, separators=(',', ':'), ensure_ascii=False, allow_nan=False)}"
        for key, value in fields.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"
