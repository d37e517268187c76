"""The order that tells a board's runner to measure one cell, as a line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

#: The most bytes of outputs that come back from a board. Of larger outputs, fewer samples do.
OUTPUTS_LIMIT = 64 << 20


@dataclass(frozen=True)
class Sources:
    """The files and commands that give a board's state. The runner reads those that exist and sends them unparsed.

    Attributes:
        files: small text files.
        entries: a folder, the beginning of its entries' names, and the files to read in each of these.
        commands: programs and their arguments, run before and after a cell.
        repeated: those of ``commands`` that also run after each pass if they answered before the cell.
        sensor_folders: a folder, and one pattern for each level of folders below it; the matches hold sensors. A folder
            that has only a ``name`` and a ``label`` is left out.
        sensor_files: patterns of the files to read in sensor folders.
        sensor_channels: pattern of voltage and current files; its second group is the channel's number. A channel's
            files are read if it has both. ``""`` for none.
    """

    files: tuple[str, ...] = ()
    entries: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    repeated: tuple[tuple[str, ...], ...] = ()
    sensor_folders: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sensor_files: tuple[str, ...] = ()
    sensor_channels: str = ""


@dataclass(frozen=True)
class WarmUp:
    """The length of the warm-up: at least ``min_runs`` inferences and ``min_ns``, at most ``max_runs`` or ``max_ns``.

    In between, the warm-up ends when the latencies are steady within ``tolerance`` (a share; None: not tested).
    ``watch``: check between inferences whether the process was held up.
    """

    min_runs: int
    min_ns: int
    max_runs: int
    max_ns: int | None = None
    tolerance: float | None = None
    watch: bool = False


@dataclass(frozen=True)
class Passes:
    """The length of the measurement: whole passes over the images until ``min_runs`` inferences and ``min_ns`` are
    reached, or ``max_ns`` is passed.

    ``watch`` is as in :class:`WarmUp`. ``inject_slowdown`` (for tests) adds this share to each latency. The board's
    state is read after a pass if inferences took ``state_ns`` since it was last read: to read it after every few short
    ones would empty the processor's caches.
    """

    min_runs: int
    min_ns: int
    max_ns: int
    watch: bool = False
    inject_slowdown: float = 0.0
    state_ns: int = 0


@dataclass(frozen=True)
class Marks:
    """What to mark for an emulator's plugin, after everything that is measured.

    Attributes:
        regions: inferences, each a region of its own.
        prefix_regions: the same for each prefix, and for a call without a network before them.
        prefixes: (patches, tail) of the prefixes of the network, see :mod:`harness.estimate.prefixes`.
    """

    regions: int
    prefix_regions: int = 0
    prefixes: tuple[tuple[tuple[tuple[int, int], ...], tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class InputTensor:
    """One input of a network: its name, and the shape and element type of one sample's value."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class KeptOutputs:
    """The file on the board that receives the outputs of the first pass.

    Attributes:
        limit: the most bytes that it may have.
        known: hashes of outputs that need not be kept again.
    """

    file: str
    limit: int = OUTPUTS_LIMIT
    known: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """One cell to measure.

    Attributes:
        cell: the cell's name, which the answer repeats.
        model, inputs: files on the board, and the SHA-256 that each must have.
        variant: the artifact's variant, such as ``fp16``.
        runtime, delegate, threads: the configuration that runs the artifact.
        packages: folders from which the runtime is imported; they come before the board's own.
        classes: the number of scores that the output must have.
        quantised_output: whether the artifact has scale and zero point of an integer output.
        quantised_input: scale and zero point of an integer input of images; None for other inputs. For runtimes that
            keep both inside the graph.
        state_root: (for tests) a folder that replaces the board's /proc and /sys.
        profile: whether to time each node afterwards.
        marks: None on a board that nothing looks at.
        canary: whether to time two fixed loops on both sides, which tell how fast the machine is.
        tensors: the network's inputs. ``inputs`` then is a .npz file with one array for each, named ``0``, ``1``...,
            whose first axis is that of the samples. None: ``inputs`` is a .npy file of images.
        outputs: where the outputs of the first pass go; None keeps none.
    """

    cell: str
    model: str
    model_sha256: str
    inputs: str
    inputs_sha256: str
    variant: str
    runtime: str
    packages: tuple[str, ...]
    delegate: str
    threads: int
    classes: int
    quantised_output: bool
    warmup: WarmUp
    passes: Passes
    sources: Sources
    state_root: str = ""
    profile: bool = False
    marks: Marks | None = None
    canary: bool = False
    tensors: tuple[InputTensor, ...] | None = None
    outputs: KeptOutputs | None = None
    quantised_input: tuple[float, int] | None = None

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_plain())

    def to_plain(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return asdict(self)
