"""A Debian file tree, unpacked from packages without root and without running one ARM program.

mmdebstrap resolves, downloads, verifies and unpacks; it hands us a tar stream, which we write as a tree owned by
whoever runs this. Owners are set right afterwards, inside the file system image (:mod:`harness.emulate.image`), so
nothing here needs more rights than writing files.
"""

from __future__ import annotations

import os
import py_compile
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote

from harness.core.errors import EmulatorError
from harness.emulate import recipe, tools
from harness.emulate.systems import BoardSystem

#: The suite of security updates, as it is named in sources and complaints.
_SECURITY = f"{recipe.SUITE}-security"

#: Parts of the Python library that no runtime imports.
_NOT_COMPILED = frozenset(("test", "tests", "lib2to3", "f2py", "distutils"))

#: Debian's merged /usr: packages still ship /bin/x, a running system has it as /usr/bin/x.
_MERGED = ("bin", "sbin", "lib")


def debian_sources() -> str:
    """This machine's own apt sources for the board's Debian release as one-line entries; empty when it has none.

    So a configured mirror is used. On another release or on Ubuntu there is none, and mmdebstrap's default serves.
    """
    form = "$(CREATED_BY)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(ORIGIN)\t$(SIGNED_BY)"
    try:
        done = subprocess.run(
            ["apt-get", "indextargets", "--format", form],
            capture_output=True,
            timeout=60,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    suites = (recipe.SUITE, f"{recipe.SUITE}-updates", _SECURITY)
    lines: dict[str, None] = {}
    for line in done.stdout.splitlines():
        kind, uri, suite, component, origin, signed = (line.split("\t") + [""] * 6)[:6]
        # ORIGIN stays a literal "$(ORIGIN)" while apt has never fetched that source
        if kind == "Packages" and suite in suites and component == "main" and origin in ("Debian", "$(ORIGIN)"):
            key = f" [signed-by={signed}]" if signed.startswith("/") else ""
            lines[f"deb{key} {uri} {suite} main\n"] = None
    has_release = any(f" {recipe.SUITE} main" in line for line in lines)
    return "".join(lines) if has_release else ""


def unpack(tree: Path, boot: Path, system: BoardSystem, progress: Callable[[str], None]) -> dict[str, str]:
    """Unpack the board's packages into ``tree``, and kernel and modules into ``boot``.

    A mirror's index of security updates that can't be had is passed over and said: a board can be reached from this
    machine alone, and mirrors serve less used architectures less carefully.

    Returns:
        ``{package: version}`` of all that was unpacked.

    Raises:
        EmulatorMissingError: mmdebstrap is not installed.
        EmulatorError: packages can't be found, downloaded or verified.
    """
    tools.need("mmdebstrap")
    progress(f"unpacking {system.title} packages")
    sources = debian_sources()
    try:
        return _unpacked(tree, boot, system, sources)
    except EmulatorError as error:
        rest = "".join(line for line in sources.splitlines(keepends=True) if _SECURITY not in line)
        if rest == sources or _SECURITY not in error.message:
            raise
    progress(f"the mirror's {_SECURITY} can't be used for {system.os}: the board goes without")
    for folder in (tree, boot):
        shutil.rmtree(folder)
        folder.mkdir()
    return _unpacked(tree, boot, system, rest)


def _unpacked(tree: Path, boot: Path, system: BoardSystem, sources: str) -> dict[str, str]:
    """The packages of these sources, unpacked; see :func:`unpack`. Without sources, mmdebstrap's own serve."""
    listing = boot / "packages"
    listed = boot / "sources.list"
    listed.write_text(sources, encoding="utf-8")
    argv = _mmdebstrap(system, listed if sources else None)
    environ = {**os.environ, "LC_ALL": "C.UTF-8", "HARNESS_LISTING": str(listing)}
    broken: Exception | None = None
    with tempfile.TemporaryFile() as said:
        # its own session: it ends by sending SIGHUP to its whole process group, which would be us
        with subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=environ, start_new_session=True
        ) as process:
            assert process.stdout is not None
            try:
                _extract(process.stdout, tree, boot, system)
                while process.stdout.read(1 << 16):  # tar's padding: closing early would kill the writer
                    pass
            except tarfile.TarError as error:
                broken = error
            except BaseException:
                process.terminate()
                raise
        if process.returncode or broken:
            said.seek(0)
            raise _failure(said.read().decode(errors="replace"), broken)
    return _packages(listing.read_text(encoding="utf-8"))


def _mmdebstrap(system: BoardSystem, sources: Path | None) -> list[str]:
    """The command that writes the packages' files as a tar stream, and their names to ``$HARNESS_LISTING``."""
    argv = [
        "mmdebstrap",
        # chrootless needs no privileges at all, and is harmless as root too: this variant runs no maintainer scripts
        "--mode=chrootless",
        "--variant=extract",
        "--format=tar",
        f"--architectures={','.join(system.architectures)}",
        f"--include={','.join(system.included)}",
        '--extract-hook=ls "$1/var/cache/apt/archives" > "$HARNESS_LISTING"',
        recipe.SUITE,
        "-",
    ]
    return argv if sources is None else [*argv, str(sources)]


