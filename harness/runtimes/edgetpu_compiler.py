"""Compiles networks for the Edge TPU on the controller, because the compiler runs on x86-64 Linux only."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.core.files import sha256_bytes, sha256_file, write_atomic
from harness.core.paths import cache_dir
from harness.runtimes.record import Converted, Converter, Delegate, Source

COMPILER = "edgetpu_compiler"
#: The compiler gives up by itself after 180 s for each part of a network.
LIMIT_S = 900
_LOG_CHARS = 1 << 20


def installed() -> bool:
    """Whether this machine has the compiler."""
    return shutil.which(COMPILER) is not None


def compiled(model: Path, sha256: str) -> Converted | None:
    """The network compiled for the Edge TPU. The cache keeps it by network and compiler.

    Args:
        model: a TFLite file.
        sha256: hash of its content.

    Returns:
        None if the compiler is not installed.
    """
    program = shutil.which(COMPILER)
    if program is None:
        return None
    folder = cache_dir() / "edgetpu" / sha256_bytes(f"{sha256} {sha256_file(Path(program))}".encode())
    out, log = folder / "model_edgetpu.tflite", folder / "log"
    if not log.is_file():
        _compile(program, model, out, log)
    if not out.is_file():
        return Converted(None, "", log.read_text(encoding="utf-8"))
    return Converted(out, sha256_file(out), log.read_text(encoding="utf-8"))


def _compile(program: str, model: Path, out: Path, log: Path) -> None:
    """Run the compiler. ``log`` is written last, so its presence means that the result is complete."""
    with tempfile.TemporaryDirectory() as work:
        copy = Path(work) / "model.tflite"
        shutil.copyfile(model, copy)
        try:
            done = subprocess.run(
                [program, "-s", "-o", work, str(copy)], capture_output=True, timeout=LIMIT_S, check=False
            )
            output = (done.stdout + done.stderr).decode("utf-8", "replace")
        except (OSError, subprocess.SubprocessError) as error:
            output = f"Compilation failed: {error}"
        made = Path(work) / "model_edgetpu.tflite"
        if made.is_file():
            write_atomic(out, made.read_bytes())
    write_atomic(log, output[:_LOG_CHARS])


def _of(source: Source, _stopped: Callable[[], bool]) -> Converted | None:
    return compiled(source.path, source.sha256)


EDGETPU = Delegate("edgetpu", compiler=Converter("the Edge TPU", lambda: COMPILER, _of))
