"""Options that several commands share, and the conversion of their text into values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from harness.core.errors import MissingModelError, UsageError
from harness.core.scalars import NotMeantError

if TYPE_CHECKING:
    from harness.modelfile import ModelFile

Devices = Annotated[Path, typer.Option("--devices", help="The device list.", show_default=True)]
Only = Annotated[list[str] | None, typer.Option(help="Only these devices.")]
Results = Annotated[str, typer.Option("--results", help="Where runs are kept: a folder, or s3://bucket/prefix.")]
Models = Annotated[Path, typer.Option("--models", help="Where artifacts are.")]
Frames = Annotated[str, typer.Option(help="Of CK+'s official tree: last3 (of each sequence) or peak.")]
Crop = Annotated[str, typer.Option(help="Of CK+'s official tree: auto, opencv or centre.")]
Task = Annotated[str | None, typer.Option("--task", help="A task: tasks/NAME.yaml, a file, ckplus or faces.")]
On = Annotated[
    str | None,
    typer.Option(
        "--on", help="Spread the work over a Dask cluster: local:N workers here, or a scheduler, tcp://HOST:PORT."
    ),
]
Json = Annotated[bool, typer.Option("--json")]
Word = TypeVar("Word", bound=str)
#: A number in ASCII digits, without Python's underscores, and perhaps a percent sign.
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(%?)")


def split(values: list[str] | None) -> tuple[str, ...]:
    """The values of an option that can be repeated; each may also be a comma-separated list."""
    return tuple(part.strip() for value in values or [] for part in value.split(",") if part.strip())


def whole(values: list[str] | None, option: str, least: int, most: int) -> tuple[int, ...]:
    """The whole numbers of an option that can be repeated or is a comma-separated list.

    Raises:
        UsageError: one is not a whole number, or not between ``least`` and ``most``.
    """
    try:
        numbers = tuple(int(part) for part in split(values))
    except ValueError as error:
        raise UsageError(f"--{option}: {error}", fix=f"--{option} 1,2") from error
    if any(not least <= number <= most for number in numbers):
        raise UsageError(f"--{option}: from {least} to {most}")
    return numbers


def one_of(text: str, option: str, known: tuple[Word, ...]) -> Word:
    """One of the words that an option takes.

    Raises:
        UsageError: it is none of them.
    """
    for word in known:
        if word == text:
            return word
    raise UsageError(f"--{option} '{text}' is unknown", fix=f"one of: {', '.join(known)}")


def runtimes(values: list[str] | None) -> tuple[str, ...]:
    """The runtimes of an option, each ``NAME`` or ``NAME==VERSION``.

    Raises:
        UsageError: there is no such runtime, or a word has another form.
    """
    from harness.runtimes.requested import all_requested

    try:
        return tuple(map(str, all_requested(split(values))))
    except NotMeantError as error:
        raise UsageError(f"--runtime {','.join(values or ())}: {error.text}", fix=error.fix) from error
    except ValueError as error:
        raise UsageError(f"--runtime {error}") from error


def share(text: str, option: str) -> float:
    """Convert ``2%`` or ``0.02`` to 0.02.

    Raises:
        UsageError: the text is not a share above 0 and below 100 %.
    """
    match = _SHARE.fullmatch(text.strip())
    value = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 < value < 1:
        raise UsageError(f"--{option} '{text}' is not a share above 0 and below 100 %", fix=f"--{option} 2%")
    return value


def files_of(model: str, models: Path, sizes: Mapping[str, tuple[int, ...]]) -> list[ModelFile]:
    """The file that a word of the command line names, or those of a network that are there, read.

    Args:
        sizes: shapes of open inputs; of a network they take precedence over those of its manifest.

    Raises:
        MissingModelError: there is no such network.
        UsageError: none of its files is there, or one can't be read.
    """
    from harness.modelfile import names_a_file, read
    from harness.records import manifest as manifests

    if names_a_file(model):
        return [read(Path(model), sizes)]
    known = manifests.names(models)
    if model not in known:
        there = ", ".join(known) or "none"
        raise MissingModelError(f"model '{model}' is not in {models}/ (there: {there})", names=(model,))
    record = manifests.load(models, model)
    here = [(one, path) for one in record.artifacts if (path := models / model / one.filename).is_file()]
    if not here:
        raise UsageError(f"model '{model}' has no file in {models}/", fix=f"harness build {model}")
    return [
        read(path, {spec.name: spec.shape for spec in one.inputs if spec.declared is not None} | dict(sizes))
        for one, path in here
    ]
