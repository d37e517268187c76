"""Releases of runtimes that are asked for by name: any published one that has a wheel for the board.

The first use of a release resolves it through pip and fixes its files' hashes in the lock file of the device list
(:mod:`harness.runtimes.lockfile`); later uses take exactly these files.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.core.errors import ConfigError, ProvisionError, StoreError
from harness.core.files import sha256_file
from harness.runtimes import lockfile, pip, wheels
from harness.runtimes.pip import NoReleaseError, Target
from harness.runtimes.registry import RUNTIMES
from harness.runtimes.requested import Requested
from harness.runtimes.wheels import Bundle, Platform, Wheel, choose, table

Say = Callable[[str], None]

#: No wheel of a runtime for small boards is larger.
_MOST_BYTES = 1 << 30
_MOST_METADATA = 1 << 20
_MOST_SHOWN = 30


@dataclass(frozen=True)
class Releases:
    """The runtimes that a device list names; ``lock`` is its lock file."""

    lock: Path

    @classmethod
    def of(cls, devices: str) -> Releases:
        """Those of a device list's file."""
        return cls(lockfile.lock_path(Path(devices)))

    def bundle(self, wanted: Requested, platform: Platform, say: Say | None = None) -> Bundle:
        """The wheels of a runtime for a platform. Where a release is named, its files are fixed in the lock file.

        Raises:
            ProvisionError: there is none, or it can't be fetched; the message names the releases that there are.
        """
        if wanted.release is None:
            return choose(wanted.name, platform)
        try:
            found = self.known(wanted, platform)
            if found is None:
                found = _resolved(wanted, wanted.release, platform, say)
            if found.pinned_in != self.lock.name:
                found = lockfile.fixed(self.lock, found, platform)
        except (ConfigError, StoreError) as error:
            raise ProvisionError(error.message, fix=error.fix) from error
        if (refused := found.refusal(platform)) is not None:
            raise refused
        return found

    def known(self, wanted: Requested, platform: Platform) -> Bundle | None:
        """The row of a release in the lock file or else in the harness's own table; None where the index must be asked.

        Raises:
            ConfigError: the lock file is damaged.
        """
        release = str(wanted.release)
        there = lockfile.row_for(lockfile.read(self.lock), wanted.name, release, platform)
        return there or lockfile.row_for(table(), wanted.name, release, platform)


#: Those of no list of its own.
UNLISTED = Releases.of("devices.yaml")


def _resolved(wanted: Requested, release: str, platform: Platform, say: Say | None) -> Bundle:
    """A release and what its import needs, downloaded into the cache."""
    tags = pip.platform_tags(platform.machine, platform.glibc)
    if not tags:
        raise ProvisionError(f"{wanted}: its wheels need glibc, which this board does not have")
    target = Target(platform.python, tags)
    package = RUNTIMES[wanted.name].package
    if say:
        say(f"asking the package index for {package} {release}")
    try:
        wheel = _kept(f"{package}=={release}", target)
    except NoReleaseError as error:
        raise _no_release(wanted, platform, error.versions) from error
    name, version = wheel.file.split("-")[:2]
    if canonicalize_name(name) != canonicalize_name(package) or version != release:
        raise ProvisionError(f"{wanted}: is published as {version}", fix=f"write {wanted.name}=={version}")
    numpy = _numpy(_needed_numpy(wheels.cached(wheel), platform), platform, target)
    files = (wheel, *((numpy,) if numpy else ()))
    return Bundle(
        runtime=wanted.name,
        version=release,
        python=platform.python,
        machine=platform.machine,
        glibc=max(_glibc(each) for each in files),
        wheels=files,
        system=() if numpy else ("numpy",),
    )


