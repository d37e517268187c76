"""The board image: built once, never half there, safe in content, and pruned when old."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import tarfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.made.checkout import REPOSITORY
from harness.core.errors import EmulatorError
from harness.core.locks import locked
from harness.emulate import cpio, image, imagecheck, rootfs, tools
from harness.emulate.cleanup import prune
from harness.emulate.systems import ARM64, ARMHF, BoardSystem


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _fake_build(images: Path, digest: str, say: object, system: BoardSystem) -> None:
    folder = images / digest
    folder.mkdir()
    (folder / "image.json").write_text(json.dumps({"host_key": "ssh-ed25519 AAAA", "packages": {}}))


def test_image_is_built_once_by_many(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds: list[str] = []
    gate = threading.Event()

    def build(images: Path, digest: str, say: object, system: BoardSystem) -> None:
        builds.append(digest)
        gate.wait(0.2)
        _fake_build(images, digest, say, system)

    monkeypatch.setattr(image, "_build", build)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: image.ensure_image(), range(8)))
    assert len(builds) == 1
    assert len(set(map(str, made))) == 1


def test_interrupted_build_leaves_no_image(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(tree: Path, *_: object) -> dict[str, str]:
        (tree / "half").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(rootfs, "unpack", interrupted)
    monkeypatch.setattr(tools, "need", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        image.ensure_image()
    assert [path.name for path in (cache / "images").iterdir()] == [f"{ARM64.digest}.lock"]


def test_leftovers_of_a_killed_builder_are_swept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = cache / "images" / f".{ARM64.digest}-killed"
    left.mkdir(parents=True)
    monkeypatch.setattr(tools, "need", lambda *_: None)
    monkeypatch.setattr(rootfs, "unpack", lambda *_: pytest.fail("swept") if not left.exists() else {})
    with pytest.raises(pytest.fail.Exception, match="swept"):
        image.ensure_image()


def test_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    with pytest.raises(EmulatorError, match="HARNESS_CACHE"):
        image.ensure_image()


def test_no_packages_to_be_had_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in mmdebstrap that fails as the real one does without a network."""
    fake = tmp_path / "bin" / "mmdebstrap"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'E: apt-get update failed: could not resolve host' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    (tmp_path / "tree").mkdir()
    (tmp_path / "boot").mkdir()
    with pytest.raises(EmulatorError, match="could not resolve host") as caught:
        rootfs.unpack(tmp_path / "tree", tmp_path / "boot", ARM64, lambda _: None)
    assert "network" in (caught.value.fix or "")


_MIRROR = """#!/bin/sh
for last; do :; done
case $(cat "$last") in *-security*)
    echo "Err:8 bookworm-security/main armhf Packages" >&2
    echo "E: Failed to fetch Packages.xz  File has unexpected size. Mirror sync in progress?" >&2
    exit 1;;
esac
echo base-files_12.4_armhf.deb > "$HARNESS_LISTING"
tar -cf - --files-from /dev/null
"""


def test_a_broken_index_of_security_updates_is_done_without_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in mmdebstrap that fails as the real one does while a mirror is half updated."""
    fake = tmp_path / "bin" / "mmdebstrap"
    fake.parent.mkdir()
    fake.write_text(_MIRROR)
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    monkeypatch.setattr(
        rootfs, "debian_sources", lambda: "deb mirror bookworm main\ndeb mirror bookworm-security main\n"
    )
    tree, boot = tmp_path / "tree", tmp_path / "boot"
    tree.mkdir()
    boot.mkdir()
    said: list[str] = []
    assert rootfs.unpack(tree, boot, ARMHF, said.append) == {"base-files": "12.4"}
    assert said[-1] == "the mirror's bookworm-security can't be used for armhf: the board goes without"
    assert (tree / "bin").is_symlink()


def _whole_build(images: Path, digest: str, say: object, system: BoardSystem) -> None:
    """All files of an image, with made-up content."""
    folder = images / digest
    folder.mkdir(parents=True)
    for number, name in enumerate(imagecheck.FILES):
        (folder / name).write_bytes(bytes([number]) * (imagecheck.END_BYTES * 3 if name == "root.img" else 500))
    facts = {"host_key": "ssh-ed25519 AAAA", "packages": {}, "files": imagecheck.marks(folder)}
    (folder / "image.json").write_text(json.dumps(facts), encoding="utf-8")


def _cut(path: Path, length: int) -> None:
    with path.open("r+b") as handle:
        handle.truncate(length)


def _without(path: Path, key: str) -> None:
    facts = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({name: value for name, value in facts.items() if name != key}), encoding="utf-8")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty facts": (lambda image: (image / "image.json").write_bytes(b""), "image.json can't be read"),
    "half the facts": (lambda image: _cut(image / "image.json", 40), "image.json can't be read"),
    "facts of another kind": (lambda image: (image / "image.json").write_text("[1]"), "image.json can't be read"),
    "no facts": (lambda image: (image / "image.json").unlink(), "image.json can't be read"),
    "no host key": (lambda image: _without(image / "image.json", "host_key"), "image.json can't be read"),
    "no packages": (lambda image: _without(image / "image.json", "packages"), "image.json can't be read"),
    "half a disk": (lambda image: _cut(image / "root.img", imagecheck.END_BYTES), "root.img changed"),
    "a disk of zeros": (lambda image: _zeroed(image / "root.img"), "root.img changed"),
    "an empty kernel": (lambda image: _cut(image / "kernel", 0), "kernel changed"),
    "no initrd": (lambda image: (image / "initrd").unlink(), "initrd: No such file"),
    "half a key": (lambda image: _cut(image / "id_ed25519", 100), "id_ed25519 changed"),
    "a folder where the disk is": (lambda image: _folder(image / "root.img"), "root.img: Is a directory"),
    "a file where the image is": (lambda image: (shutil.rmtree(image), image.write_text("x")), "can't be read"),
}


def _zeroed(path: Path) -> None:
    size = path.stat().st_size
    _cut(path, 0)
    _cut(path, size)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_image_is_said_and_built_again(damage: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds: list[str] = []
    monkeypatch.setattr(image, "_build", lambda *args: (builds.append(args[1]), _whole_build(*args)))
    first = image.ensure_image()
    spoil, what = DAMAGE[damage]
    spoil(first.folder)
    said: list[str] = []
    again = image.ensure_image(said.append)
    assert again == first
    assert len(builds) == 2
    (line,) = said
    assert line.startswith("the board image in the cache is damaged (")
    assert what in line
    assert imagecheck.read_facts(again.folder)
    image.ensure_image()
    assert len(builds) == 2


def test_only_the_ends_of_a_large_file_are_read(tmp_path: Path) -> None:
    """An image is looked at before each boot."""
    with (tmp_path / "disk").open("wb") as handle:
        handle.truncate(1 << 40)
    assert imagecheck._mark(tmp_path / "disk").startswith(f"{1 << 40} ")


def _tar(members: list[tuple[str, bytes | str, int]]) -> io.BytesIO:
    """A tar stream of ``(name, content or link target, mode)``."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content, mode in members:
            info = tarfile.TarInfo(name)
            info.mode = mode
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    out.seek(0)
    return out


