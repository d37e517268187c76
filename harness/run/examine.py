"""Estimated cycles of TFLite files on an emulated board, without a run: each file's inference is marked once.

The board is booted for this alone, with a storage of its own name, and switched off afterwards.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from harness.boards.registry import FAMILIES
from harness.config.devices import Device
from harness.core.errors import UsageError
from harness.core.files import sha256_file
from harness.core.named import nearest
from harness.estimate.estimator import Estimator, estimator, known_core
from harness.estimate.model import CACHE_LINE_CYCLES, MEMORY_LINE_CYCLES, RegionEstimate
from harness.estimate.plugin import ensure_plugin
from harness.estimate.profile import quietest_of_each
from harness.estimate.toolchain import find_llvm
from harness.modelfile.boards import platform_like
from harness.records.prices import Origin
from harness.remote.base import Command, Connection
from harness.remote.connect import Reaching, Say, reached
from harness.remote.one_file import one_file
from harness.remote.probe import send, stored
from harness.remote.runner_file import runner_modules
from harness.runtimes import wheels
from harness.runtimes.wheels import Platform

RUNTIME = "litert"
#: Inferences of each file that are looked at. Other work on the board only adds to one, so the quieter one counts.
REGIONS = 2
#: Files that one process on the board loads; between two, the regions that they left are read.
_BATCH = 80
#: How long a batch may take, in seconds.
_BATCH_S = 3600.0


@dataclass(frozen=True)
class FileCycles:
    """What TFLite files cost on the core of a board's family.

    Attributes:
        board: the family.
        origin: where the cycles come from.
        say: receives lines to show.
    """

    board: str
    origin: Origin
    say: Say

    def regions(self, files: Sequence[bytes]) -> Generator[RegionEstimate]:
        """The estimate of a call without a network, then of one inference of each file, its call included, as they
        become known. The board is up until the last one was taken, or the generator is closed.

        Raises:
            BoardError: the board can't be booted, or cycles can't be estimated.
        """
        device = Device(name=f"{self.board}-files", board=self.board, emulate=True)
        wait = threading.Event().wait
        with estimator(self.board) as made, reached(device, Reaching(self.say, plugin=made.option), wait) as board:
            board.lease.renew(_BATCH_S)
            packages = deployed(board.connection, board.probe.platform)
            for start in range(0, max(len(files), 1), _BATCH):
                board.lease.renew(_BATCH_S)
                batch = files[start : start + _BATCH]
                found = quietest_of_each(_marked(board.connection, packages, made, batch), REGIONS)
                self.say(f"{self.board}: {start + len(batch)} of {len(files)} files examined")
                yield from found[1:] if start else found

    def cycles(self, files: Sequence[bytes]) -> Generator[float]:
        """Estimated cycles of one inference of each file, without the call of the runtime, as they become known.

        Raises:
            BoardError: as :meth:`regions`.
        """
        with closing(self.regions(files)) as found:
            call = next(found)
            for region in found:
                yield max(region.cycles - call.cycles, 0.0)


def file_cycles(board: str, say: Say) -> FileCycles:
    """Whoever examines files on boards of a family; nothing is booted yet.

    Raises:
        UsageError: no board of this family has estimates.
        EstimateError: a program is missing; the message names its package.
        ProvisionError: no runtime fits.
    """
    able = [name for name, family in FAMILIES.items() if family.qemu_cpu and family.core is not None]
    if board in FAMILIES and board not in able:
        raise UsageError(
            f"cycles of board '{board}' can't be estimated: its core is not known, or it is not emulated",
            fix=f"one of {', '.join(able)}",
        )
    if board not in able:
        raise UsageError(f"cycles of board '{board}' can't be estimated{nearest(board, able)}")
    core = known_core(board)
    llvm, plugin = find_llvm(core.llvm), ensure_plugin()
    bundle = wheels.choose(RUNTIME, platform_like(FAMILIES[board].emulated_system()))
    origin = Origin(
        board=board,
        runtime=f"{RUNTIME} {bundle.version}",
        core=core.name,
        model=core.model,
        llvm=llvm.version,
        qemu=plugin.qemu,
        cache_line_cycles=CACHE_LINE_CYCLES,
        memory_line_cycles=MEMORY_LINE_CYCLES,
    )
    return FileCycles(board, origin, say)


def deployed(connection: Connection, platform: Platform) -> tuple[str, ...]:
    """Put LiteRT on a board; returns the folders from which it is imported.

    Raises:
        ProvisionError, TransportError: it can't be fetched or sent.
    """
    bundle = wheels.choose(RUNTIME, platform)
    names = {f"wheel:{wheel.sha256}": path for wheel, path in zip(bundle.wheels, wheels.fetch(bundle), strict=True)}
    present = stored(connection, list(names))
    for name, path in names.items():
        if name not in present:
            send(connection, name, path)
    return tuple(f"{connection.root}/wheels/{wheel.sha256}" for wheel in bundle.wheels)


def program() -> str:
    """The board's half, of the runner's modules: markers, and what marks files."""
    modules = {name: text for name, text in runner_modules().items() if name in ("regions.py", "probes.py")}
    main = "from .probes import mark_files\n\nmark_files()\n"
    return one_file({**modules, "__init__.py": '"""Marks files."""\n', "__main__.py": main})


def _marked(
    connection: Connection, packages: Sequence[str], made: Estimator, files: Sequence[bytes]
) -> list[RegionEstimate]:
    """The regions of a call of nothing, and then of each file, ``REGIONS`` each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "files"
        path.write_bytes(b"".join(_framed(files)))
        digest = sha256_file(path)
        send(connection, f"object:{digest}", path)
    argv = ["python3", "-s", "-", f"{connection.root}/objects/{digest}", str(REGIONS), *packages]
    made.skip()
    connection.run(Command(argv, timeout_s=_BATCH_S, stdin=program().encode())).check("the program that marks files")
    return made.next_regions(REGIONS * (len(files) + 1))


def _framed(files: Sequence[bytes]) -> Iterator[bytes]:
    """Each file after its length."""
    for content in files:
        yield len(content).to_bytes(4, "little")
        yield content