def _no_release(wanted: Requested, platform: Platform, versions: tuple[str, ...]) -> ProvisionError:
    board = f"Python {platform.python} on {platform.machine}"
    if platform.glibc:
        board += f" with glibc {'.'.join(map(str, platform.glibc))}"
    if not versions:
        return ProvisionError(f"{wanted}: no release has a wheel for {board}", fix="name another runtime")
    more = f"{len(versions) - _MOST_SHOWN} older ones, " if len(versions) > _MOST_SHOWN else ""
    text = f"{wanted}: has no wheel for {board}"
    return ProvisionError(text, fix=f"these releases have one: {more}{', '.join(versions[-_MOST_SHOWN:])}")


def _kept(requirement: str, target: Target) -> Wheel:
    """Download a wheel into the cache, where :func:`harness.runtimes.wheels.fetch` finds it."""
    folder = wheels.cached_wheels()
    with wheels.cache_usable(requirement):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".pip-") as work:
            path = pip.download(requirement, target, Path(work))
            if path.stat().st_size > _MOST_BYTES:
                raise ProvisionError(f"{path.name}: is over {_MOST_BYTES >> 30} GiB")
            wheel = Wheel(path.name, sha256_file(path), path.stat().st_size)
            (folder / wheel.sha256).mkdir(exist_ok=True)
            path.replace(wheels.cached(wheel))
            return wheel


def _needed_numpy(wheel: Path, platform: Platform) -> SpecifierSet:
    """The versions of numpy that a wheel's own metadata accepts.

    Raises:
        ProvisionError: the wheel can't be read.
    """
    accepted = SpecifierSet()
    for line in _metadata(wheel).get_all("Requires-Dist") or ():
        try:
            requirement = Requirement(str(line)[:1000])
            if canonicalize_name(requirement.name) == "numpy" and _applies(requirement, platform):
                accepted &= requirement.specifier
        except (InvalidRequirement, UndefinedEnvironmentName):
            continue
    return accepted


def _applies(requirement: Requirement, platform: Platform) -> bool:
    """Whether a requirement holds on the board, without any extra."""
    environment = {
        "python_version": platform.python,
        "python_full_version": f"{platform.python}.0",
        "platform_machine": platform.machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }
    return requirement.marker is None or requirement.marker.evaluate(environment)


def _metadata(wheel: Path) -> Message:
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = next((n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)), None)
            if name is None or archive.getinfo(name).file_size > _MOST_METADATA:
                raise ProvisionError(f"{wheel.name}: has no metadata of a wheel")
            text = archive.read(name).decode("utf-8", "replace")
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise ProvisionError(f"{wheel.name}: is no wheel: {error}") from error
    return HeaderParser().parsestr(text)


def _numpy(accepted: SpecifierSet, platform: Platform, target: Target) -> Wheel | None:
    """The wheel of numpy beside a release; None where there is none for this machine.

    numpy 1 goes before numpy 2, since a library that was built against numpy 1 can't be loaded with numpy 2, whatever
    its metadata says, while the other way round works. The harness's own pinned one goes first, so that releases are
    compared on the same numpy.
    """
    same = [row for row in table() if (row.python, row.machine) == (platform.python, platform.machine)]
    for wheel in dict.fromkeys(wheel for row in same for wheel in row.wheels):
        name, version = wheel.file.split("-")[:2]
        fits = name == "numpy" and Version(version).major < 2 and accepted.contains(version)
        if fits and platform.glibc is not None and _glibc(wheel) <= platform.glibc:
            return wheel
    for most in ("<2", ""):
        bounds = ",".join(filter(None, (str(accepted), most)))
        try:
            return _kept(f"numpy{bounds}", target)
        except NoReleaseError:
            continue
    return None


def _glibc(wheel: Wheel) -> tuple[int, int]:
    """The oldest C library that a wheel's own tags accept; 0.0 where they name none."""
    named = {"manylinux2014": (2, 17), "manylinux2010": (2, 12), "manylinux1": (2, 5)}
    levels = []
    for tag in wheel.platforms:
        numbered = re.match(r"manylinux_(\d{1,3})_(\d{1,3})_", tag)
        level = (int(numbered[1]), int(numbered[2])) if numbered else named.get(tag.partition("_")[0])
        levels += [level] if level else []
    return min(levels, default=(0, 0))
