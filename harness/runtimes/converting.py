"""Runs a converter: a pinned program, in a process and folder of its own, with limits on time, memory and files.

A converter is a large parser in C++, and the files that it gets come from anywhere. So it never runs inside the
harness, and only the runtime on a board takes what it writes for a network. Its result is kept in the cache by the
artifact, the converter's release and its options.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.core.errors import ProvisionError
from harness.core.files import sha256_bytes, sha256_file, write_atomic
from harness.core.paths import cache_dir
from harness.core.safetext import clean
from harness.runtimes.record import Converted, Source
from harness.runtimes.wheels import Wheel

#: What one conversion may take: seconds, bytes of address space, and bytes of a file that it writes.
LIMIT_S, MEMORY, FILE = 600, 24 << 30, 4 << 30
_LOG = 1 << 20
#: Sets its own limits, then becomes the program: a limit set between fork and exec would need code that a process with
#: threads must not run.
_LIMITED = (
    "import os, resource as r, sys; "
    f"r.setrlimit(r.RLIMIT_AS, ({MEMORY}, {MEMORY})); r.setrlimit(r.RLIMIT_FSIZE, ({FILE}, {FILE})); "
    "r.setrlimit(r.RLIMIT_CORE, (0, 0)); os.execv(sys.argv[1], sys.argv[1:])"
)


class NotConvertedError(Exception):
    """A converter gave no network; the text is its reason, the whole log is ``log``. Never leaves this room.

    ``lasting``: whether it would say the same again.
    """

    def __init__(self, why: str, log: str = "", *, lasting: bool = True) -> None:
        super().__init__(why)
        self.log, self.lasting = log, lasting


@dataclass(frozen=True)
class Recipe:
    """A converter's release and options, which decide what it makes of an artifact."""

    program: str
    release: str
    options: tuple[str, ...] = ()


def kept(source: Source, recipe: Recipe, make: Callable[[Path], tuple[bytes, str]]) -> Converted:
    """The converted network from the cache, or made and put there.

    Args:
        make: takes an empty folder to work in; returns the network and the log. It raises NotConvertedError.
    """
    tensors = [asdict(tensor) for tensor in (*source.inputs, *source.outputs)]
    about = json.dumps([source.sha256, asdict(recipe), tensors], sort_keys=True)
    folder = cache_dir() / "converted" / sha256_bytes(about.encode())
    out, log, why = folder / "network", folder / "log", folder / "why"
    if not log.is_file():  # it is written last, so the rest is complete if it is there
        try:
            with tempfile.TemporaryDirectory(prefix="harness-") as work:
                network, text = make(Path(work))
            write_atomic(out, network, durable=False)
        except NotConvertedError as error:
            if not error.lasting:
                return Converted(None, "", error.log, str(error))
            write_atomic(why, str(error), durable=False)
            text = error.log
        write_atomic(log, text, durable=False)
    text = log.read_text(encoding="utf-8")
    if not out.is_file():
        return Converted(None, "", text, why.read_text(encoding="utf-8") if why.is_file() else "")
    return Converted(out, sha256_file(out), text)


def unpacked(wheel: Wheel, path: Path) -> Path:
    """The folder with a wheel's files. The wheel's hash is pinned, so its content is known.

    Raises:
        ProvisionError: it can't be unpacked.
    """
    folder = cache_dir() / "converters" / wheel.sha256
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unpack-", dir=folder.parent) as work:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(work)
            whole = Path(work) / "whole"
            whole.mkdir()
            for entry in Path(work).iterdir():
                if entry != whole:
                    shutil.move(entry, whole)
            whole.rename(folder)
    except FileExistsError:
        return folder  # another process was faster
    except (OSError, zipfile.BadZipFile) as error:
        if folder.is_dir():
            return folder
        raise ProvisionError(f"{wheel.file}: can't be unpacked in {folder.parent}: {error}") from error
    return folder


def ran(program: Sequence[str], folder: Path, stopped: Callable[[], bool] = lambda: False) -> str:
    """Run a program in a folder, where it may write; returns its log, cut to a mebibyte.

    Args:
        stopped: whether to give up.

    Raises:
        NotConvertedError: it ended badly, or not in time.
    """
    settings = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "TMPDIR": str(folder), "LC_ALL": "C"}
    with (folder / ".log").open("w+b") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _LIMITED, *program],
            cwd=folder,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            why = _waited(process, stopped)
        finally:
            _end(process)
        output.seek(0)
        log = output.read(_LOG).decode("utf-8", "replace")
    if why:
        raise NotConvertedError(why, log, lasting=False)
    if status := process.returncode:
        raise NotConvertedError(f"it {_ended(status)}{_last_words(log)}", log, lasting=status != -signal.SIGKILL)
    return log


def _waited(process: subprocess.Popen[bytes], stopped: Callable[[], bool]) -> str:
    """Wait for a program's end; why not any longer, or nothing."""
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        if stopped():
            return "the run ended before"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
            return ""
    return f"it took more than {LIMIT_S} s"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _ended(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"


def _last_words(log: str) -> str:
    lines = [clean(line, 300) for line in log.splitlines() if line.strip()]
    return f": {'; '.join(lines[-2:])}" if lines else ""


def taken(path: Path, limit: int, log: str = "") -> bytes:
    """A file that a converter wrote, if it is one and no larger than ``limit``; ``log`` is the converter's.

    Raises:
        NotConvertedError: it is not.
    """
    if path.is_symlink() or not path.is_file():
        raise NotConvertedError(f"it wrote no network{_last_words(log)}", log)
    if path.stat().st_size > limit:
        raise NotConvertedError(f"it wrote {path.stat().st_size} bytes, over {limit}", log)
    return path.read_bytes()