def test_unpacked_tree_is_merged_and_stays_inside(tmp_path: Path) -> None:
    tree, boot = tmp_path / "tree", tmp_path / "boot"
    members: list[tuple[str, bytes | str, int]] = [
        ("./bin/sh", "dash", 0o777),
        ("./bin/dash", b"shell", 0o755),
        ("./lib/modules/6.1.0/kernel/drivers/virtio/virtio.ko", b"module", 0o644),
        ("./lib/modules/6.1.0/kernel/fs/xfs/xfs.ko", b"not wanted", 0o644),
        ("./boot/vmlinuz-6.1.0", b"kernel", 0o644),
        ("./usr/share/doc/dash/README", b"text", 0o644),
        ("../outside", b"no", 0o644),
    ]
    tree.mkdir()
    rootfs._extract(_tar(members), tree, boot, ARM64)
    assert (tree / "bin").readlink() == Path("usr/bin")
    assert (tree / "bin/sh").read_bytes() == b"shell"
    assert (boot / "modules/drivers/virtio/virtio.ko").read_bytes() == b"module"
    assert (boot / "kernel").read_bytes() == b"kernel"
    found = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    assert found == {"usr/bin/sh", "usr/bin/dash"}
    assert not (tmp_path / "outside").exists()


def test_configured_tree_is_safe_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o002)
    try:
        rootfs.configure(tmp_path, host_key="secret", authorized_key="public")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "etc/ssh").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "etc/ssh/ssh_host_ed25519_key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "tmp").stat().st_mode) == 0o1777
    assert "bench:*:" in (tmp_path / "etc/shadow").read_text()


def test_package_versions_are_read_from_file_names() -> None:
    assert rootfs._packages("zlib1g_1%3a1.2.13-1_arm64.deb\npartial\nlock\n") == {"zlib1g": "1:1.2.13-1"}


def test_cpio_is_what_cpio_reads(tmp_path: Path) -> None:
    packed = cpio.pack([("bin", stat.S_IFDIR | 0o755, b""), ("bin/x", stat.S_IFREG | 0o755, b"hello")])
    assert packed.startswith(b"070701")
    assert len(packed) % 4 == 0
    if shutil.which("cpio"):
        listed = subprocess.run(["cpio", "-tv", "--quiet"], input=packed, capture_output=True, check=True).stdout
        assert [line.split()[0] for line in listed.decode().splitlines()] == ["drwxr-xr-x", "-rwxr-xr-x"]


def test_no_mirror_and_no_machine_is_named() -> None:
    for source in (REPOSITORY / "harness" / "emulate").glob("*.py"):
        assert "://" not in source.read_text(), source


def test_old_images_and_their_storage_are_pruned(tmp_path: Path) -> None:
    present, recent, old = "a" * 16, "b" * 16, "c" * 16
    for digest in (present, recent, old):
        (tmp_path / "images" / digest).mkdir(parents=True)
        (tmp_path / "boards" / f"pi4-raspberry-pi-4-{digest}").mkdir(parents=True)
    for digest in (present, old):
        os.utime(tmp_path / "images" / digest, (0, 0))
    (tmp_path / "images" / f"{old}.lock").touch()
    assert sorted(path.name for path in prune(tmp_path, present)) == [old, f"pi4-raspberry-pi-4-{old}"]
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [present, recent, f"{old}.lock"]
    assert prune(tmp_path, present) == []

    (tmp_path / "images" / recent).rmdir()
    with locked(tmp_path / "boards" / f"pi4-raspberry-pi-4-{recent}" / "lock"):
        assert prune(tmp_path, present) == []
