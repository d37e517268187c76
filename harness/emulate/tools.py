"""The programs that emulation needs, and a function that runs one and maps its errors."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from harness.core.errors import EmulatorError, EmulatorMissingError

#: {program: Debian or Ubuntu package}
PROGRAMS = {
    "qemu-system-aarch64": "qemu-system-arm",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "dumpe2fs": "e2fsprogs",
}

#: Folders of e2fsprogs, which an ordinary user's PATH often lacks.
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def find(program: str) -> str | None:
    """The full path of ``program``, from PATH and then the sbin folders; None if it is missing or PATH is empty."""
    path = os.environ.get("PATH", "")
    return shutil.which(program, path=os.pathsep.join([path, *_SBIN]) if path else "")


def requirements() -> list[str]:
    """The missing programs, as lines such as ``qemu-system-aarch64 (package qemu-system-arm)``."""
    return [f"{program} (package {package})" for program, package in PROGRAMS.items() if find(program) is None]


def need(*programs: str) -> None:
    """Check that ``programs`` (default: all) are installed.

    Raises:
        EmulatorMissingError: a program is missing; the message has the command that installs all missing ones.
    """
    missing = [program for program in programs or PROGRAMS if find(program) is None]
    if missing:
        packages = " ".join(sorted({PROGRAMS[program] for program in missing}))
        raise EmulatorMissingError(
            f"emulated boards need {', '.join(missing)}, not found", fix=f"sudo apt-get install {packages}"
        )


def run(argv: Sequence[str], *, stdin: str | None = None, ok: tuple[int, ...] = (0,)) -> str:
    """Run a program to its end and return its standard output.

    Raises:
        EmulatorMissingError: the program is not installed.
        EmulatorError: the program ended with a status not in ``ok``; the message has the end of its output.
    """
    need(argv[0])
    environ = {**os.environ, "LC_ALL": "C", "PATH": os.pathsep.join([os.environ.get("PATH", ""), *_SBIN])}
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            errors="replace",
            env=environ,
            check=False,
            encoding="utf-8",
        )
    except OSError as error:
        raise EmulatorError(f"{argv[0]} can't be started: {error.strerror}") from error
    if done.returncode not in ok:
        words = (done.stderr.strip() or done.stdout.strip())[-500:]
        raise EmulatorError(f"{argv[0]} ended with status {done.returncode}: {words}")
    return done.stdout
