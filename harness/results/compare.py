"""Compares two runs cell by cell: which cells became faster, slower or less accurate, and is the change significant?

A pair is refused, with the reason, if its boards, clocks, splits or runtimes differ or if a side has no valid
measurement. p-values are corrected for the number of cells (Holm).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.core import stats
from harness.core.errors import UsageError
from harness.records.cell import Cell, RunInfo
from harness.results import store
from harness.results.change import SAME
from harness.results.pairs import Accuracy, Pair, measured, one_measurement
from harness.results.quality import TOP1, made_up_faces

#: The properties that may be allowed to differ (``allow=``).
ALLOWABLE = ("runtime", "os")


@dataclass(frozen=True)
class Comparison:
    """Run ``b`` compared with the earlier run ``a``.

    Attributes:
        lost: cells that are VALID in a only; in b they have no result, another status, or a damaged file.
        new: cells that only b has.
        unreadable: files of either run that can't be read, each with its reason.
        notes: remarks on how much was compared.
        gates: reasons that trip the gate beside those of the pairs; empty if there are none.
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
        """Whether the gate trips. Each VALID cell of a must exist in b, and be VALID, comparable and not worse."""
        return bool(self.reasons)

    @property
    def reasons(self) -> tuple[str, ...]:
        """All reasons that trip the gate, one line each, beginning with the cell."""
        return (*(f"{pair.cell}: {gate}" for pair in self.pairs for gate in pair.gates), *self.gates)

    def counts(self) -> dict[str, int]:
        """The number of pairs that are faster, slower, same and refused."""
        verdicts = [pair.verdict for pair in self.pairs]
        return {name: verdicts.count(name) for name in ("faster", "slower", "same", "can't tell", "refused")}


