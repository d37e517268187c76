"""Two runs, cell by cell: what got faster, slower or less accurate, and is that more than chance?

Only like is compared with like. A pair whose boards, clocks, splits or runtimes differ is refused, with the reason;
so is one without a valid measurement on both sides. p-values are corrected for the number of cells (Holm).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.core import stats
from harness.core.errors import UsageError
from harness.records.cell import Cell, RunInfo
from harness.results import store
from harness.results.change import SAME
from harness.results.pairs import Pair, measured

#: What may be allowed to differ on purpose (``allow=``).
ALLOWABLE = ("runtime", "os")


@dataclass(frozen=True)
class Comparison:
    """Run ``b`` against run ``a``.

    Attributes:
        lost: cells VALID in a and not in b: without a result there, with another status, or in a damaged file.
        new: cells only b has.
        unreadable: files of either run that can't be read, each with its reason.
        notes: what to know of how much was compared.
        gates: what trips the gate beside what the pairs have, in words; empty when nothing does.
    """

    a: str
    b: str
    gate: float | None
    pairs: tuple[Pair, ...]
    lost: tuple[str, ...]
    new: tuple[str, ...]
    synthetic: bool
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()

    @property
    def tripped(self) -> bool:
        """Whether the gate is: whatever was VALID must still be there, VALID, comparable, and not worse."""
        return bool(self.reasons)

    @property
    def reasons(self) -> tuple[str, ...]:
        """All that trips the gate, each a line that begins with the cell it is about."""
        return (*(f"{pair.cell}: {gate}" for pair in self.pairs for gate in pair.gates), *self.gates)

    def counts(self) -> dict[str, int]:
        """How many pairs are faster, slower, same and refused."""
        verdicts = [pair.verdict for pair in self.pairs]
        return {name: verdicts.count(name) for name in ("faster", "slower", "same", "can't tell", "refused")}


def to_json(found: Comparison) -> dict[str, Any]:
    """A comparison as plain values for ``json.dumps``, verdicts included."""
    return {
        **asdict(found),
        "pairs": [_pair_json(pair) for pair in found.pairs],
        "counts": found.counts(),
        "tripped": found.tripped,
        "reasons": list(found.reasons),
    }


def _pair_json(pair: Pair) -> dict[str, object]:
    """A pair with its unit where the record has the clock, and what the change rests on beside the rest."""
    fields = {("unit" if name == "clock" else name): value for name, value in asdict(pair).items() if name != "change"}
    change = pair.change
    rest = {
        "by_rounds": change.by_rounds if change else None,
        "machine": change.machine if change else None,
        "spread": change.spread if change else None,
        "doubt": pair.doubt,
    }
    return {**fields, **rest, "unit": pair.unit, "verdict": pair.verdict}


def parse_gate(text: str) -> float:
    """``"5%"`` or ``"0.05"`` as 0.05.

    Raises:
        UsageError: not a share between 0 and 100 %; or 1 without a unit, which may be meant as one percent and would be
            a hundred: a gate that lets everything through.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", text)
    value = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"gate '{text}' is not a share", fix="write it like 5% or 0.05")
    if match and not match[2] and value == 1:
        raise UsageError(f"gate '{text}' may be 1 % or 100 %", fix="write 1% or 100%")
    return value


def compare(a: Path, b: Path, gate: float | None = None, *, allow: Sequence[str] = ()) -> Comparison:
    """Compare run ``b`` with the earlier run ``a``.

    Args:
        a, b: run folders.
        gate: a slowdown above this share (0.05 is 5 %) trips the gate if it is significant; None sets no gate.
        allow: of ``ALLOWABLE``, what may differ between the two because it is what is being compared.

    Raises:
        StoreError: a run.json can't be read; a cell's file that can't counts as a cell that is not there.
        UsageError: ``allow`` names something else.
    """
    if unknown := [name for name in allow if name not in ALLOWABLE]:
        raise UsageError(f"can't allow '{unknown[0]}' to differ", fix=f"one of: {', '.join(ALLOWABLE)}")
    baseline = store.read_run(a)
    name_a, name_b = baseline.run, store.read_run(b).run
    (read_a, bad_a), (read_b, bad_b) = store.scan_cells(a), store.scan_cells(b)
    cells_a, cells_b = ({cell.cell: cell for cell in read} for read in (read_a, read_b))
    couples, lost, new = _match(cells_a, cells_b)
    pairs = [replace(pair, limit=_limit(pair, gate)) for pair in _adjusted([measured(x, y, allow) for x, y in couples])]
    gates: list[str] = []
    if gate is not None:
        pairs = [replace(pair, gates=_gates(pair, x, y, gate)) for pair, (x, y) in zip(pairs, couples, strict=True)]
        damaged = {file.path.stem: file.reason for file in bad_b}
        gates = [f"{cell}: {_gone(cell, name_b, damaged)}" for cell in sorted(lost)]
        gates += _baseline_gates(name_a, read_a, bad_a)
    lost += [x.cell for x, y in couples if x.status == "VALID" and y.status != "VALID"]
    return Comparison(
        a=name_a,
        b=name_b,
        gate=gate,
        pairs=tuple(pairs),
        lost=tuple(sorted(lost)),
        new=tuple(sorted(new)),
        synthetic=any(cell.split.synthetic for cell in (*read_a, *read_b)),
        unreadable=tuple(f"{file.path}: {file.reason}" for file in (*bad_a, *bad_b)),
        notes=_notes(baseline, read_a, bad_a, couples),
        gates=tuple(gates),
    )


