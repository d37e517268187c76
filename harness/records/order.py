"""What the runner on a board is told to do: one cell, as a line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Sources:
    """What tells a board's state. The runner reads what is there, and sends it as it is.

    Attributes:
        files: small text files.
        entries: a folder, the beginning of its entries' names, and the files to read in each of these.
        commands: programs and their arguments; run before and after a cell.
        repeated: those of ``commands`` that are run after each pass, too, where they answered before.
        sensor_folders: a folder, and a pattern for each level of folders below it, whose matches hold sensors. A folder
            with nothing but a ``name`` and a ``label`` is left out.
        sensor_files: patterns of the files to read there.
        sensor_channels: pattern of the files of a voltage and a current, whose second group is the channel's number;
            they are read where a channel has both. ``""`` for none.
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
    """How long to warm up: at least ``min_runs`` inferences and ``min_ns``, then until the series is steady (see
    ``tolerance``, a share; None: it is not tested), at most ``max_runs`` or ``max_ns``. ``watch``: look between
    inferences whether the process was held up."""

    min_runs: int
    min_ns: int
    max_runs: int
    max_ns: int | None = None
    tolerance: float | None = None
    watch: bool = False


@dataclass(frozen=True)
class Passes:
    """How long to time: whole passes over the images until ``min_runs`` inferences and ``min_ns`` are reached, or
    ``max_ns`` is passed. ``inject_slowdown`` (tests only): by which share to be slower."""

    min_runs: int
    min_ns: int
    max_ns: int
    watch: bool = False
    inject_slowdown: float = 0.0


@dataclass(frozen=True)
class Order:
    """One cell to measure.

    Attributes:
        cell: its name, which the answer repeats.
        model, inputs: files on the board, and the SHA-256 that each must have.
        variant: the artifact's, such as ``fp16``.
        runtime, delegate, threads: what runs it.
        packages: folders that the runtime is imported from, before the board's own.
        classes: how many scores the output must have.
        quantised_output: whether the artifact tells which scores its output's whole numbers stand for.
        state_root: (tests only) a folder that stands in for the board's /proc and /sys.
        profile: whether to time each node afterwards.
        canary: whether to time two fixed loops on both sides, which tell how fast the machine is.
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
    canary: bool = False

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))
