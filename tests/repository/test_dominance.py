"""The tables of strangers and of dominance: one file of ours beside each of a rival's, or by how much there is none."""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.dominance import EQUAL, NO, YES, Measured, best_match, judge, measured
from benchmarks.made.cells import device, in_rounds, make_cell, sha
from benchmarks.unseen import Scored, accuracies, against, seeds_of
from harness.records.cell import Cell
from harness.report.paper.roles import COMPRESSED, OURS, PUBLISHED
from harness.results import to_frame
from tests.conftest import REPOSITORY

HERE = device("here", "generic", emulated=False)
PERSONS = tuple(f"p{n // 3}" for n in range(300))


@dataclass(frozen=True)
class People:
    """What the tables read of strangers."""

    persons: tuple[str, ...] = PERSONS
    seeds: tuple[int, ...] = (1,)


PEOPLE: Any = People()


def scored(network: str, wrong: int, role: str = PUBLISHED, first: int = 0, filename: str = "int8.tflite") -> Scored:
    """A file that is wrong about so many images, from the first on."""
    right = np.ones(300, dtype=bool)
    right[first : first + wrong] = False
    return Scored(network, filename, role, right)


OURS_ACCURATE, OURS_FAST = scored("resvgg19-pruned", 10, OURS), scored("resvgg19-pruned-small", 60, OURS)


def cost(found: Scored, value: float, unit: str = "M instr.") -> Measured:
    return Measured(found, "pi4", unit, value, 0.001)


@pytest.mark.parametrize(
    ("wrong", "rival_cost", "verdict"),
    [
        (30, 2.0, YES),  # slower and less accurate than the accurate one
        (90, 0.6, YES),  # as fast as the small one, and less accurate
        (6, 2.0, EQUAL),  # more accurate than ours, but not by more than the interval
        (10, 0.9995, EQUAL),  # faster than ours by less than two boots of one build differ
        (20, 0.6, NO),  # between our two: more accurate than the fast one, faster than the accurate one
        (90, 0.4, NO),  # faster than both
    ],
)
def test_one_file_must_be_as_fast_and_as_accurate(wrong: int, rival_cost: float, verdict: str) -> None:
    ours = [cost(OURS_ACCURATE, 1.0), cost(OURS_FAST, 0.5)]
    nearest, matches = best_match(cost(scored("mnasnet", wrong), rival_cost), ours, PEOPLE)
    assert nearest.verdict == verdict
    assert len(matches) == 2


def test_an_exception_says_by_how_much_from_both_sides() -> None:
    rival = scored("mnasnet", 20)
    costs = [cost(OURS_ACCURATE, 1.0), cost(OURS_FAST, 0.5), cost(rival, 0.6)]
    rows, said = judge(costs, [OURS_ACCURATE, OURS_FAST, rival], PEOPLE, ["resvgg19-pruned", "resvgg19-pruned-small"])
    assert len(rows) == 1
    (line,) = said
    assert "of those as accurate, resvgg19-pruned/int8.tflite takes 1.667 of its cost" in line
    assert "of those as fast, resvgg19-pruned-small/int8.tflite is 13.3 points less accurate" in line


def test_a_rival_that_was_not_measured_is_no_win() -> None:
    rival, other = scored("mnasnet", 90), scored("ghostnet-pruned", 90, COMPRESSED)
    costs = [cost(OURS_ACCURATE, 1.0), cost(rival, 2.0)]
    _, said = judge(costs, [OURS_ACCURATE, rival, other], PEOPLE, ["resvgg19-pruned"])
    assert said == ["pi4 (M instr.): not measured: ghostnet-pruned/int8.tflite"]
    _, said = judge([cost(rival, 2.0)], [OURS_ACCURATE, rival], PEOPLE, ["resvgg19-pruned"])
    assert said == ["pi4 (M instr.): none of resvgg19-pruned was measured"]


def cell(model: str, ms: float, **changes: Any) -> Cell:
    return make_cell(model, "int8", HERE, median_ms=ms, **changes)


def test_the_wall_clocks_interval_is_that_of_the_rounds() -> None:
    files = {sha(name, "int8", "tflite"): scored(name, 10) for name in ("resvgg19-pruned", "mnasnet")}
    cells = [in_rounds(cell("resvgg19-pruned", 1.02), apart=0.05, seed=1), in_rounds(cell("mnasnet", 1.0), apart=0.05)]
    ours, rival = sorted(measured(to_frame(cells), files), key=lambda each: each.scored.network != "resvgg19-pruned")
    ratio = ours.ratio(rival)
    assert ratio.low < 1 < ratio.high


def test_only_cells_of_these_very_files_count() -> None:
    files = {sha("mnasnet", "int8", "tflite"): scored("mnasnet", 10)}
    cells = [cell("mnasnet", 2.0), cell("mnasnet", 1.0, status="INVALID"), cell("ghostnet", 1.0)]
    (found,) = measured(to_frame(cells), files)
    assert found.cost == pytest.approx(2.0, rel=0.1)
    assert found.unit == "ms"


def test_the_tables_of_strangers() -> None:
    found = [OURS_ACCURATE, OURS_FAST, scored("mnasnet", 90), scored("mnasnet-pruned", 30, COMPRESSED)]
    rows = accuracies(found, PEOPLE)
    assert [row[0] for row in rows] == ["resvgg19-pruned", "mnasnet-pruned", "resvgg19-pruned-small", "mnasnet"]
    assert rows[0][3:5] == ("290 of 300", "0.9667")
    pairs = against(found, PEOPLE, ["resvgg19-pruned"])
    assert [(row[1], row[2]) for row in pairs] == [
        ("mnasnet-pruned/int8.tflite", "pruned by us"), ("mnasnet/int8.tflite", "as published"),
    ]  # fmt: skip
    assert pairs[0][5] == "+6.7"


def test_seeds_are_a_list_of_numbers() -> None:
    assert seeds_of("201,202") == (201, 202)
    with pytest.raises(argparse.ArgumentTypeError, match="no list"):
        seeds_of("201;202")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["unseen", "--seeds", "0"], "no strangers"),
        (["unseen", "--seeds", "7"], "no network for drawn faces"),
        (["dominance", "--from", "/nowhere", "--seeds", "7"], "no network for drawn faces"),
    ],
)
def test_what_cannot_be_said_is_an_error(words: list[str], said: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", f"benchmarks.{words[0]}", *words[1:], "--models", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
