"""One stored JSON file: read with a limit on its size, brought to today's schema, checked against it.

Every problem is a :class:`~harness.core.errors.StoreError` that names the file.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from harness.core.errors import StoreError

_Model = TypeVar("_Model", bound=BaseModel)
Migration = Callable[[dict[str, Any]], dict[str, Any]]


def read(path: Path, limit: int) -> bytes:
    """The bytes of a plain file.

    Raises:
        StoreError: no such file, not a plain one, or larger than ``limit`` bytes.
    """
    try:
        # without O_NONBLOCK, opening a named pipe would wait for ever
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
    """Up to ``most`` bytes; usually the first read has them all."""
    parts = [os.read(number, min(most, 1 << 20))]
    while parts[-1] and sum(map(len, parts)) < most:
        parts.append(os.read(number, 1 << 20))
    return parts[0] if len(parts) == 2 else b"".join(parts)


def parse(path: Path, data: bytes) -> dict[str, Any]:
    """The file's JSON object.

    Raises:
        StoreError: not JSON, not an object, or with NaN or infinities.
    """
    try:
        content = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise StoreError(f"{path}: not whole JSON: {error}") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path}: not a JSON object")
    return content


def migrated(path: Path, data: bytes, migrations: Mapping[int, Migration]) -> dict[str, Any]:
    """A file's JSON object, brought step by step to today's schema: the one that the last of ``migrations`` leads to.

    Raises:
        StoreError: not JSON, without a schema number, or of a newer schema.
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


def validated(model: type[_Model], path: Path, content: dict[str, Any]) -> _Model:
    """The record that a JSON object holds.

    Raises:
        StoreError: the object is not what the model says; the first place where it differs is named.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise StoreError(f"{path}: {place}: {first['msg']}") from error


def dump(record: BaseModel) -> str:
    """JSON with one top-level key a line: short enough to store, still readable and diffable by people."""
    fields = record.model_dump(mode="json", by_alias=True)
    lines = (
        f" {json.dumps(key)}: {json.dumps(value, separators=(',', ':'), ensure_ascii=False, allow_nan=False)}"
        for key, value in fields.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"
