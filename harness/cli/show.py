"""``harness show``: what is in a model file, and which boards can take it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Json, Models, Only, files_of, split
from harness.cli.output import plain_lines

if TYPE_CHECKING:
    from harness.modelfile.boards import Board, Way
    from harness.modelfile.record import ModelFile
    from harness.records.tensor import TensorSpec

_DEVICES = Path("devices.yaml")
_OPERATORS_A_LINE = 6


@dataclass(frozen=True)
class _Shown:
    """One file, and by board every way to run it there."""

    file: ModelFile
    boards: dict[str, tuple[Way, ...]]


def show(
    model: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A network under models/, or a model file.")],
    devices: Annotated[
        Path | None, typer.Option("--devices", help="The device list; without one, all known boards.")
    ] = None,
    only: Only = None,
    shape: Annotated[
        list[str] | None, typer.Option(help="Sizes of an input with open ones: input=1x3x224x224.")
    ] = None,
    models: Models = Path("models"),
    as_json: Json = False,
) -> None:
    """Show what is in a model file, and which boards and runtimes can take it."""
    from harness.modelfile.shapes import given

    sizes = given(shape or [])
    boards = _boards(devices, split(only))
    shown = [_with_ways(file, boards) for file in files_of(model, models, sizes)]
    if as_json:
        print(json.dumps({"name": model, "files": [_as_json(one) for one in shown]}))
    else:
        print(plain_lines("\n".join(line for one in shown for line in _lines(one))))


def _boards(devices: Path | None, only: tuple[str, ...]) -> dict[str, Board]:
    """Boards by name: those of the device list, or all kinds where there is no list."""
    from harness.boards.registry import FAMILIES
    from harness.config.devices import load
    from harness.modelfile.boards import expected

    if devices is None and not _DEVICES.is_file() and not only:
        return {family.name: expected(family, local=not family.systems) for family in FAMILIES.values()}
    fleet = load(devices or _DEVICES).only(list(only))
    return {
        device.name: replace(
            expected(device.family, emulated=device.emulate, local=device.local, os=device.os),
            runtimes=device.runtimes or (),
            delegates=device.delegates,
        )
        for device in fleet.devices
    }


def _with_ways(file: ModelFile, boards: dict[str, Board]) -> _Shown:
    from harness.modelfile.boards import ways
    from harness.runtimes.registry import RUNTIMES, reading

    able = tuple(name for name in reading(file.format) if RUNTIMES[name].stands_in_for is None)
    return _Shown(
        file, {name: ways(file, replace(board, runtimes=board.runtimes or able)) for name, board in boards.items()}
    )


def _lines(shown: _Shown) -> list[str]:
    file = shown.file
    lines = [f"{file.path}: {file.format}, {file.variant}, {file.bytes:,} bytes, SHA-256 {file.sha256[:16]}"]
    lines += [f"  note: {note}" for note in file.notes]
    lines += [f"  input   {_tensor(spec)}" for spec in file.inputs]
    lines += [f"  output  {_tensor(spec)}" for spec in file.outputs]
    parameters = "not counted" if file.parameters is None else f"{file.parameters:,}"
    macs = f"{file.macs:,}" if file.macs is not None else f"not counted: {file.macs_missing}"
    lines += [f"  parameters  {parameters}", f"  multiply-accumulates  {macs}"]
    lines.append("  versions  " + ", ".join(f"{name} {version}" for name, version in file.versions.items()))
    lines += [f"  operators  {line}" for line in _operators(file)]
    for name, ways in shown.boards.items():
        lines += [f"  {name}: {line}" for line in _ways(ways)] or [f"  {name}: harness doctor asks the board itself"]
    return lines


def _operators(file: ModelFile) -> list[str]:
    words = [f"{count} {name}" for name, count in file.operators.items()]
    return [", ".join(words[at : at + _OPERATORS_A_LINE]) for at in range(0, len(words), _OPERATORS_A_LINE)]


def _ways(ways: tuple[Way, ...]) -> list[str]:
    """One line a way. The system is named where the board may have several."""
    several = len({way.system for way in ways}) > 1
    lines = []
    for way in ways:
        what = f"{way.runtime} {way.version}".strip() + ("" if way.delegate == "cpu" else f", {way.delegate}")
        where = f" ({way.system.title})" if several else ""
        lines.append(f"{what}{where}: {'can run it' if way.why is None else way.why}")
    return lines


def _tensor(spec: TensorSpec) -> str:
    sizes = "x".join(str(size or "?") for size in spec.shape) or "a single value"
    scaled = f", scale {spec.scale:g}, zero point {spec.zero_point or 0}" if spec.scale is not None else ""
    declared = ""
    if spec.declared is not None:
        declared = f", in the file {'x'.join('?' if size == -1 else str(size) for size in spec.declared)}"
    return f"{spec.name}: {sizes} {spec.dtype}{scaled}{declared}"


def _as_json(shown: _Shown) -> dict[str, object]:
    file = shown.file
    return {
        "file": str(file.path),
        "format": file.format,
        "variant": file.variant,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "inputs": [spec.model_dump(mode="json") for spec in file.inputs],
        "outputs": [spec.model_dump(mode="json") for spec in file.outputs],
        "operators": dict(file.operators),
        "parameters": file.parameters,
        "macs": file.macs,
        "macs_missing": file.macs_missing or None,
        "versions": dict(file.versions),
        "notes": list(file.notes),
        "boards": {
            name: [
                {
                    "system": way.system.title,
                    "python": way.system.python,
                    "runtime": way.runtime,
                    "version": way.version or None,
                    "delegate": way.delegate,
                    "runs": way.why is None,
                    "why": way.why,
                }
                for way in ways
            ]
            for name, ways in shown.boards.items()
        },
    }


COMMAND = show
