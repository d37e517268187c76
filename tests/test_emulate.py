"""Emulation without booting: image cache, storage, command line, and what is said when QEMU is missing."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from emulate_fixtures import REPOSITORY, environment

import harness.emulate
from harness import paths
from harness.boards import FAMILIES
from harness.emulate import cpio, image, machine, recipe, rootfs, standing, store, tools
from harness.emulate.guard import fill, tail
from harness.errors import EmulatorError, EmulatorMissingError

needs_e2fsprogs = pytest.mark.skipif(tools.find("mke2fs") is None, reason="needs e2fsprogs")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _image(folder: Path) -> image.Image:
    return image.Image(
        "0" * 16,
        folder,
        folder / "kernel",
        folder / "initrd",
        folder / "root.img",
        folder / "id",
        "ssh-ed25519 AAAA",
        {},
    )


def test_cache_dir_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    assert paths.cache_dir() == tmp_path
    monkeypatch.setenv("HARNESS_CACHE", "")
    assert paths.cache_dir().name == "edge-harness"


def test_public_names_exist() -> None:
    assert all(getattr(harness.emulate, name) for name in harness.emulate.__all__)
    with pytest.raises(AttributeError):
        _ = harness.emulate.no_such_name


def test_guard_imports_nothing_heavy() -> None:
    """One guard per board: it must start fast and stay small."""
    script = "import sys, harness.emulate.guard; print(sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment())
    assert not {"paramiko", "pydantic", "numpy", "cryptography"} & set(json.loads(done.stdout.replace("'", '"')))


# --- missing programs


def test_missing_qemu_names_the_package(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EmulatorMissingError) as caught:
        harness.emulate.boot("x", FAMILIES["raspberry-pi-4"])
    assert "qemu-system-aarch64" in caught.value.message
    assert "apt-get install" in (caught.value.fix or "")
    assert "qemu-system-arm" in (caught.value.fix or "")
    assert not cache.exists()


def test_requirements_lists_program_and_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "mmdebstrap (package mmdebstrap)" in harness.emulate.requirements()


def test_sbin_is_searched_for_ordinary_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert (tools.find("mke2fs") is not None) == any(Path(d, "mke2fs").exists() for d in ("/usr/sbin", "/sbin"))


def test_a_failed_program_is_quoted() -> None:
    with pytest.raises(EmulatorError, match="e2fsck ended with status"):
        tools.run(["e2fsck", "-p", "/nonexistent"])


# --- the command line


@pytest.mark.parametrize("family", [f for f in FAMILIES.values() if f.qemu_cpu])
def test_command_has_the_boards_own_cpu_and_only_loopback(family: object, tmp_path: Path) -> None:
    assert isinstance(family, type(FAMILIES["generic"]))
    argv = machine.command(family, "instructions", _image(tmp_path / "a,b"))
    assert argv[argv.index("-cpu") + 1] == family.qemu_cpu
    assert argv[argv.index("-icount") + 1] == "shift=0,sleep=on"
    assert argv[argv.index("-smp") + 1] == "1"
    network = argv[argv.index("-netdev") + 1]
    assert "restrict=on" in network
    assert "hostfwd=tcp:127.0.0.1:" in network
    done = fill(argv, port=4242, store=tmp_path / "c,d")
    assert "tcp:127.0.0.1:4242-:22" in " ".join(done)
    assert "/c,,d" in " ".join(done)
    assert "/a,,b/root.img" in " ".join(done)
    assert "@" not in " ".join(done)


def test_wall_clock_has_no_icount(tmp_path: Path) -> None:
    assert "-icount" not in machine.command(FAMILIES["raspberry-pi-4"], "wall", _image(tmp_path))


@pytest.mark.parametrize("name", ["generic", "toaster"])
def test_what_qemu_cannot_imitate_is_refused(name: str) -> None:
    with pytest.raises(EmulatorError, match="can't be emulated"):
        machine.emulated(name)


# --- the image


def _fake_build(images: Path, digest: str, say: object) -> None:
    folder = images / digest
    folder.mkdir()
    (folder / "image.json").write_text(json.dumps({"host_key": "ssh-ed25519 AAAA", "packages": {}}))


def test_image_is_built_once_by_many(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds: list[str] = []
    gate = threading.Event()

    def build(images: Path, digest: str, say: object) -> None:
        builds.append(digest)
        gate.wait(0.2)
        _fake_build(images, digest, say)

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
    assert [path.name for path in (cache / "images").iterdir()] == [f"{recipe.recipe_hash()}.lock"]


def test_leftovers_of_a_killed_builder_are_swept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = cache / "images" / f".{recipe.recipe_hash()}-killed"
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
        rootfs.unpack(tmp_path / "tree", tmp_path / "boot", lambda _: None)
    assert "network" in (caught.value.fix or "")


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
    rootfs._extract(_tar(members), tree, boot)
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


# --- the storage


@needs_e2fsprogs
def test_store_is_kept_locked_and_repaired(tmp_path: Path) -> None:
    folder = store.store_folder(tmp_path, "my board", "raspberry-pi-4", "abc")
    assert folder.name == "my-board-raspberry-pi-4-abc"
    spare = tmp_path / "spare"
    spare.mkdir()
    first = store.open_store(folder, spare)
    assert first.persistent
    assert first.lock is not None
    born = first.path.stat().st_ino
    second = store.open_store(folder, spare)
    assert not second.persistent
    assert second.path.parent == spare
    os.close(first.lock)

    again = store.open_store(folder, spare)
    assert again.persistent
    assert again.lock is not None
    assert again.path.stat().st_ino == born
    os.close(again.lock)

    with again.path.open("r+b") as handle:  # a disk pulled out in the middle of a write
        handle.write(os.urandom(1 << 20))
    fresh = store.open_store(folder, spare)
    assert fresh.lock is not None
    os.close(fresh.lock)
    assert fresh.path.stat().st_ino != born
    tools.run(["e2fsck", "-fn", str(fresh.path)])


# --- boards that stay up


def test_state_of_a_board_that_is_gone_is_removed(cache: Path) -> None:
    folder = cache / "emulated"
    folder.mkdir(parents=True)
    state = {
        "name": "pi4", "family": "raspberry-pi-4", "host": "127.0.0.1", "port": 1, "user": "bench",
        "identity_file": "i", "known_hosts": "k", "host_key": "h", "clock": "wall", "pid": 1,
        "guard_pid": os.getpid(), "guard_started": 1, "log": "l",
    }  # fmt: skip
    (folder / "pi4.json").write_text(json.dumps(state))
    (folder / "damaged.json").write_text("{")
    assert standing.list_boards() == []
    assert list(folder.glob("*.json")) == []

    state["guard_started"] = standing._started(os.getpid()) or 0
    (folder / "pi4.json").write_text(json.dumps(state))
    assert [board.name for board in standing.list_boards()] == ["pi4"]
    assert standing.ssh_argv("pi4")[0] == "ssh"
    assert "StrictHostKeyChecking=yes" in standing.ssh_argv("pi4")


def test_a_board_that_is_not_up_is_said(cache: Path) -> None:
    with pytest.raises(EmulatorError, match="'pi4' is up"):
        standing.ssh_argv("pi4")
    with pytest.raises(EmulatorError, match="'pi4' is up"):
        standing.down(["pi4"])
    assert standing.down() == []


def test_board_names_cannot_leave_the_folder(cache: Path) -> None:
    with pytest.raises(EmulatorError, match="can't name a board"):
        standing._state_file("../x")


def test_tail_is_printable(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log) == ""
    log.write_bytes(b"\x1b[0mboot\r\n\x00last line\n")
    assert tail(log) == "[0mboot\nlast line"
