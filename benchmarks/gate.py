"""How often the gate trips when nothing changed (A/A), and how often it catches a real slowdown (A/B).

    python -m benchmarks.gate wall [--comparisons 200] [--slower 0.10] [--gate 3%]
    python -m benchmarks.gate instructions [--comparisons 200] [--slower 0.03] [--gate 1%] [--boots 10]

A measurement is a process with its own interpreter, warm-up and series. Each comparison of either kind uses three of
them, two plain ones and a slowed one, in random order. A/A compares the two plain ones, A/B the second of them with the
slowed one, in which the runner spins for the given share after each inference, inside the timed part. So no measurement
is in two comparisons of one kind. All use the code of ``harness compare --gate``.

``wall`` measures on this machine, each measurement as ``harness run --quick`` makes it. ``instructions`` boots an even
number of emulated Raspberry Pi 4s; the two sides of a comparison are from two boots, as with two runs. There the
processes are forked from one that has imported the runtime, since the import takes seconds on such a board. One process
in each boot is started anew, and the table shows whether that makes a difference.

Exits with 1 if A/A trips in more than 5 %, or A/B is caught in less than 95 % (``wall``) or 100 % (``instructions``).
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common import BOARD, DISTURBANCES, LOCAL, bench, keep, table
from harness.core.stats import wilson
from harness.records.cell import Cell
from harness.results.compare import Comparison, compare, parse_gate

#: By clock: share of the slowdown, gate, and the share of slowdowns that must be caught.
DEFAULTS = {"wall": (0.10, "3%", 0.95), "instructions": (0.03, "1%", 1.0)}
KINDS = ("plain", "plain again", "slowed")


@dataclass
class Found:
    """Pairs of cells by kind of comparison, and the cells of processes that were not forked."""

    couples: dict[str, list[tuple[Cell, Cell]]] = field(default_factory=lambda: {"A/A": [], "A/B": []})
    whole: list[Cell] = field(default_factory=list)

    def add(self, first: dict[str, Cell], second: dict[str, Cell]) -> None:
        """Add two triples, by ``KINDS``; the sides of a comparison may come from two boots."""
        self.couples["A/A"].append((first["plain"], second["plain again"]))
        self.couples["A/B"].append((first["plain again"], second["slowed"]))


def shuffled(count: int, seed: int) -> list[str]:
    """``count`` triples of ``KINDS``, each in its own random order."""
    chance = random.Random(seed)
    return [kind for _ in range(count) for kind in chance.sample(KINDS, len(KINDS))]


def triples(kinds: list[str], cells: list[Cell]) -> list[dict[str, Cell]]:
    return [dict(zip(kinds[at : at + 3], cells[at : at + 3], strict=True)) for at in range(0, len(kinds), 3)]


def on_the_wall_clock(options: argparse.Namespace, slower: float) -> Found:
    found = Found()
    limits = dict.fromkeys(DISTURBANCES) if options.disturbed else {}
    with bench({**LOCAL, "thresholds": limits}, options.model, options.variant, models=options.models) as here:
        for number in range(options.comparisons):
            kinds = shuffled(1, number)
            (triple,) = triples(kinds, [here.cell(slower if kind == "slowed" else 0.0) for kind in kinds])
            found.add(triple, triple)
            print(f"\r{number + 1} of {options.comparisons}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def on_boards(options: argparse.Namespace, slower: float) -> Found:
    """Triples from each boot; those of one boot are compared with those of the next, in both directions."""
    found = Found()
    boots: list[list[dict[str, Cell]]] = []
    for number in range(options.boots):
        kinds = shuffled(options.comparisons // options.boots, number)
        with bench(BOARD, options.model, options.variant, models=options.models) as board:
            found.whole.append(board.cell())
            boots.append(triples(kinds, board.forked([slower if kind == "slowed" else 0.0 for kind in kinds])))
        print(f"boot {number + 1} of {options.boots}: {len(kinds)} measurements", file=sys.stderr, flush=True)
    for one, other in zip(boots[::2], boots[1::2], strict=True):
        for first, second in zip(one, other, strict=False):
            found.add(first, second)
            found.add(second, first)
    return found


def judged(couples: list[tuple[Cell, Cell]], gate: float) -> list[Comparison]:
    """Store each pair as two runs and compare them as ``harness compare`` does."""
    results = []
    with tempfile.TemporaryDirectory() as name:
        for number, (a, b) in enumerate(couples):
            runs = [keep(Path(name), f"{side}{number}", cell) for side, cell in (("a", a), ("b", b))]
            results.append(compare(runs[0], runs[1], gate))
    return results


def report(found: Found, slower: float, gate: float, wanted: float) -> bool:
    """Print the table; returns whether every limit is met."""
    rows, good = [], True
    for kind, couples in found.couples.items():
        results = judged(couples, gate)
        tripped, count = sum(result.tripped for result in results), len(results)
        changed = sum(pair.verdict in ("slower", "faster") for result in results for pair in result.pairs)
        refused = sum(pair.verdict == "refused" for result in results for pair in result.pairs)
        likely = wilson(tripped, count)
        good &= not refused and (tripped <= 0.05 * count if kind == "A/A" else tripped >= wanted * count)
        ratios = [middle(b) / middle(a) for a, b in couples]
        rows.append(
            (kind, f"{slower if kind == 'A/B' else 0:.0%}", count, tripped, f"{tripped / count:.1%}",
             f"{likely.low:.1%} to {likely.high:.1%}", changed, refused, f"{min(ratios):.4f} to {max(ratios):.4f}")
        )  # fmt: skip
    table(
        ("comparison", "slower by", "comparisons", "gate tripped", "share", "its 95 % interval", "called a change",
         "refused", "ratios of medians"), rows,
    )  # fmt: skip
    return good


def middle(cell: Cell) -> float:
    return float(statistics.median(cell.latency_ns))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clock", choices=tuple(DEFAULTS))
    parser.add_argument("--comparisons", type=int, default=200)
    parser.add_argument("--slower", type=float)
    parser.add_argument("--gate")
    parser.add_argument("--boots", type=int, default=10)
    parser.add_argument("--disturbed", action="store_true", help="wall: compare what other programs spoilt, too")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="mobilenet-v3-small")
    parser.add_argument("--variant", default="int8")
    options = parser.parse_args()
    slower, gate_text, wanted = DEFAULTS[options.clock]
    slower, gate = options.slower or slower, parse_gate(options.gate or gate_text)
    if options.clock == "instructions" and (options.boots % 2 or options.comparisons % options.boots):
        parser.error("--boots is an even number of which --comparisons is a multiple")
    started = time.monotonic()
    found = on_the_wall_clock(options, slower) if options.clock == "wall" else on_boards(options, slower)
    good = report(found, slower, gate, wanted)
    print(f"\nclock: {options.clock}, gate: {gate:.1%}, {options.model} {options.variant}", end="")
    print(f", {(time.monotonic() - started) / 60:.0f} minutes")
    if found.whole:
        plain = [middle(cell) for couple in found.couples["A/A"] for cell in couple]
        anew = [middle(cell) for cell in found.whole]
        print(
            f"medians: forked {min(plain):,.0f} to {max(plain):,.0f}, started anew {min(anew):,.0f} to {max(anew):,.0f}"
        )
    print("as promised" if good else "NOT as promised")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
