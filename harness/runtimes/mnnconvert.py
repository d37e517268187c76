"""Converts ONNX and TFLite files for MNN, by the converter in MNN's own wheel for this machine."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from harness.core.errors import ProvisionError
from harness.runtimes import converting, wheels
from harness.runtimes.container import Blob, packed
from harness.runtimes.converting import Recipe
from harness.runtimes.record import Converted, Source, Tensor
from harness.runtimes.wheels import Bundle

_LIMIT = 4 << 30
#: The converter as its wheel's command calls it, without that command's own lines: these would report to MNN's makers,
#: and install a package for that.
_PROGRAM = (
    "import sys; sys.path[:0] = sys.argv[1].split('\\n'); sys.argv[:2] = ['mnnconvert']; "
    "import _tools; _tools.mnnconvert(sys.argv)"
)


def _bundle() -> Bundle:
    bits = 64 if sys.maxsize > 1 << 32 else 32
    libc = " ".join(platform.libc_ver())
    here = wheels.platform_of(platform.python_version(), platform.machine(), bits, libc=libc, numpy=None)
    try:
        return wheels.choose("mnn", here)
    except ProvisionError as error:
        raise ProvisionError(f"mnnconvert can't run on this machine: {error.message}", fix=error.fix) from error


def program() -> str:
    """The program with its release."""
    return f"mnnconvert {_bundle().version}"


def converted(source: Source, stopped: Callable[[], bool]) -> Converted:
    """An ONNX or TFLite file as MNN's own.

    Raises:
        ProvisionError: MNN's wheel is not published for this machine, or can't be fetched.
    """
    bundle = _bundle()
    options = ("--fp16",) if source.variant == "fp16" else ()

    def make(folder: Path) -> tuple[bytes, str]:
        paths = [
            str(converting.unpacked(wheel, path))
            for wheel, path in zip(bundle.wheels, wheels.fetch(bundle), strict=True)
        ]
        model = folder / f"model.{source.format}"
        shutil.copyfile(source.path, model)
        words = ["-f", source.format.upper(), "--modelFile", model.name, "--MNNModel", "made.mnn", *options]
        log = converting.ran([sys.executable, "-I", "-c", _PROGRAM, "\n".join(paths), *words], folder, stopped)
        content = converting.taken(folder / "made.mnn", _LIMIT, log)
        return packed({"mnn": content}, _blobs(source.inputs), _blobs(source.outputs)), log

    return converting.kept(source, Recipe("mnnconvert", bundle.version, options), make)


def _blobs(tensors: tuple[Tensor, ...]) -> list[Blob]:
    """MNN keeps the names of tensors."""
    return [Blob(tensor.name, tensor.name, tensor.shape, tensor.dtype) for tensor in tensors]
