"""The estimates of one emulated board: its plugin, the folder for regions, and the figures derived from them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from harness.boards.cores import Core
from harness.boards.registry import FAMILIES
from harness.core.errors import EstimateError
from harness.core.paths import cache_dir
from harness.estimate.costs import Costs
from harness.estimate.model import CACHE_LINE_CYCLES, MEMORY_LINE_CYCLES, SHARED_THREADS, RegionEstimate, estimate
from harness.estimate.plugin import Plugin, check_programs, ensure_plugin, unusable
from harness.estimate.regions import read_region
from harness.estimate.toolchain import find_llvm
from harness.records.estimate import Estimate, EstimatedRegion, SharedEstimate

#: The machine whose instructions the plugin's marks and the costs are of.
_MACHINE = "aarch64"

#: Inferences that are examined. Timers and other programs on the board add to some of them.
REGIONS = 5
#: With less free space than this, regions may be missing because they didn't fit. A large network's has some 1 MB.
_REGION_BYTES = 16 << 20
#: A folder of regions without activity for this many seconds belongs to no running controller.
_LEFT_S = 86_400.0


@dataclass(eq=False)
class Estimator:
    """Estimates the regions marked on an emulated board. Use as a context manager; one thread at a time.

    Attributes:
        core: the board's.
        plugin: the plugin that QEMU loads.
        folder: where the plugin writes regions; removed on exit.
    """

    core: Core
    plugin: Plugin
    folder: Path
    _costs: Costs
    _llvm: str

    @property
    def option(self) -> str:
        """The value of QEMU's ``-plugin``."""
        return self.plugin.option(self.core, self.folder)

    def next_regions(self, count: int) -> list[RegionEstimate]:
        """The estimates of the next ``count`` marked regions, in order. Their files are removed.

        Raises:
            EstimateError: they are missing or damaged, or LLVM can't be run.
        """
        marked = self._marked()
        paths = [marked[number] for number in sorted(marked)[:count]]
        if len(paths) < count:
            raise EstimateError(f"QEMU's plugin left {len(paths)} regions of {count}: {self._why_missing()}")
        first = min(marked)
        if any(first + place not in marked for place in range(count)) or any(self.folder.glob("region-*.part")):
            # the others would be taken for them, such as that of a prefix for that of the network
            raise EstimateError(f"QEMU's plugin lost regions: {self._why_missing()}")
        try:
            return [estimate(read_region(path), self.core, self._costs) for path in paths]
        finally:
            for path in paths:
                path.unlink(missing_ok=True)

    def _why_missing(self) -> str:
        """Why regions may be missing, in words."""
        try:
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            return f"{self.folder} can't be read: {error.strerror}"
        if free < _REGION_BYTES:
            return f"{self.folder} has only {free >> 20} MB free, and a region may need {_REGION_BYTES >> 20} MB"
        return "the runner did not mark them"

    def skip(self) -> None:
        """Remove regions that were not requested, whole or not: those of a failed attempt."""
        for path in self.folder.glob("region-*"):
            path.unlink(missing_ok=True)

    def _marked(self) -> dict[int, Path]:
        """The whole regions in the folder, by their number: the plugin counts them in the order of their marks."""
        found = {path.name.removeprefix("region-"): path for path in self.folder.glob("region-*")}
        return {int(number): path for number, path in found.items() if number.isdecimal()}

    def inference(self, count: int = REGIONS) -> Estimate:
        """The estimate of one inference: the quietest of the next ``count`` regions.

        Raises:
            EstimateError: as :meth:`next_regions`.
        """
        regions = self.next_regions(count)
        chosen = quietest(regions)
        shared = SharedEstimate(threads=SHARED_THREADS, cycles=max(1, round(chosen.shared_cycles)))
        return Estimate(
            cycles=round(chosen.cycles),
            instructions=chosen.instructions,
            core=self.core.name,
            clock_hz=self.core.clock_hz,
            regions=tuple(
                EstimatedRegion(cycles=round(region.cycles), instructions=region.instructions, blocks=region.blocks)
                for region in regions
            ),
            model=self.core.model,
            llvm=self._llvm,
            qemu=self.plugin.qemu,
            cache_line_cycles=CACHE_LINE_CYCLES,
            memory_line_cycles=MEMORY_LINE_CYCLES,
            shared=None if self.core.in_order else shared,
        )

    def close(self) -> None:
        """Remove the folder of regions."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Estimator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def quietest(regions: Sequence[RegionEstimate]) -> RegionEstimate:
    """The region with the fewest instructions, since other work on a board only adds to them."""
    return min(regions, key=lambda region: region.instructions)


def estimator(board: str) -> Estimator:
    """The estimator for boards of a family.

    Args:
        board: the family's name, such as ``raspberry-pi-4``.

    Raises:
        EstimateError: the family's core is not known, or a program is missing; the message names its package.
    """
    core = known_core(board)
    llvm = find_llvm(core.llvm)
    plugin = ensure_plugin()
    home = cache_dir() / "estimate"
    try:
        home.mkdir(parents=True, exist_ok=True)
        _sweep(home)
        folder = Path(tempfile.mkdtemp(prefix="regions-", dir=home))
    except OSError as error:
        raise unusable(home, error) from error
    return Estimator(core=core, plugin=plugin, folder=folder, _costs=Costs(llvm, core.model), _llvm=llvm.version)


def _sweep(home: Path) -> None:
    """Remove the folders of controllers that were killed."""
    for folder in home.glob("regions-*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < time.time() - _LEFT_S:
                shutil.rmtree(folder, ignore_errors=True)


def check(board: str) -> None:
    """Check that estimates can be made for boards of a family, without making anything.

    Raises:
        EstimateError: as :func:`estimator`, except for what only compiling the plugin and loading it shows.
    """
    find_llvm(known_core(board).llvm)
    check_programs()


def check_machine(machine: str) -> None:
    """Check that estimates can be made of programs for a machine, such as ``aarch64``.

    Raises:
        EstimateError: its instructions are not known.
    """
    if machine != _MACHINE:
        raise EstimateError(f"cycles of {machine} programs can't be estimated: only {_MACHINE} instructions are known")


def known_core(board: str) -> Core:
    """The core of a board family.

    Raises:
        EstimateError: the family's core is not known.
    """
    core = FAMILIES[board].core if board in FAMILIES else None
    if core is None:
        raise EstimateError(f"cycles of board {board!r} can't be estimated: its core is not known")
    return core
