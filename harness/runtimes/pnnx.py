"""Converts ONNX files for ncnn by pnnx, ncnn's own converter: one program, which holds PyTorch's library within itself.

Its wheel asks for PyTorch, which only its Python interface needs. So the wheel is fetched as those of boards are, by its
hash, and the program in it is run.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from functools import cache
from importlib import resources
from pathlib import Path

from harness.core.errors import ProvisionError
from harness.runtimes import converting, wheels
from harness.runtimes.container import Blob, packed
from harness.runtimes.converting import NotConvertedError, Recipe
from harness.runtimes.record import Converted, Converter, Source, Tensor
from harness.runtimes.wheels import Bundle, Wheel

_TYPES = {
    "float32": "f32", "float16": "f16", "float64": "f64", "int8": "i8", "uint8": "u8", "int16": "i16", "int32": "i32",
    "int64": "i64",
}  # fmt: skip
#: ncnn keeps a network's weights in memory at least once, so no board takes a larger one.
_LIMIT = 4 << 30
_TEXT = 16 << 20
#: In the example that pnnx writes: an input whose axis of one ncnn doesn't have, and the same of an output.
_SQUEEZED = re.compile(r'ex\.input\("(in\d+)", ncnn\.Mat\(in\d+(?:\.squeeze\((\d+)\))?\.numpy\(\)\)\.clone\(\)\)')
_UNSQUEEZED = re.compile(r"out\.append\(torch\.from_numpy\(np\.array\((out\d+)\)\)(?:\.unsqueeze\((\d+)\))?\)")


@cache
def _wheels() -> dict[str, Bundle]:
    """The program's wheel by machine."""
    text = resources.files("harness.runtimes").joinpath("converters.json").read_text(encoding="utf-8")
    found = {}
    for row in json.loads(text)["pnnx"]:
        wheel = Wheel(row["file"], row["sha256"], row["bytes"])
        python = "{}.{}".format(*sys.version_info[:2])
        found[row["machine"]] = Bundle("pnnx", row["version"], python, row["machine"], (2, 17), (wheel,), ())
    return found


def _bundle() -> Bundle:
    machine = platform.machine()
    if machine not in _wheels():
        have = ", ".join(_wheels())
        raise ProvisionError(
            f"pnnx, which converts for ncnn, is not published for {machine}",
            fix=f"run the harness on a machine of these: {have}",
        )
    return _wheels()[machine]


def program() -> str:
    """The program with its release."""
    return f"pnnx {next(iter(_wheels().values())).version}"


def converted(source: Source) -> Converted:
    """An ONNX file as ncnn's two files, in one.

    Raises:
        ProvisionError: pnnx can't be fetched for this machine.
    """
    bundle = _bundle()
    fp16 = int(source.variant == "fp16")  # its default is to keep every network's weights as float16
    recipe = Recipe("pnnx", bundle.version, (f"fp16={fp16}",))

    def make(folder: Path) -> tuple[bytes, str]:
        (path,) = wheels.fetch(bundle)
        pnnx = converting.unpacked(bundle.wheels[0], path) / "pnnx" / "pnnx"
        pnnx.chmod(0o755)
        os.link(source.path, folder / "model.onnx") if False else None
        return _made(source, folder, [str(pnnx), "model.onnx", *recipe.options])

    return converting.kept(source, recipe, make)
