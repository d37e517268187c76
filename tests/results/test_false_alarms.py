"""Comparisons of whole runs, simulated: how often a build that didn't change is called slower, and a slower one found.

The samples follow a random-effects model: each round of a cell has a level of its own, samples spread around it, and
the machine drifts under all cells of a run alike. Runs are stored and compared by the code of ``harness compare``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from benchmarks.made.cells import device, make_cell, make_run
from benchmarks.weathers import Tally, Triple, judged, kept, row
from harness.records.cell import Canary, Cell, Round

HERE = device("here", "generic", emulated=False)
NETWORKS = {"mobilenet-v3-small": 0.3, "resvgg19-pruned": 0.1, "squeezenet": 1.2}
ROUNDS, IMAGES, TRIPLES = 5, 99, 200


@dataclass(frozen=True)
class Weather:
    """Standard deviations on a log scale: between the rounds of a cell, within a round, and of the canary.

    ``drift`` is how far the machine's speed moves over half a run and back, ``step`` how much slower it is in every
    second run or so.
    """

    between: float = 0.03
    within: float = 0.01
    canary: float = 0.01
    drift: float = 0.0
    step: float = 0.0


WEATHERS = {
    "steady": Weather(),
    "drift": Weather(drift=0.03),
    "stepped": Weather(step=0.33),
    "rough": Weather(between=0.1, canary=0.05),
}


def one_run(results: Path, name: str, weather: Weather, chance: np.random.Generator, slower: float) -> Path:
    """A stored run of three cells."""
    # the rounds of a run are a stretch of half a period of a sawtooth, which began at any time
    machine = weather.drift * ((chance.random() + np.linspace(0, 0.5, ROUNDS)) % 1 - 0.5)
    machine = machine + np.log1p(weather.step) * chance.integers(2)
    cells = [one_cell(net, ms * (1 + slower), weather, chance, machine) for net, ms in NETWORKS.items()]
    return make_run(results, cells, name=name)


def one_cell(net: str, ms: float, weather: Weather, chance: np.random.Generator, machine: np.ndarray) -> Cell:
    """A cell whose rounds lie at the machine's level, each with a deviation of its own."""
    levels = machine + chance.normal(0, weather.between, ROUNDS)
    samples = ms * 1e6 * np.exp(levels[:, None] + chance.normal(0, weather.within, (ROUNDS, IMAGES)))
    looks = 1e5 * np.exp(machine[:, None] + chance.normal(0, weather.canary, (ROUNDS, 2)))
    cell = make_cell(net, dev=HERE)
    rounds = tuple(
        Round(started=cell.started, ended=cell.ended, samples=IMAGES, warmups=1,
              before=Canary(compute=round(before), memory=round(before)),
              after=Canary(compute=round(after), memory=round(after)))
        for before, after in looks
    )  # fmt: skip
    latency = tuple(int(ns) for ns in samples.round().ravel())
    return cell.model_copy(update={"latency_ns": latency, "warmup_ns": latency[:ROUNDS], "rounds": rounds})


def simulated(weather: str, results: Path, triples: int = TRIPLES) -> dict[str, Tally]:
    """The outcome of a weather by kind of comparison, at a gate of 3 %; the slowed build is 10 % slower."""
    chance = np.random.default_rng(sorted(WEATHERS).index(weather))
    runs: list[Triple] = []
    for number in range(triples):
        kinds = {"plain": 0.0, "plain again": 0.0, "slowed": 0.1}
        runs.append({
            kind: one_run(results, f"{kind.replace(' ', '-')}-{number}", WEATHERS[weather], chance, slower)
            for kind, slower in kinds.items()
        })  # fmt: skip
    return judged(runs, "disjoint", "3%")


@pytest.mark.slow
@pytest.mark.parametrize("weather", WEATHERS)
def test_a_build_is_not_slower_than_itself(weather: str, tmp_path: Path) -> None:
    tallies = simulated(weather, tmp_path)
    told = [row(weather, kind, tally) for kind, tally in tallies.items()]
    assert tallies["A/A"].comparisons == TRIPLES
    assert tallies["A/A"].alarms <= 0.05 * TRIPLES, told
    assert kept("A/A", tallies["A/A"]), told


@pytest.mark.slow
@pytest.mark.parametrize(("weather", "least"), [("steady", 0.95), ("drift", 0.9), ("stepped", 0.5)])
def test_a_slower_build_is_caught_where_it_is_judged(weather: str, least: float, tmp_path: Path) -> None:
    tallies = simulated(weather, tmp_path)
    told = [row(weather, kind, tally) for kind, tally in tallies.items()]
    assert tallies["A/B"].judged >= least * 3 * TRIPLES, told
    assert kept("A/B", tallies["A/B"]), told
