"""Runtimes unpacked once on this machine, for boards that are made here.

A new board is sent 40 MB of wheels, unpacks them and compiles their modules: ten seconds of a processor, and 150 MB of
disk, that most tests and benchmarks don't look at. A board's store names wheels by their content, so one unpacked copy
can serve all boards.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from harness.core.locks import locked
from harness.core.paths import cache_dir
from harness.runtimes.wheels import Bundle, Wheel, fetch, table

#: The user's own cache, whichever cache a test sets later.
CACHE = cache_dir()
#: The interpreter of a local device and of boards behind loopback servers.
BASE = str(getattr(sys, "_base_executable", sys.executable))
PYTHON = "{}.{}".format(*sys.version_info[:2])
#: Pythons that boards here may have.
PYTHONS = (PYTHON, "3.7", "3.6")
#: What a run sends to a board whose devices.yaml lists no runtimes.
USUAL = ("litert", "onnxruntime")


def unpacked(wheel: Wheel, python: str) -> Path | None:
    """The folder with a wheel's content, compiled where ``python`` is ours; None if the wheel was never downloaded."""
    source, folder = CACHE / "wheels" / wheel.sha256 / wheel.file, CACHE / "unpacked" / wheel.sha256
    if folder.is_dir():
        return folder
    if not source.is_file():
        return None
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        if not folder.is_dir():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            with zipfile.ZipFile(source) as archive:
                archive.extractall(part)
            if python == PYTHON:
                words = [BASE, "-m", "compileall", "-q", "-s", str(part), "-p", str(folder), str(part)]
                subprocess.run(words, check=False, capture_output=True)
            part.rename(folder)
    return folder


def fetched(bundle: Bundle) -> tuple[str, ...]:
    """The folders of a bundle, downloaded and unpacked where they are not there yet.

    Raises:
        ProvisionError: a wheel can't be downloaded.
    """
    fetch(bundle)
    return tuple(map(str, _folders(bundle)))


def give(store: Path) -> None:
    """Link all runtimes that were ever downloaded here into a board's store, as if they had been sent to it.

    Any other runtime is sent by the run that needs it.
    """
    _link(store, [folder for bundle in _bundles() for folder in _folders(bundle)])


def lend(folder: Path, store: Path, owner: tuple[int, int]) -> None:
    """:func:`give` the usual runtimes to a board of another user, who can't read our cache.

    Args:
        folder: for copies that everybody can read; files are linked where the file system allows it.
        store: in the home folder of that user.
        owner: user and group of what is made there.
    """
    copies = []
    for source in {each for bundle in _bundles((PYTHON,), USUAL) for each in _folders(bundle)}:
        copy = folder / source.name
        if not copy.is_dir():
            shutil.copytree(source, copy, copy_function=_linked)
        copies.append(copy)
    made = [path for path in (store / "wheels", *store.parents) if not path.exists()] + [store / "wheels", store]
    _link(store, copies)
    for path in {*made, *(store / "wheels").iterdir()}:
        os.chown(path, *owner, follow_symlinks=False)


def _bundles(pythons: tuple[str, ...] = PYTHONS, runtimes: tuple[str, ...] = ()) -> list[Bundle]:
    machine = os.uname().machine
    return [
        bundle
        for bundle in table()
        if bundle.machine == machine and bundle.python in pythons and (not runtimes or bundle.runtime in runtimes)
    ]


def _folders(bundle: Bundle) -> list[Path]:
    found = (unpacked(wheel, bundle.python) for wheel in bundle.wheels)
    return [folder for folder in found if folder is not None]


def _link(store: Path, folders: list[Path]) -> None:
    (store / "wheels").mkdir(parents=True, exist_ok=True)
    for folder in folders:
        link = store / "wheels" / folder.name
        if not link.exists():
            link.symlink_to(folder)


def _linked(old: str, new: str) -> str:
    try:
        os.link(old, new)
    except OSError:
        shutil.copy2(old, new)
    return new