def _failure(said: str, broken: Exception | None) -> EmulatorError:
    """What mmdebstrap's complaint means for the user."""
    lines = [line for line in said.splitlines() if line.startswith(("E:", "Err:", "W: Failed"))]
    lines += [str(broken)] if broken else []
    fix = "check that this machine can download Debian packages (network, proxy, apt sources)"
    if "public key" in said or "NO_PUBKEY" in said or "not signed" in said:
        fix = "sudo apt-get install debian-archive-keyring"
    return EmulatorError(f"the board image can't be built: {' / '.join(lines)[-600:] or said[-300:]}", fix=fix)


def _extract(stream: IO[bytes], tree: Path, boot: Path, system: BoardSystem) -> None:
    """Write the tar ``stream`` as a merged-/usr tree; owners and device files are not kept, modes are."""
    for name in _MERGED:
        (tree / "usr" / name).mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(f"usr/{name}")
    left_out = system.left_out
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            path = _place(member.name)
            if path is None:
                continue
            wanted = _boot_file(path, system)
            if wanted is not None and member.isreg():
                _write(archive, member, boot, wanted)
            elif not path.startswith(left_out) and path not in _MERGED:
                _write(archive, member, tree, path)


def _place(name: str) -> str | None:
    """Where a member goes, relative to the root; None for the root itself or a name that leads outside."""
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts:
        return None
    return "/".join(("usr", *parts) if parts[0] in _MERGED and len(parts) > 1 else parts)


def _boot_file(path: str, system: BoardSystem) -> str | None:
    """The name under the boot folder of a file that the boot needs, else None."""
    if path.startswith("boot/vmlinuz-"):
        return "kernel"
    if path.startswith("usr/lib/modules/"):
        tail = path.split("/", 4)[-1].removeprefix("kernel/")
        if tail in system.modules or tail == "modules.builtin":
            return f"modules/{tail}"
    return None


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path, path: str) -> None:
    target = root / path
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.issym() or member.islnk():
        target.unlink(missing_ok=True)
    if member.issym():
        target.symlink_to(member.linkname)
    elif member.islnk():
        source = _place(member.linkname)
        if source is not None and (root / source).is_file():
            target.hardlink_to(root / source)
    elif member.isreg():
        content = archive.extractfile(member)
        assert content is not None
        with content, target.open("wb") as handle:
            shutil.copyfileobj(content, handle, 1 << 20)
        target.chmod(member.mode & 0o7777 | 0o600)
        os.utime(target, (member.mtime, member.mtime))


def _packages(listing: str) -> dict[str, str]:
    """Name and version of each package, from the names of the package files."""
    found = {}
    for line in listing.splitlines():
        name, _, rest = line.removesuffix(".deb").partition("_")
        if rest:
            found[name] = unquote(rest.rpartition("_")[0])
    return found


def configure(tree: Path, *, host_key: str, authorized_key: str, links: Sequence[tuple[str, str]] = ()) -> None:
    """Do by hand the little that the packages' own scripts would have done: users, sshd, init, folders, links."""
    for folder in recipe.FOLDERS:
        (tree / folder).mkdir(parents=True, exist_ok=True)
    files = {
        **recipe.FILES,
        "etc/ssh/ssh_host_ed25519_key": (0o600, host_key),
        "etc/ssh/authorized_keys": (0o644, authorized_key),
    }
    for name, (mode, content) in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(mode)
    for name, target in links:
        (tree / name).symlink_to(target)
    # sshd refuses keys below a folder that others may write to, and our umask may be anything
    for folder, _, _ in os.walk(tree):
        Path(folder).chmod(0o755)
    for name in ("tmp", "var/tmp"):
        (tree / name).chmod(0o1777)


def precompile(tree: Path, progress: Callable[[str], None]) -> None:
    """Compile the board's Python library with our Python when it is the same version; else the board does it, slowly.

    The user of a board can't write next to the library, so each start of Python would compile it again.
    """
    if sys.version_info[:2] != recipe.PYTHON:
        return
    progress("compiling the board's Python library")
    library = tree / "usr/lib" / f"python{recipe.PYTHON[0]}.{recipe.PYTHON[1]}"
    packages = tree / "usr/lib/python3/dist-packages"
    for source in sorted((*library.rglob("*.py"), *packages.rglob("*.py"))):
        if not _NOT_COMPILED.isdisjoint(source.relative_to(tree).parts):
            continue
        shown = "/" + str(source.relative_to(tree))
        # unchecked: the files' times go through tar and mke2fs, and nobody edits the library on a board
        py_compile.compile(
            str(source), dfile=shown, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
        )