def _limit(pair: Pair, gate: float | None) -> float:
    """The change that must be told from none: the gate, but nothing below the clock's resolution."""
    return max(gate or SAME, pair.resolution)


def _baseline_gates(run: str, cells: Sequence[Cell], damaged: Sequence[store.BadFile]) -> list[str]:
    """What the gate can't judge because of the baseline itself."""
    gates = [f"{file.path.stem}: its file in {run}, the baseline, can't be read: {file.reason}" for file in damaged]
    if not any(cell.status == "VALID" for cell in cells):
        gates.append(f"{run}, the baseline, has no VALID cell: there is nothing to compare with")
    return gates


def _gone(cell: str, run: str, damaged: dict[str, str]) -> str:
    return f"its file in {run} can't be read: {damaged[cell]}" if cell in damaged else f"has no result in {run}"


def _notes(
    baseline: RunInfo, cells: Sequence[Cell], damaged: Sequence[store.BadFile], couples: Sequence[tuple[Cell, Cell]]
) -> tuple[str, ...]:
    """What a reader would take for more than it is."""
    found = []
    # a copied run has another name and the same measurements
    if same := sum(x.started == y.started and x.latency_ns == y.latency_ns for x, y in couples):
        every = "both are one run" if same == len(couples) else f"{same} of {len(couples)} are one measurement"
        found.append(f"{every}: nothing was measured anew" + ("" if same == len(couples) else " there"))
    if spoilt := sum(cell.status != "VALID" for cell in cells):
        found.append(f"{spoilt} of {len(cells)} cells of {baseline.run} are not VALID: no gate watches over those")
    there = {*(cell.cell for cell in cells), *(file.path.stem for file in damaged)}
    if missing := len(set(baseline.planned) - there):
        found.append(f"{missing} planned cells of {baseline.run} have no result: no gate watches over those")
    return tuple(found)


def _match(a: dict[str, Cell], b: dict[str, Cell]) -> tuple[list[tuple[Cell, Cell]], list[str], list[str]]:
    """Couples of the same id, then of the same board, artifact and threads (to say why those can't be compared)."""
    couples = [(cell, b[name]) for name, cell in a.items() if name in b]
    rest_b: dict[tuple[object, ...], list[Cell]] = {}
    for name, cell in b.items():
        if name not in a:
            rest_b.setdefault(_loose(cell), []).append(cell)
    lost = []
    for name, cell in a.items():
        if name in b:
            continue
        if others := rest_b.get(_loose(cell)):
            couples.append((cell, others.pop(0)))
        elif cell.status == "VALID":
            lost.append(name)
    new = [cell.cell for cells in rest_b.values() for cell in cells]
    return sorted(couples, key=lambda couple: couple[0].cell), lost, new


def _loose(cell: Cell) -> tuple[object, ...]:
    return (cell.device.name, cell.model.name, cell.model.variant, cell.model.format, cell.runtime.threads)


def _adjusted(pairs: list[Pair]) -> list[Pair]:
    """Holm's correction over all cells that were compared, for speed and for accuracy."""
    compared = [i for i, pair in enumerate(pairs) if not pair.refused]
    speed = stats.holm([pairs[i].p_value for i in compared])
    accurate = stats.holm([p.p_value for i in compared if (p := pairs[i].accuracy)])
    for i, p_speed, p_accuracy in zip(compared, speed, accurate, strict=True):
        accuracy = pairs[i].accuracy
        pairs[i] = replace(
            pairs[i], p_adjusted=p_speed, accuracy=replace(accuracy, p_adjusted=p_accuracy) if accuracy else None
        )
    return pairs


def _gates(pair: Pair, a: Cell, b: Cell, gate: float) -> tuple[str, ...]:
    """What trips the gate; a cell that wasn't VALID before has nothing to lose."""
    if a.status != "VALID":
        return ()
    if b.status != "VALID":
        return (f"{b.status}, was VALID: {'; '.join(f'{reason.code}: {reason.text}' for reason in b.reasons)}",)
    if pair.refused:
        return (f"can't be compared: {'; '.join(pair.refused)}",)
    found = []
    if pair.ratio is not None and pair.verdict == "slower" and pair.ratio.value - 1 > gate:
        found.append(f"slower by {pair.ratio.value - 1:.1%}, above the gate of {gate:.1%}")
    if pair.accuracy and pair.accuracy.significant and pair.accuracy.b < pair.accuracy.a:
        found.append(f"accuracy fell from {pair.accuracy.a:.1%} to {pair.accuracy.b:.1%}")
    return tuple(found)
