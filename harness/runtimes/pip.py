"""Wheels from the package index, by pip on the controller.

pip applies the user's own index, proxy, certificates and mirror, so this code names no address. What an index answers
is limited in size before it is read.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ProvisionError
from harness.core.safetext import plain

#: How long one download may take, in seconds.
LIMIT_S = 900
#: The oldest C library for which wheels of 64-bit ARM are published: 2.17.
OLDEST_MINOR = 17
#: More than any release of glibc 2.
_NEWEST_MINOR = 99
#: Names for old levels that pip does not derive from the numbered ones.
_ALIASES = {17: ("manylinux2014",), 12: ("manylinux2010",), 5: ("manylinux1",)}
_MOST_BYTES = 1 << 18
_MOST_CHARS = 300
_MOST_VERSIONS = 2000


class NoReleaseError(ProvisionError):
    """No wheel fits what was asked for. ``versions`` are those that have a wheel for the board, oldest first."""

    def __init__(self, message: str, versions: tuple[str, ...], *, fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.versions = versions


@dataclass(frozen=True)
class Target:
    """What a wheel is for: a Python such as ``3.11``, and platform tags, the best first."""

    python: str
    platforms: tuple[str, ...]


def platform_tags(machine: str, glibc: tuple[int, int] | None) -> tuple[str, ...]:
    """The platform tags of wheels that a board can load, the newest level first.

    pip takes the tags as they are named, so every level is named, down to 2.17 (x86-64: 2.5). Wheels for musl don't
    load with glibc, nor the other way round: a board without glibc has no tags.

    Args:
        machine: as in a wheel's name: ``aarch64``, ``armv7l``, ``x86_64``.
    """
    if glibc is None or glibc[0] != 2:
        return ()
    oldest = 5 if machine == "x86_64" else OLDEST_MINOR
    tags: list[str] = []
    for minor in range(min(glibc[1], _NEWEST_MINOR), oldest - 1, -1):
        tags += [f"{name}_{machine}" for name in (f"manylinux_2_{minor}", *_ALIASES.get(minor, ()))]
    return (*tags, f"linux_{machine}")


def download(requirement: str, target: Target, into: Path) -> Path:
    """Download the wheel of one package, whatever its hash and without what it depends on; returns its path.

    Args:
        requirement: a package and its versions: ``numpy>=1.23,<2``.
        into: an existing folder that holds no wheel.

    Raises:
        NoReleaseError: no version that was asked for has a wheel for the target.
        ProvisionError: pip can't be run, or can't reach the index.
    """
    asked = into / "requirements.txt"
    asked.write_text(f"{requirement}\n", encoding="utf-8")
    status, said = run(command(asked, target, into, hashed=False), requirement)
    if status:
        raise _explained(requirement, target, said)
    wheels = list(into.glob("*.whl"))
    if len(wheels) != 1:
        raise ProvisionError(f"{requirement}: pip downloaded {len(wheels)} wheels instead of one")
    return wheels[0]


def command(requirements: Path, target: Target, into: Path, *, hashed: bool) -> list[str]:
    """The command that downloads the wheels of a requirements file; ``hashed``: each line has its hash."""
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    words += ["--disable-pip-version-check", "--no-input", "--dest", str(into), "--python-version", target.python]
    for tag in target.platforms:
        words += ["--platform", tag]
    return [*words, *(["--require-hashes"] if hashed else []), "-r", str(requirements)]


def other_file(said: str) -> str | None:
    """The hash of the file that the index has instead of the pinned one ("" where pip does not tell it); None where pip
    complains of something else.
    """
    if not re.search(r"DO NOT MATCH THE HASHES|HASHES ARE REQUIRED", said):
        return None
    found = re.search(r"^\s+Got\s+([0-9a-f]{64})\s*$", said, re.MULTILINE)
    return found[1] if found else ""


def run(words: Sequence[str], what: str) -> tuple[int, str]:
    """Run pip; returns its status and the end of what it said. ``what`` is downloaded, for the message.

    Raises:
        ProvisionError: it can't be run, or takes too long.
    """
    with tempfile.TemporaryFile() as said:
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, timeout=LIMIT_S, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ProvisionError(f"{what}: pip can't be run: {error}") from error
        size = said.seek(0, 2)
        said.seek(max(0, size - _MOST_BYTES))
        return done.returncode, said.read(_MOST_BYTES).decode("utf-8", "replace")


def _explained(requirement: str, target: Target, said: str) -> ProvisionError:
    """pip's refusal as an error of the harness."""
    listed = re.search(r"\(from versions: ([^()]*)\)", said)
    unreachable = re.search(r"^WARNING: Retrying|Connection(?:Error| refused)|certificate", said, re.MULTILINE)
    if listed and not unreachable:
        return NoReleaseError(f"no {requirement} has a wheel for Python {target.python}", _versions(listed[1]))
    return refused(requirement, said)


def refused(what: str, said: str) -> ProvisionError:
    """The error for a download that failed, with pip's own last words."""
    errors = [line for line in said.splitlines() if line.startswith("ERROR")][-1:] or ["no message"]
    text = f"{what}: can't be downloaded: {plain(errors[0])[:_MOST_CHARS]}"
    return ProvisionError(text, fix="check this machine's access to PyPI")


def _versions(listed: str) -> tuple[str, ...]:
    """The versions in pip's list that look like versions, at most so many; the newest are kept."""
    words = [word.strip() for word in listed.split(",")]
    return tuple(word for word in words if re.fullmatch(r"[0-9][0-9A-Za-z.+!-]{0,39}", word))[-_MOST_VERSIONS:]
