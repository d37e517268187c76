"""The table of runtimes (wheels.json): choose a row for a board, download its wheels once, verify their hashes."""

from __future__ import annotations

import fcntl
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from harness.core.errors import ProvisionError
from harness.core.files import sha256_file
from harness.core.paths import cache_dir
from harness.runtimes import pip
from harness.runtimes.pip import Target
from harness.runtimes.registry import RUNTIMES


@dataclass(frozen=True)
class Wheel:
    """One pinned wheel file."""

    file: str
    sha256: str
    size_bytes: int

    @property
    def requirement(self) -> str:
        name, version = self.file.split("-")[:2]
        return f"{name}=={version}"

    @property
    def platforms(self) -> tuple[str, ...]:
        return tuple(self.file.removesuffix(".whl").rpartition("-")[2].split("."))


@dataclass(frozen=True)
class Bundle:
    """A runtime with its dependencies, for one kind of board.

    ``glibc`` is the oldest C library that it runs on. ``system`` names packages that the board's own Python must have,
    because no wheel for this machine is published. ``pinned_in`` names the file that has the hashes, for people.
    """

    runtime: str
    version: str
    python: str
    machine: str
    glibc: tuple[int, int]
    wheels: tuple[Wheel, ...]
    system: tuple[str, ...]
    pinned_in: str = field(default="the harness's own table", compare=False)

    def refusal(self, platform: Platform) -> ProvisionError | None:
        """The reason why the bundle does not run on a platform with its Python and machine; None if it does."""
        if platform.glibc is None:
            return ProvisionError(f"{self.runtime}: needs glibc, which this board does not have")
        if platform.glibc < self.glibc:
            needed, present = (".".join(map(str, v)) for v in (self.glibc, platform.glibc))
            return ProvisionError(f"{self.runtime} {self.version} needs glibc {needed}, the board has {present}")
        if "numpy" in self.system and not platform.numpy:
            return ProvisionError(
                f"{self.runtime} on {platform.machine} needs numpy on the board", fix="sudo apt install python3-numpy"
            )
        return None


@dataclass(frozen=True)
class Platform:
    """The properties of a board that select its wheels: Python ``3.11``, machine ``aarch64``, glibc (2, 36)."""

    python: str
    machine: str
    glibc: tuple[int, int] | None
    numpy: str | None = None


@cache
def table() -> tuple[Bundle, ...]:
    """All rows of wheels.json."""
    rows = json.loads(resources.files("harness.runtimes").joinpath("wheels.json").read_text(encoding="utf-8"))["rows"]
    return tuple(
        Bundle(
            runtime=row["runtime"],
            version=row["version"],
            python=row["python"],
            machine=row["machine"],
            glibc=_version(row["glibc"]),
            wheels=tuple(Wheel(w["file"], w["sha256"], w["bytes"]) for w in row["wheels"]),
            system=tuple(row["system"]),
        )
        for row in rows
    )


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def platform_of(python: str, machine: str, bits: int, libc: str, numpy: str | None) -> Platform:
    """The platform from a probe's answers. A 32-bit Python on a 64-bit ARM kernel (``bits``) needs 32-bit wheels."""
    if machine in ("aarch64", "armv8l") and bits == 32:
        machine = "armv7l"
    match = re.match(r"glibc (\d+)\.(\d+)", libc)
    return Platform(".".join(python.split(".")[:2]), machine, (int(match[1]), int(match[2])) if match else None, numpy)


def choose(runtime: str, platform: Platform) -> Bundle:
    """The row for this runtime on this platform.

    Raises:
        ProvisionError: there is none; the message names the runtimes that fit.
    """
    for bundle in table():
        if (bundle.runtime, bundle.python, bundle.machine) != (runtime, platform.python, platform.machine):
            continue
        if (refused := bundle.refusal(platform)) is not None:
            raise refused
        return bundle
    able = [name for name in available(platform) if name != runtime]
    raise ProvisionError(
        f"no {runtime} is published for Python {platform.python} on {platform.machine}",
        fix=f"there is {' and '.join(able)}" if able else "no runtime fits this board",
    )


def available(platform: Platform) -> list[str]:
    """Runtimes that fit the platform, best first. A stand-in is listed only if the runtime it replaces does not fit."""
    fits = [
        b.runtime
        for b in table()
        if (b.python, b.machine) == (platform.python, platform.machine)
        and platform.glibc is not None
        and platform.glibc >= b.glibc
        and (not b.system or platform.numpy)
    ]
    return [name for name in fits if RUNTIMES[name].stands_in_for not in fits]


def cached_wheels() -> Path:
    """The folder of downloaded wheels."""
    return cache_dir() / "wheels"


def cached(wheel: Wheel) -> Path:
    """Where a wheel is, once it has been downloaded."""
    return cached_wheels() / wheel.sha256 / wheel.file


@contextmanager
def cache_usable(what: str) -> Iterator[None]:
    """Turn what the file system refuses while ``what`` is put into the cache into an error of the harness."""
    try:
        yield
    except OSError as error:
        raise ProvisionError(
            f"{what}: the cache {cached_wheels()} can't be used: {error.strerror or error}",
            fix="free space, or set HARNESS_CACHE to a folder of your own",
        ) from error


def fetch(bundle: Bundle, *, progress: Callable[[str], None] | None = None) -> list[Path]:
    """The bundle's wheels as verified local files. Wheels that are not in the cache are downloaded with pip.

    pip applies the user's own index, proxy and mirror settings, so this code names no address.

    Raises:
        ProvisionError: a wheel can't be downloaded or has another hash.
    """
    folder = cached_wheels()
    paths = []
    for wheel in bundle.wheels:
        path = cached(wheel)
        with cache_usable(wheel.file), _locked(folder / f"{wheel.sha256}.lock"):
            if not path.is_file() or path.stat().st_size != wheel.size_bytes or sha256_file(path) != wheel.sha256:
                if progress:
                    progress(f"downloading {wheel.file} ({wheel.size_bytes / 1e6:.0f} MB)")
                _download(wheel, bundle, path)
        paths.append(path)
    return paths


def _download(wheel: Wheel, bundle: Bundle, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".pip-") as work:
        pinned = Path(work) / "requirements.txt"
        pinned.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
        words = pip.command(pinned, Target(bundle.python, wheel.platforms), Path(work), hashed=True)
        status, said = pip.run(words, wheel.file)
        downloaded = Path(work) / wheel.file
        if status and (other := pip.other_file(said)) is not None:
            raise _replaced(wheel, bundle, other)
        if status or not downloaded.is_file():
            raise pip.refused(wheel.file, said)
        if sha256_file(downloaded) != wheel.sha256:
            raise _replaced(wheel, bundle, sha256_file(downloaded))
        downloaded.replace(path)


def _replaced(wheel: Wheel, bundle: Bundle, other: str) -> ProvisionError:
    """The error for a file that another one has replaced on the index."""
    now = f", which has {other[:16]}… now" if other else ""
    text = f"{wheel.file}: is not the pinned file (SHA-256 differs): {bundle.pinned_in} has {wheel.sha256[:16]}…{now}"
    fix = "a published file is never changed: ask its publisher, or your mirror's, before you remove it there"
    return ProvisionError(text, fix=fix)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """A lock so that one process or thread downloads at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
