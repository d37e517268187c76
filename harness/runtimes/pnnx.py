"""Converts ONNX files for ncnn by pnnx, ncnn's own converter: one program, which holds PyTorch's library in itself.

Its wheel asks for PyTorch, which only its Python interface needs. So the wheel is fetched as those of boards are, by
its hash, and the program in it is run.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from pathlib import Path

from harness.core.errors import ProvisionError
from harness.core.safetext import clean
from harness.runtimes import converting, wheels
from harness.runtimes.container import Blob, packed
from harness.runtimes.converting import NotConvertedError, Recipe
from harness.runtimes.record import Converted, Source, Tensor
from harness.runtimes.wheels import Bundle, Wheel

_TYPES = {
    "float32": "f32", "float16": "f16", "float64": "f64", "int8": "i8", "uint8": "u8", "int16": "i16", "int32": "i32",
    "int64": "i64",
}  # fmt: skip
#: The most bytes of weights, and of the text files beside them.
_WEIGHTS, _TEXT = 4 << 30, 16 << 20
#: In the example that pnnx writes: an axis of one that ncnn doesn't have, of each input and each output.
_INPUT = re.compile(r'ex\.input\("in(\d+)", ncnn\.Mat\(in\d+(?:\.squeeze\((\d+)\))?\.numpy\(\)\)\.clone\(\)\)')
_OUTPUT = re.compile(r"out\.append\(torch\.from_numpy\(np\.array\(out(\d+)\)\)(?:\.unsqueeze\((\d+)\))?\)")
#: ncnn's layers are single words; what pnnx has no layer for keeps the name that it has in PyTorch.
_LAYER = re.compile(r"[A-Z][A-Za-z0-9]*")
_SHOWN = 8


@cache
def _wheels() -> dict[str, Bundle]:
    """The program's wheel by machine."""
    text = resources.files("harness.runtimes").joinpath("converters.json").read_text(encoding="utf-8")
    python, found = "{}.{}".format(*sys.version_info[:2]), {}
    for row in json.loads(text)["pnnx"]:
        wheel = Wheel(row["file"], row["sha256"], row["bytes"])
        found[row["machine"]] = Bundle(
            runtime="pnnx",
            version=row["version"],
            python=python,
            machine=row["machine"],
            glibc=(2, 17),
            wheels=(wheel,),
            system=(),
        )
    return found


def _bundle() -> Bundle:
    machine = platform.machine()
    if machine not in _wheels():
        raise ProvisionError(
            f"pnnx, which converts for ncnn, is not published for {machine}",
            fix=f"run the harness on a machine of these: {', '.join(_wheels())}",
        )
    return _wheels()[machine]


def program() -> str:
    """The program with its release."""
    return f"pnnx {_bundle().version}"


def converted(source: Source, stopped: Callable[[], bool]) -> Converted:
    """An ONNX file as ncnn's two files, in one.

    Raises:
        ProvisionError: pnnx can't be fetched for this machine.
    """
    bundle = _bundle()
    options = f"fp16={int(source.variant == 'fp16')}"  # its default keeps every network's weights as float16

    def make(folder: Path) -> tuple[bytes, str]:
        (path,) = wheels.fetch(bundle)
        pnnx = converting.unpacked(bundle.wheels[0], path) / "pnnx" / "pnnx"
        pnnx.chmod(0o755)
        shutil.copyfile(source.path, folder / "model.onnx")
        shapes = ",".join(map(_shape, source.inputs))
        log = converting.ran([str(pnnx), "model.onnx", options, f"inputshape={shapes}"], folder, stopped)
        return _network(folder, source, log), log

    return converting.kept(source, Recipe("pnnx", bundle.version, (options,)), make)


def _shape(tensor: Tensor) -> str:
    if not tensor.shape or tensor.dtype not in _TYPES:
        what = tensor.dtype if tensor.shape else "a single value"
        raise NotConvertedError(f"input '{clean(tensor.name, 100)}' is {what}, which it does not take")
    return f"[{','.join(map(str, tensor.shape))}]{_TYPES[tensor.dtype]}"


def _network(folder: Path, source: Source, log: str) -> bytes:
    """What pnnx wrote, as one file."""
    param = converting.taken(folder / "model.ncnn.param", _TEXT, log)
    weights = converting.taken(folder / "model.ncnn.bin", _WEIGHTS)
    example = converting.taken(folder / "model_ncnn.py", _TEXT).decode("utf-8", "replace")
    kinds = {line.split(maxsplit=1)[0] for line in param.decode("utf-8", "replace").splitlines()[2:] if line.strip()}
    if unknown := sorted(kind for kind in kinds if not _LAYER.fullmatch(kind)):
        listed = ", ".join(clean(kind, 60) for kind in unknown[:_SHOWN])
        raise NotConvertedError(f"ncnn has no layer for {listed}{' and more' if len(unknown) > _SHOWN else ''}")
    inputs = _blobs("in", _INPUT.findall(example), source.inputs)
    outputs = _blobs("out", _OUTPUT.findall(example), source.outputs)
    return packed({"param": param, "bin": weights}, inputs, outputs)


def _blobs(word: str, found: Sequence[tuple[str, str]], tensors: Sequence[Tensor]) -> list[Blob]:
    """ncnn's names of a network's tensors, in the artifact's order, which pnnx keeps."""
    if [int(number) for number, _ in found] != list(range(len(tensors))):
        raise NotConvertedError(f"it made {len(found)} {word}puts of {len(tensors)}")
    return [
        Blob(f"{word}{number}", tensor.name, tensor.shape, tensor.dtype, batch=int(axis) if axis else None)
        for (number, axis), tensor in zip(found, tensors, strict=True)
    ]
