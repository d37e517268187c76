"""The board image: kernel, initramfs, root file system and keys, built once and cached by the hash of its recipe."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness.core.errors import EmulatorError, StoreError
from harness.core.files import sync_folder
from harness.core.locks import locked
from harness.core.paths import cache_dir
from harness.emulate import cpio, disk, recipe, rootfs, tools
from harness.emulate.cleanup import mark_used, prune
from harness.emulate.imagecheck import marks, read_facts
from harness.emulate.systems import ARM64, BoardSystem

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Image:
    """A finished image; every path is inside ``folder`` and is only ever read.

    Attributes:
        digest: hash of the recipe that made it.
        host_key: the boards' public host key, ``ssh-ed25519 AAAA...``.
        identity_file: private key that logs in as ``bench``; mode 0600.
        packages: Debian package -> version.
    """

    digest: str
    folder: Path
    kernel: Path
    initrd: Path
    root: Path
    identity_file: Path
    host_key: str
    packages: dict[str, str]


def ensure_image(progress: Progress | None = None, system: BoardSystem = ARM64) -> Image:
    """The image of a system for the present recipe, built first when it is not in the cache.

    Safe to call from several threads and processes at once: one builds, the others wait. An interrupted build leaves
    nothing behind that a later one would take for an image.

    Args:
        progress: called with one line of plain text per step.

    Raises:
        EmulatorMissingError: a program is not installed.
        EmulatorError: packages can't be had, or the cache can't be written.
    """
    say = progress or (lambda _line: None)
    digest = system.digest
    images = cache_dir() / "images"
    try:
        image = _load(images / digest, digest) or _built(images, system, say)
        mark_used(images / digest)
        return image
    except (OSError, StoreError) as error:
        why = error.message if isinstance(error, StoreError) else error.strerror or error
        raise EmulatorError(
            f"the board image can't be built in {images}: {why}",
            fix="free space, or set HARNESS_CACHE",
        ) from error


def _built(images: Path, system: BoardSystem, say: Progress) -> Image:
    """The image, built by this process unless another one builds it meanwhile; old images are removed."""
    digest = system.digest
    images.mkdir(parents=True, exist_ok=True)
    with locked(images / f"{digest}.lock", waiting=lambda: say("waiting for another process that builds the image")):
        image = _load(images / digest, digest, say)
        if image is None:
            _build(images, digest, say, system)
            image = _load(images / digest, digest)
    prune(cache_dir(), digest)
    if image is None:
        raise EmulatorError(f"the board image in {images / digest} is damaged though just built", fix="check the disk")
    return image


def _load(folder: Path, digest: str, say: Progress | None = None) -> Image | None:
    """The image in a folder; None where there is none or it is damaged. With ``say``, a damaged one is put aside."""
    try:
        facts = read_facts(folder)
    except FileNotFoundError:
        return None
    except ValueError as error:
        if say:
            say(f"the board image in the cache is damaged ({error}); building it again")
            folder.rename(folder.parent / f".{digest}-damaged-{os.getpid()}")  # boards that are up still read it
        return None
    return Image(
        digest=digest,
        folder=folder,
        kernel=folder / "kernel",
        initrd=folder / "initrd",
        root=folder / "root.img",
        identity_file=folder / "id_ed25519",
        host_key=facts.host_key,
        packages=facts.packages,
    )


def _build(images: Path, digest: str, say: Progress, system: BoardSystem) -> None:
    """Build into a temporary folder beside the final one, and rename. Called with the lock held."""
    tools.need()
    started = time.monotonic()
    for left in images.glob(f".{digest}-*"):
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{digest}-", dir=images))
    try:
        tree, boot = work / "tree", work / "boot"
        tree.mkdir()
        boot.mkdir()
        packages = rootfs.unpack(tree, boot, system, say)
        private, public = _key_pair("harness board")
        client_private, client_public = _key_pair("harness client")
        rootfs.configure(tree, host_key=private, authorized_key=client_public, links=system.links)
        rootfs.precompile(tree, say)
        say("making the board's disk")
        done = work / "done"
        done.mkdir(mode=0o755)
        (boot / "kernel").rename(done / "kernel")
        (done / "initrd").write_bytes(_initramfs(tree, boot, system.modules))
        _file_system(tree, done / "root.img")
        identity = done / "id_ed25519"
        identity.touch(mode=0o600)
        identity.write_text(client_private, encoding="utf-8")
        host_key = public.rsplit(" ", 2)[0]
        facts = {"host_key": host_key, "packages": packages, "suite": system.title, "files": marks(done)}
        (done / "image.json").write_text(json.dumps(facts, indent=1, sort_keys=True), encoding="utf-8")
        for path in done.iterdir():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
        done.rename(images / digest)
        sync_folder(images)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"board image ready after {time.monotonic() - started:.0f} s")


def _key_pair(comment: str) -> tuple[str, str]:
    """A new Ed25519 key as OpenSSH text: ``(private, public line)``."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), f"{public.decode()} {comment}\n"


def _initramfs(tree: Path, boot: Path, modules: Sequence[str]) -> bytes:
    """Just enough to find the disks: busybox, virtio modules, a script. Not compressed: QEMU is slow at unpacking."""
    built_in = (boot / "modules/modules.builtin").read_text(encoding="utf-8").splitlines()
    entries: list[tuple[str, int, bytes]] = [
        (folder, stat.S_IFDIR | 0o755, b"") for folder in ("bin", "dev", "sys", "root", "modules")
    ]
    entries.append(("init", stat.S_IFREG | 0o755, recipe.INITRAMFS_INIT.encode()))
    entries.append(("bin/busybox", stat.S_IFREG | 0o755, (tree / "usr/bin/busybox").read_bytes()))
    order: list[str] = []
    for module in modules:
        path = boot / "modules" / module
        if path.is_file():
            order.append(path.name)
            entries.append((f"modules/{path.name}", stat.S_IFREG | 0o644, path.read_bytes()))
        elif f"kernel/{module}" not in built_in:
            raise EmulatorError(
                f"the board's kernel has no module {module}", fix="report it: Debian's kernel has changed"
            )
    entries.append(("modules/order", stat.S_IFREG | 0o644, "".join(f"{name}\n" for name in order).encode()))
    return cpio.pack(entries)


def _file_system(tree: Path, image: Path) -> None:
    """``tree`` as a sparse ext4 image in which all belongs to root, and the user's home to the user."""
    with image.open("wb") as handle:
        handle.truncate(recipe.ROOT_MIB << 20)
    # no journal: the disk is never written to, every board writes to a layer above it that is thrown away
    tools.run(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal,^metadata_csum,^resize_inode", "-m", "0",
         "-d", str(tree), str(image)]
    )  # fmt: skip
    mine = f"/home/{recipe.USER}", *_parents_below_home()
    orders = [f"sif <{inode}> {kind} 0" for inode in disk.inodes(image) for kind in ("uid", "gid")]
    orders += [f"sif {path} {kind} {recipe.UID}" for path in mine for kind in ("uid", "gid")]
    said = tools.run(["debugfs", "-w", "-f", "-", str(image)], stdin="\n".join(orders) + "\n")
    if "denied" in said or "not found" in said:
        raise EmulatorError(f"debugfs could not set the owners: {said[-300:]}")


def _parents_below_home() -> list[str]:
    """Folders between the user's home and the store, the store's own mount point included."""
    home = Path("/home") / recipe.USER
    mount = Path(recipe.STORE_MOUNT)
    return [str(path) for path in (mount, *mount.parents) if path != home and path.is_relative_to(home)]
