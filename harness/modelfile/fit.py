"""Whether a board's runtime can take a network: asked before anything is sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

from harness.modelfile.record import ModelFile, Target
from harness.runtimes.registry import RUNTIMES, possible

_FLEX = "Flex"
#: Domains that ONNX Runtime has beside the standard one.
_ONNX_DOMAINS = ("com.microsoft.", "ai.onnx.ml.", "ai.onnx.training.", "ai.onnx.preview.")
#: A network that is compiled already, for its delegate.
_COMPILED = "edgetpu-custom-op"
_SHOWN = 3
_Release = tuple[int, ...]


def fits(file: ModelFile, target: Target) -> str | None:
    """The reason why a target can't run the file, in one line; None where nothing speaks against it.

    A runtime's release that is not in the tables (``releases.json``) is taken for the nearest older one; nothing is
    said of one that is older than all of them.
    """
    runtime = RUNTIMES[target.runtime]
    if file.format not in runtime.formats:
        return f"{runtime.title} reads no .{file.format} file"
    if target.delegate not in {delegate.name for delegate in runtime.delegates} or not possible(
        target.delegate, file.format
    ):
        return f"{runtime.title} has no delegate '{target.delegate}'"
    by_format = _onnx(file, target) if file.format == "onnx" else _tflite(file, target)
    return by_format or _edgetpu(file, target) or _memory(file, target)


def _onnx(file: ModelFile, target: Target) -> str | None:
    """By what is known of ONNX Runtime. Other runtimes that read ONNX say themselves what they can't load."""
    if target.runtime != "onnxruntime":
        return None
    others = [name for name in file.custom if not name.startswith(_ONNX_DOMAINS)]
    if others:
        return f"{RUNTIMES[target.runtime].title} has no {_listed('operator', others)}"
    limits = _onnx_limits(_release(target.version))
    if limits is None:
        return None
    for what, label, most in (("ir", "IR version", limits.ir), ("opset", "opset", limits.opset)):
        if file.versions.get(what, 0) > most:
            text = f"{label} {file.versions[what]} is too new for ONNX Runtime {target.version}"
            return f"{text}, which takes {most} at most (export it with {label} {most})"
    return None


def _tflite(file: ModelFile, target: Target) -> str | None:
    title = RUNTIMES[target.runtime].title
    flex = [name for name in file.custom if name.startswith(_FLEX)]
    if flex:
        return f"{_listed('operator', flex)} of TensorFlow (Flex), which {title} does not have"
    if _COMPILED in file.custom:
        return None if target.delegate == "edgetpu" else "is compiled for the Edge TPU and runs nowhere else"
    if target.runtime not in {runtime for runtime, _ in _tflite_rows()}:
        return None  # it says itself what it can't load
    known = _operators(target)
    custom = [name for name in file.custom if known is None or not known.get(name)]
    if custom:
        return f"{title} {target.version} has no custom {_listed('operator', custom)}"
    if known is None:
        return _by_note(file, target)
    missing = [name for name in file.operator_versions if not known.get(name)]
    if missing:
        return f"{title} {target.version} has no {_listed('operator', missing)}"
    wanted = {name: n for name, n in file.operator_versions.items() if name not in file.custom and n > known[name]}
    if wanted:
        newer = [f"{name} {n} (it has {known[name]})" for name, n in wanted.items()]
        return f"{title} {target.version} has older versions of {_listed('operator', newer)}"
    return None


def _by_note(file: ModelFile, target: Target) -> str | None:
    """By the converter's note on the oldest runtime, for releases that are in no table: TensorFlow's own numbers."""
    if target.runtime != "tflite" or not target.version or not file.min_runtime:
        return None
    if _release(file.min_runtime) <= _release(target.version):
        return None
    return f"needs TensorFlow Lite {file.min_runtime} by its converter's note, and the board gets {target.version}"


def _edgetpu(file: ModelFile, target: Target) -> str | None:
    if target.delegate != "edgetpu":
        return None
    if file.variant != "int8":
        return f"an Edge TPU takes full int8 alone, and this is {file.variant}"
    return None


def _memory(file: ModelFile, target: Target) -> str | None:
    """Weights, inputs and outputs are the least that any runtime holds."""
    if target.memory_bytes is None or file.bytes <= target.memory_bytes:
        return None
    have = f"{target.memory_bytes / (1 << 20):,.0f} MiB"
    return f"its weights alone take {file.bytes / (1 << 20):,.0f} MiB, and the board has {have} of memory"


def _listed(what: str, names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{what}{'s' if len(names) > 1 else ''} {shown}{more}"


def _release(version: str) -> _Release:
    numbers = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


@dataclass(frozen=True)
class _Limits:
    """The newest files that a release of ONNX Runtime takes."""

    since: _Release
    opset: int
    ir: int


@cache
def _table() -> dict[str, object]:
    text = resources.files("harness.modelfile").joinpath("releases.json").read_text(encoding="utf-8")
    table: dict[str, object] = json.loads(text)
    return table


@cache
def _onnx_rows() -> tuple[_Limits, ...]:
    rows = _table()["onnxruntime"]
    assert isinstance(rows, list)
    return tuple(_Limits(_release(row["since"]), opset=row["opset"], ir=row["ir"]) for row in rows)


def _onnx_limits(release: _Release) -> _Limits | None:
    """The limits of a release; None where it is unknown, or newer than all that were tried."""
    newest = _release(str(_table()["newest_onnxruntime"]))
    if not release or release[:2] > newest:
        return None
    return next((row for row in reversed(_onnx_rows()) if row.since <= release), None)


@cache
def _tflite_rows() -> dict[tuple[str, _Release], dict[str, int]]:
    table = _table()["tflite"]
    assert isinstance(table, dict)
    operators = table["operators"] | table["custom"]
    return {
        (runtime, _release(version)): {name: versions[place] for name, versions in operators.items()}
        for place, (runtime, version) in enumerate(table["releases"])
    }


def _operators(target: Target) -> dict[str, int] | None:
    """The highest version of each operator in a release, or in the nearest older one; None where none is known."""
    release = _release(target.version)
    rows = {version: row for (runtime, version), row in _tflite_rows().items() if runtime == target.runtime}
    older = [version for version in rows if version <= release]
    if not older or release[:2] > max(rows)[:2]:
        return None
    return rows[max(older)]
