"""The lock file of a device list: the hashes of releases that were asked for by name, fixed when each was first used.

It lies beside the device list (``devices.yaml`` has ``devices.lock.json``), is meant to be committed, and holds no
address of an index. Its rows have the form of wheels.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from harness.core.errors import ConfigError
from harness.core.files import read_text, write_atomic
from harness.core.locks import locked
from harness.runtimes.requested import RELEASE
from harness.runtimes.wheels import Bundle, Platform, Wheel

MAX_BYTES = 4 << 20
_MOST_ROWS = 5000
_COMMENT = "Wheels of releases that the device list names. Written by harness run; commit it."

_Short = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
_Number = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}\.[0-9]{1,3}$")]
#: A wheel's name, which is no path.
_FILE = r"^[A-Za-z0-9_.+!]{1,100}(-[A-Za-z0-9_.+!]{1,100}){4,5}\.whl$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class _WheelRow(_Strict):
    file: Annotated[str, StringConstraints(pattern=_FILE)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(ge=1, le=1 << 31, alias="bytes")]


class _Row(_Strict):
    runtime: _Short
    version: Annotated[str, StringConstraints(pattern=f"^{RELEASE}$", max_length=40)]
    python: _Number
    machine: _Short
    glibc: _Number
    wheels: Annotated[tuple[_WheelRow, ...], Field(min_length=1, max_length=8)]
    system: Annotated[tuple[_Short, ...], Field(max_length=8)] = ()


class _File(_Strict):
    schema_version: Literal[1] = Field(alias="schema")
    comment: Annotated[str, StringConstraints(max_length=1000)] = ""
    rows: Annotated[tuple[_Row, ...], Field(max_length=_MOST_ROWS)]


def lock_path(devices: Path) -> Path:
    """The lock file of a device list: ``lab.yaml`` has ``lab.lock.json``. A list from a pipe has one in this folder."""
    if devices.is_absolute() and devices.parts[1:2] in (("dev",), ("proc",)):
        return Path("devices.lock.json")
    return devices.with_suffix(".lock.json")


def read(path: Path) -> tuple[Bundle, ...]:
    """All rows of a lock file; none where the file does not exist.

    Raises:
        ConfigError: the file can't be read, or is no lock file.
    """
    try:
        rows = _File.model_validate_json(read_text(path, MAX_BYTES)).rows
    except ConfigError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return ()
        raise
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        text = f"is no lock file: {where + ': ' if where else ''}{first['msg']}"[:300]
        fix = "take it from your version control; without it, hashes are fixed anew"
        raise ConfigError(text, file=str(path), fix=fix) from error
    return tuple(_bundle(row, path) for row in rows)


def _bundle(row: _Row, path: Path) -> Bundle:
    major, minor = map(int, row.glibc.split("."))
    return Bundle(
        runtime=row.runtime,
        version=row.version,
        python=row.python,
        machine=row.machine,
        glibc=(major, minor),
        wheels=tuple(Wheel(wheel.file, wheel.sha256, wheel.size_bytes) for wheel in row.wheels),
        system=row.system,
        pinned_in=path.name,
    )


def row_for(rows: Iterable[Bundle], runtime: str, release: str, platform: Platform) -> Bundle | None:
    """The row of a release for a platform; None where there is none that runs there."""
    wanted = (runtime, release, platform.python, platform.machine)
    fitting = (row for row in rows if (row.runtime, row.version, row.python, row.machine) == wanted)
    return next((row for row in fitting if platform.glibc is not None and row.glibc <= platform.glibc), None)


def fixed(path: Path, bundle: Bundle, platform: Platform) -> Bundle:
    """The bundle's row in the lock file, which is added unless another process has added one meanwhile.

    Raises:
        ConfigError, StoreError: the file can't be read or written; it is then as it was.
    """
    with locked(path.with_name(f".{path.name}.lock")):
        rows = read(path)
        there = row_for(rows, bundle.runtime, bundle.version, platform)
        if there is not None:
            return there
        write_atomic(path, _text([*rows, bundle]))
    return _bundle(_row(bundle), path)


def _row(bundle: Bundle) -> _Row:
    return _Row(
        runtime=bundle.runtime,
        version=bundle.version,
        python=bundle.python,
        machine=bundle.machine,
        glibc=".".join(map(str, bundle.glibc)),
        wheels=tuple(
            _WheelRow(file=wheel.file, sha256=wheel.sha256, size_bytes=wheel.size_bytes) for wheel in bundle.wheels
        ),
        system=bundle.system,
    )


def _text(bundles: Sequence[Bundle]) -> str:
    """The file's text: sorted, so that two people's additions merge."""
    rows = sorted(map(_row, bundles), key=lambda row: (row.runtime, row.python, row.machine, row.version, row.glibc))
    plain = [row.model_dump(by_alias=True, mode="json") for row in rows]
    return json.dumps({"schema": 1, "comment": _COMMENT, "rows": plain}, indent=1) + "\n"
