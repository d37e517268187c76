"""A storage that is filled before the board is switched on."""

from __future__ import annotations

import os
import re
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from harness.core.files import sha256_file
from harness.emulate import disk, recipe, tools
from harness.emulate.imagestore import open_store, there
from harness.emulate.seed import seed

pytestmark = pytest.mark.skipif(tools.find("mke2fs") is None, reason="no e2fsprogs here")


@pytest.fixture
def contents(tmp_path: Path) -> dict[str, Path]:
    """A model and a wheel."""
    model, wheel = tmp_path / "model", tmp_path / "some-1.0-py3-none-any.whl"
    model.write_bytes(b"model" * 1000)
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("some/__init__.py", "value = 1\n")
        archive.writestr("some/tests/test_some.py", "")
        archive.writestr("some-1.0.dist-info/METADATA", "Name: some\n")
    return {f"object:{sha256_file(model)}": model, f"wheel:{sha256_file(wheel)}": wheel}


def inside(image: Path, path: str, *, owner: bool = False) -> str:
    """What debugfs says of a path."""
    return tools.run(["debugfs", "-R", f"{'stat' if owner else 'cat'} {path}", str(image)])


def test_what_is_there(contents: dict[str, Path], cache: Path) -> None:
    image = seed(contents, "digest", print)
    assert image is not None
    (model, wheel) = (name.partition(":")[2] for name in contents)
    assert inside(image, f"/objects/{model}") == "model" * 1000
    assert inside(image, f"/wheels/{wheel}/some/__init__.py") == "value = 1\n"
    for path in ("/", "/objects", f"/wheels/{wheel}/some/__init__.py"):
        assert re.search(rf"User: +{recipe.UID}\b", inside(image, path, owner=True)), path
    compiled = f"/wheels/{wheel}/some/__pycache__/__init__.cpython-311.pyc"
    if sys.version_info[:2] == recipe.PYTHON:
        assert "Type: regular" in inside(image, compiled, owner=True)
    tools.run(["e2fsck", "-fn", str(image)])


def test_made_once_and_the_last_alone_is_kept(contents: dict[str, Path], cache: Path) -> None:
    said: list[str] = []
    first = seed(contents, "digest", said.append)
    assert seed(contents, "digest", said.append) == first
    assert len(said) == 1
    other = seed(contents, "another image", said.append)
    assert other != first
    assert [path.name for path in (cache / "seeds").glob("*.img")] == [Path(str(other)).name]
    assert not list((cache / "seeds").glob(".seed-*"))


def test_what_can_not_be_made_goes_over_ssh(contents: dict[str, Path], cache: Path) -> None:
    (name,) = [name for name in contents if name.startswith("wheel:")]
    contents[name].write_bytes(b"no zip")
    said: list[str] = []
    assert seed(contents, "digest", said.append) is None
    assert "files go over SSH" in said[-1]
    assert not list((cache / "seeds").glob("*.img"))


def test_a_new_storage_is_a_copy_and_an_old_one_stays(contents: dict[str, Path], cache: Path, tmp_path: Path) -> None:
    image = seed(contents, "digest", print)
    made = open_store(tmp_path / "store", tmp_path, image)
    assert made.lock is not None
    made.lock.close()
    assert there(tmp_path / "store")
    (model, _) = (name.partition(":")[2] for name in contents)
    assert inside(made.path, f"/objects/{model}") == "model" * 1000
    assert made.path.stat().st_size == disk.STORE_MIB << 20
    assert made.path.stat().st_blocks * 512 < 200 << 20  # sparse
    assert stat.S_ISREG(made.path.stat().st_mode)
    before = made.path.read_bytes()[:4096]
    again = open_store(tmp_path / "store", tmp_path, None)
    assert again.lock is not None
    again.lock.close()
    assert inside(again.path, f"/objects/{model}") == "model" * 1000
    assert len(before) == 4096


def test_boards_of_several_systems_each_keep_their_seed(contents: dict[str, Path], cache: Path) -> None:
    """They boot side by side, each from a copy of its own image's seed."""
    (cache / "images").unlink()  # it leads to the user's own
    (cache / "images" / "one").mkdir(parents=True)
    first, second = seed(contents, "one", print), seed(contents, "two", print)
    assert first is not None
    assert second is not None
    assert sorted((cache / "seeds").glob("*.img")) == [first, second]
    (cache / "seeds" / "0123456789abcdef.img").touch()  # as earlier versions named it
    os.utime(cache / "images" / "one", (0, 0))
    third = seed(contents, "three", print)
    assert list((cache / "seeds").glob("*.img")) == [third]
