"""QEMU's plugin: compiled from plugin.c when it is first needed, then stored in the cache."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from harness.boards.cores import Core
from harness.core.errors import EstimateError
from harness.core.files import sha256_bytes
from harness.core.paths import cache_dir
from harness.core.safetext import clean
from harness.estimate.toolchain import need, run

#: The version of the plugin interface by the first QEMU that has it (include/qemu/qemu-plugin.h). Newer QEMUs still
#: accept 4.
_APIS = (((9, 2), 4), ((9, 1), 3), ((9, 0), 2), ((6, 0), 1))
_QEMU = "qemu-system-aarch64"
_COMPILER = "gcc libc6-dev"
_INSTALL_COMPILER = f"sudo apt-get install {_COMPILER}"


@dataclass(frozen=True)
class Plugin:
    """A compiled plugin that this QEMU loads.

    Attributes:
        path: absolute, as QEMU needs it.
        api: version of QEMU's plugin interface.
        qemu: QEMU's version, such as ``7.2.22``.
    """

    path: Path
    api: int
    qemu: str

    def option(self, core: Core, folder: Path) -> str:
        """The value of QEMU's ``-plugin``: regions are written to ``folder`` and use the data caches of ``core``."""
        caches = ":".join(f"{level.kib}:{level.ways}" for level in core.caches)
        return _options(self.path, f"out={folder}", f"caches={caches}")


def need_programs() -> tuple[str, str]:
    """Check that QEMU and the C compiler are installed.

    Raises:
        EstimateError: one is not installed.
    """
    return need(_QEMU, "qemu-system-arm"), need("cc", _COMPILER)


def check_programs() -> None:
    """Check that QEMU and the C compiler are installed and fit for a plugin, without making one.

    Raises:
        EstimateError: one is not, or QEMU is too old or built without plugins, or the compiler lacks C's headers.
    """
    qemu, compiler = need_programs()
    _version(qemu)
    said = run([*_idle(qemu), "-plugin", f"file={os.devnull}"]).stderr
    if "not enabled" in said or "invalid option" in said:
        raise EstimateError(f"{qemu} is built without plugins: {clean(said)}", fix="use a QEMU built with plugins")
    tried = run([compiler, "-fsyntax-only", "-xc", "-"], stdin="#include <stdio.h>\n")
    if tried.returncode:
        raise EstimateError(f"{compiler} can't compile QEMU's plugin: {clean(tried.stderr)}", fix=_INSTALL_COMPILER)


def ensure_plugin() -> Plugin:
    """The plugin for the QEMU that is installed.

    Raises:
        EstimateError: QEMU or a C compiler is missing, this QEMU accepts no plugins, or the cache can't be written to.
    """
    qemu = need(_QEMU, "qemu-system-arm")
    version, api = _version(qemu)
    source = resources.files("harness.estimate").joinpath("plugin.c").read_bytes()
    key = sha256_bytes(
        b"\0".join((source, f"version {version}".encode(), os.fsencode(qemu), os.uname().machine.encode()))
    )
    path = cache_dir() / "estimate" / f"plugin-api{api}-{key[:16]}.so"
    try:
        if not path.exists() or _refusal(qemu, path) is not None:  # a crash may have left half of it
            _compile(source, api, qemu, path)
    except OSError as error:
        raise unusable(path.parent, error) from error
    return Plugin(path, api, version)


def _version(qemu: str) -> tuple[str, int]:
    """QEMU's version, and that of its plugin interface.

    Raises:
        EstimateError: it does not say its version, or is too old for plugins.
    """
    version = re.search(r"version ((\d+)\.(\d+)(?:\.\d+)*)", run([qemu, "--version"]).stdout)
    if version is None:
        raise EstimateError(f"{qemu} does not say its version")
    number = (int(version[2]), int(version[3]))
    api = next((api for since, api in _APIS if number >= since), None)
    if api is None:
        raise EstimateError(f"QEMU version {version[1]} is too old for plugins", fix="QEMU 6.0 or newer")
    return version[1], api


def _compile(source: bytes, api: int, qemu: str, path: Path) -> None:
    """Compile the plugin, let QEMU load it once as a test, and put it at ``path``.

    Raises:
        EstimateError: the compiler fails, or QEMU refuses the plugin.
        OSError: the folder can't be written to.
    """
    compiler = need("cc", _COMPILER)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="compile-", dir=path.parent))
    try:
        (folder / "plugin.c").write_bytes(source)
        made = folder / "plugin.so"
        flags = ["-O2", "-shared", "-fPIC", "-fvisibility=hidden", f"-DAPI={api}"]
        said = run([compiler, *flags, "-o", str(made), str(folder / "plugin.c")]).stderr
        if not made.exists():
            raise EstimateError(
                f"{compiler} can't compile QEMU's plugin: {said.strip()[-500:]}",
                fix=_INSTALL_COMPILER,
            )
        refusal = _refusal(qemu, made)
        if refusal is not None:
            raise EstimateError(
                f"{qemu} does not load plugins from {path.parent}: {refusal}",
                fix="use a QEMU built with plugins; if it can't map the file, set HARNESS_CACHE to a folder of a file "
                "system that is not mounted noexec",
            )
        made.rename(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refusal(qemu: str, plugin: Path) -> str | None:
    """What QEMU says when it does not load a plugin; None if it does."""
    said = run([*_idle(qemu), "-plugin", _options(plugin, "probe=on")]).stderr
    return None if "plugin API" in said else said.strip()[-500:]


def _idle(qemu: str) -> list[str]:
    """A QEMU without a machine, which ends because of its plugin."""
    return [qemu, "-M", "none", "-nodefaults", "-display", "none"]


def unusable(folder: Path, error: OSError) -> EstimateError:
    """The error for a cache folder that can't be used."""
    return EstimateError(f"{folder} can't be used for estimates: {error.strerror}", fix="set HARNESS_CACHE to a folder")


def _options(plugin: Path, *options: str) -> str:
    """The value of QEMU's ``-plugin``. ``file=`` is named, since QEMU takes a path with ``=`` for an option."""
    return ",".join(_escaped(word) for word in (f"file={plugin}", *options))


def _escaped(text: str) -> str:
    """A value in a QEMU option list: commas are doubled."""
    return text.replace(",", ",,")
