"""Fabricated results of large labs: a run on many boards, and many runs of the same cells."""

from __future__ import annotations

import copy
import datetime
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.made.cells import device, in_rounds, make_cell, make_manifest, make_run, networks
from harness.records.cell import Cell, DeviceInfo, RunInfo
from harness.results import jsonfile, store

_VARIANTS = ("fp32", "int8")
_THREADS = (1, 4)
#: Every so many cells of a history one becomes slower in its middle run, and another drifts.
STEP_EVERY, DRIFT_EVERY = 20, 50
_FIRST = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)


def lab(boards: int) -> list[DeviceInfo]:
    """Real and emulated boards, by turns."""
    return [device(f"board-{number:02d}", "raspberry-pi-5", emulated=bool(number % 2)) for number in range(boards)]


def run_on_boards(results: Path, boards: int, cells: int, rounds: int) -> Path:
    """A run whose cells are spread evenly over boards: networks in two variants with one thread and with four. On
    real boards each cell has so many rounds with canaries, and each board a temperature, a frequency and an energy.
    """
    names = networks(cells // boards // len(_VARIANTS) // len(_THREADS))
    made = [
        _measured(board, (name, variant, threads), number, rounds)
        for board in lab(boards)
        for number, name in enumerate(names)
        for variant in _VARIANTS
        for threads in _THREADS
    ]
    run = make_run(results, made)
    (run / "manifests").mkdir()
    (run / "manifests" / "resvgg19-pruned.json").write_text(jsonfile.dump(make_manifest()), encoding="utf-8")
    return run


def _measured(board: DeviceInfo, artifact: tuple[str, str, int], number: int, rounds: int) -> Cell:
    name, variant, threads = artifact
    cost = (1 + 1.7 * number) * (0.6 if variant == "int8" else 1) / threads**0.8
    state = {
        "wall_s": str(1e9 + number * 60 + threads),
        "/sys/class/thermal/thermal_zone0/temp": str(45_000 + 300 * number),
        "/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": str(1_500_000 - 1000 * number),
    }
    cell = make_cell(
        name, variant, board, threads=threads, median_ms=cost, accuracy=0.7 + 0.29 * (number % 7) / 7,
        bytes_=int(cost * 1e5) + 60_000, energy_j=None if board.emulated else 0.5 + number, seed=number,
        evidence={"before": state, "during": [state], "after": state},
    )  # fmt: skip
    if board.emulated:
        return cell
    return in_rounds(cell, rounds, apart=0.01, canary=[10.0 + 0.01 * each for each in range(rounds)], seed=number)


class History:
    """Runs of the same cells on the wall clock and on the instruction clock, one after the other.

    Nothing changes but chance, except in every :data:`STEP_EVERY`-th cell, which takes 10 % longer from the middle run
    on, and every :data:`DRIFT_EVERY`-th, which drifts by 10 % in all.
    """

    def __init__(self, results: Path, cells: int, runs: int, rounds: int) -> None:
        self._results = results
        self._runs = runs
        self._cells = [json.loads(jsonfile.dump(cell)) for cell in _first_run(cells, rounds)]

    def write(self, numbers: range) -> None:
        """Write the runs with these numbers."""
        for number in numbers:
            name = f"run-{number:05d}"
            started = f"{_FIRST + datetime.timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}"
            info = RunInfo(
                run=name, started=started, harness="0.1.0", planned=(),
                devices=tuple(dict.fromkeys(cell["device"]["name"] for cell in self._cells)),
            )  # fmt: skip
            folder = store.create_run(self._results, info)
            for cell, content in zip(self._cells, self._of(number), strict=True):
                text = json.dumps({**content, "run": name, "started": started}, separators=(",", ":"))
                (folder / "cells" / f"{cell['cell']}.json").write_text(text, encoding="utf-8")

    def _of(self, number: int) -> Iterator[dict[str, Any]]:
        chance = random.Random(number)
        for place, cell in enumerate(self._cells):
            factor = 1.0
            if place % STEP_EVERY == 1 and number >= self._runs // 2:
                factor = 1.1
            elif place % DRIFT_EVERY == 2:
                factor = 1 + 0.1 * number / self._runs
            yield _again(cell, factor, chance)


def _first_run(cells: int, rounds: int) -> list[Cell]:
    boards = lab(max(2, cells // 50))
    each = -(-cells // len(boards))
    found = [
        _measured(board, (name, _VARIANTS[number % 2], 1), number, rounds)
        for board in boards
        for number, name in enumerate(networks(each))
    ]
    return found[:cells]


def _again(cell: dict[str, Any], factor: float, chance: random.Random) -> dict[str, Any]:
    """The cell measured once more: each round by chance 0.5 % faster or slower, instructions by 1 in 40,000."""
    fresh = copy.copy(cell)
    exact = cell["device"]["clock"] == "instructions"
    sizes = [each["samples"] for each in cell["rounds"]] or [len(cell["latency_ns"])]
    latency: list[int] = []
    for size in sizes:
        by = factor * (1 + chance.gauss(0, 1 / 40_000 if exact else 0.005))
        latency += [round(value * by) for value in cell["latency_ns"][len(latency) : len(latency) + size]]
    fresh["latency_ns"] = latency
    return fresh
