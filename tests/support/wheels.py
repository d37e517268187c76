"""Wheels that a test makes, and an index of them: a folder."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

MANYLINUX = "manylinux_2_27_aarch64"


def made_wheel(
    folder: Path, name: str, version: str, *, tags: str = f"cp311-cp311-{MANYLINUX}", requires: tuple[str, ...] = (),
    content: str = "",
) -> Path:  # fmt: skip
    """A wheel with nothing but metadata and one module.

    Args:
        name: as in a file name: ``ai_edge_litert``.
        requires: lines of Requires-Dist.
        content: of the module, so that two wheels of one name differ.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tags}.whl"
    python, abi, platform = tags.split("-")
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
    wheel = "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: false\n"
    wheel += "".join(f"Tag: {python}-{abi}-{tag}\n" for tag in platform.split("."))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", content)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", wheel)
        archive.writestr(f"{info}/RECORD", "")
    return path


def only_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip find wheels in this folder alone, without a network."""
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