def to_json(comparison: Comparison) -> dict[str, object]:
    """A comparison as plain values for ``json.dumps``, verdicts included."""
    return {
        **asdict(comparison),
        "pairs": [_pair_json(pair) for pair in comparison.pairs],
        "counts": comparison.counts(),
        "tripped": comparison.tripped,
        "reasons": list(comparison.reasons),
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
        UsageError: the text is not a share between 0 and 100 %. Also for 1 without a unit: it may be meant as 1 %, but
            as 100 % it would let everything through.
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
        gate: a significant slowdown above this share (0.05 is 5 %) trips the gate; None sets no gate.
        allow: names from ``ALLOWABLE`` that may differ between the runs because they are what is compared.

    Raises:
        StoreError: a run.json can't be read. An unreadable cell file counts as a missing cell.
        UsageError: ``allow`` has another name.
    """
    if unknown := [name for name in allow if name not in ALLOWABLE]:
        raise UsageError(f"can't allow '{unknown[0]}' to differ", fix=f"one of: {', '.join(ALLOWABLE)}")
    baseline = store.read_run(a)
    name_a, name_b = baseline.run, store.read_run(b).run
    (read_a, bad_a), (read_b, bad_b) = store.scan_cells(a), store.scan_cells(b)
    cells_a, cells_b = ({cell.cell: cell for cell in read} for read in (read_a, read_b))
    couples, lost, new = _match(cells_a, cells_b)
    pairs = [replace(pair, limit=_limit(pair, gate)) for pair in adjusted([measured(x, y, allow) for x, y in couples])]
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
        synthetic=any(made_up_faces(cell) for cell in (*read_a, *read_b)),
        unreadable=tuple(f"{file.path}: {file.reason}" for file in (*bad_a, *bad_b)),
        notes=(*_notes(baseline, read_a, bad_a, couples), *_unwatched(pairs), *_untested(pairs)),
        gates=tuple(gates),
    )


def _limit(pair: Pair, gate: float | None) -> float:
    """The change that must be told from none: the gate, but nothing below the clock's resolution."""
    return max(SAME if gate is None else gate, pair.resolution)


def _baseline_gates(run: str, cells: Sequence[Cell], damaged: Sequence[store.BadFile]) -> list[str]:
    """The reasons for which the gate can't judge because of the baseline itself."""
    gates = [f"{file.path.stem}: its file in {run}, the baseline, can't be read: {file.reason}" for file in damaged]
    if not any(cell.status == "VALID" for cell in cells):
        gates.append(f"{run}, the baseline, has no VALID cell: there is nothing to compare with")
    return gates


def _gone(cell: str, run: str, damaged: dict[str, str]) -> str:
    return f"its file in {run} can't be read: {damaged[cell]}" if cell in damaged else f"has no result in {run}"


def _notes(
    baseline: RunInfo, cells: Sequence[Cell], damaged: Sequence[store.BadFile], couples: Sequence[tuple[Cell, Cell]]
) -> tuple[str, ...]:
    """Remarks on cells that were not compared or not measured again."""
    notes = []
    if same := sum(one_measurement(x, y) for x, y in couples):
        extent = "both are one run" if same == len(couples) else f"{same} of {len(couples)} are one measurement"
        notes.append(f"{extent}: nothing was measured anew" + ("" if same == len(couples) else " there"))
    if spoilt := sum(cell.status != "VALID" for cell in cells):
        notes.append(f"{spoilt} of {len(cells)} cells of {baseline.run} are not VALID: no gate watches over those")
    present = {*(cell.cell for cell in cells), *(file.path.stem for file in damaged)}
    if missing := len(set(baseline.planned) - present):
        notes.append(f"{missing} planned cells of {baseline.run} have no result: no gate watches over those")
    return tuple(notes)


def _unwatched(pairs: Sequence[Pair]) -> list[str]:
    """A remark on cells of which nobody knows whether the machine itself changed."""
    count = sum(pair.change is not None and pair.change.by_rounds and not pair.change.watched for pair in pairs)
    if not count:
        return []
    why = "no canary on one side, or canaries of two forms or of two versions of numpy"
    return [f"{count} of {len(pairs)} cells: whether the machine itself changed isn't known ({why})"]


def _untested(pairs: Sequence[Pair]) -> list[str]:
    """Remarks on metrics that no test can compare."""
    names = sorted({pair.accuracy.metric for pair in pairs if pair.accuracy and not pair.accuracy.tested})
    return [f"{name} has no value for each sample: no test and no gate watches over it" for name in names]


def _match(a: dict[str, Cell], b: dict[str, Cell]) -> tuple[list[tuple[Cell, Cell]], list[str], list[str]]:
    """Match cells by id, then by board, artifact and threads, so that a refused pair can say why: those of one runtime
    first, so that releases of it are compared with each other.

    Returns:
        The couples, and the ids of lost and of new cells.
    """
    couples = [(cell, b[name]) for name, cell in a.items() if name in b]
    rest_a = {name: cell for name, cell in a.items() if name not in b}
    rest_b = {name: cell for name, cell in b.items() if name not in a}
    for key in (_same_runtime, _loose):
        others: dict[tuple[object, ...], list[Cell]] = {}
        for cell in rest_b.values():
            others.setdefault(key(cell), []).append(cell)
        for name, cell in list(rest_a.items()):
            if alike := others.get(key(cell)):
                couples.append((cell, other := alike.pop(0)))
                del rest_a[name], rest_b[other.cell]
    lost = [name for name, cell in rest_a.items() if cell.status == "VALID"]
    return sorted(couples, key=lambda couple: couple[0].cell), lost, list(rest_b)


def _same_runtime(cell: Cell) -> tuple[object, ...]:
    return (*_loose(cell), cell.runtime.name, cell.runtime.delegate)


def _loose(cell: Cell) -> tuple[object, ...]:
    return (cell.device.name, cell.model.name, cell.model.variant, cell.model.format, cell.runtime.threads)


def adjusted(pairs: list[Pair]) -> list[Pair]:
    """Pairs with p-values by Holm's correction over all that are compared, separately for speed, for what exceeds the
    machine's own change, and for accuracy.
    """
    compared = [i for i, pair in enumerate(pairs) if not pair.refused]
    speed = stats.holm([pairs[i].p_value for i in compared])
    for i, p_speed in zip(compared, speed, strict=True):
        pairs[i] = replace(pairs[i], p_adjusted=p_speed)
    beyond = stats.holm([change.p_machine if (change := pairs[i].change) else 0.0 for i in compared])
    for i, p_machine in zip(compared, beyond, strict=True):
        if change := pairs[i].change:
            pairs[i] = replace(pairs[i], change=replace(change, p_machine=p_machine))
    tested = [(i, accuracy) for i in compared if (accuracy := pairs[i].accuracy) and accuracy.tested]
    accurate = stats.holm([accuracy.p_value for _, accuracy in tested])
    for (i, accuracy), p_accuracy in zip(tested, accurate, strict=True):
        pairs[i] = replace(pairs[i], accuracy=replace(accuracy, p_adjusted=p_accuracy))
    return pairs


def _gates(pair: Pair, a: Cell, b: Cell, gate: float) -> tuple[str, ...]:
    """The reasons of a pair that trip the gate. A cell that was not VALID in the baseline has none."""
    if a.status != "VALID":
        return ()
    if b.status != "VALID":
        return (f"{b.status}, was VALID: {'; '.join(f'{reason.code}: {reason.text}' for reason in b.reasons)}",)
    if pair.refused:
        return (f"can't be compared: {'; '.join(pair.refused)}",)
    reasons = []
    if pair.ratio is not None and pair.verdict == "slower" and pair.ratio.value - 1 > gate:
        reasons.append(f"slower by {pair.ratio.value - 1:.1%}, above the gate of {gate:.1%}")
    if pair.accuracy and pair.accuracy.significant and pair.accuracy.worse:
        reasons.append(_loss(pair.accuracy))
    return tuple(reasons)


def _loss(accuracy: Accuracy) -> str:
    name = "accuracy" if accuracy.metric == TOP1 else accuracy.metric
    direction = "fell" if accuracy.higher_is_better else "rose"
    return f"{name} {direction} from {accuracy.shown(accuracy.a)} to {accuracy.shown(accuracy.b)}"
