"""How far each board's outputs lie from the golden ones, worst first.

INVALID cells are included, with their status: outputs that differ too much are what made some of them so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter

from harness.core.safetext import clean
from harness.records.golden import OutputsCheck, Reference, TensorDifference
from harness.report.gather import ReportData, records
from harness.report.table import Table, brief, tabulate
from harness.results.columns import Column, Value

_TITLE = "Outputs against golden outputs"
_NOTE = (
    "Golden outputs are those of the same file and inputs, made once by the reference. Differences of a whole-number "
    "tensor are in its steps; relative ones are shares of the largest golden magnitude. Times its limit: above 1 the "
    "cell is INVALID. Worst first."
)
_READ = (
    "board_label", "device", "emulated", "model", "kind", "runtime_label", "delegate", "threads", "status", "outputs",
)  # fmt: skip


@dataclass(frozen=True)
class _Compared:
    """One output tensor of one cell; ``cell`` has the fields of ``_READ``, ``place`` numbers the cells."""

    place: int
    cell: Mapping[str, object]
    check: OutputsCheck
    tensor: TensorDifference

    def text(self, name: str) -> str:
        return str(self.cell[name])

    @property
    def runs(self) -> str:
        return f"{self.text('runtime_label')} {self.text('delegate')} {self.text('threads')}T"


def has_outputs(data: ReportData) -> bool:
    """Whether the outputs of any cell were compared."""
    return bool(data.cells.outputs.notna().any())


_WHERE: tuple[Column[_Compared], ...] = (
    Column("device", "Board", lambda row: row.text("device")),
    Column("emulated", "Emulated", lambda row: bool(row.cell["emulated"])),
    Column("model", "Network", lambda row: row.text("model")),
    Column("variant", "Variant", lambda row: row.text("kind")),
    Column("runtime", "Runtime", lambda row: row.runs),
    Column("status", "Status", lambda row: row.text("status")),
)
_WHAT: tuple[Column[_Compared], ...] = (
    Column("tensor", "Output", lambda row: clean(row.tensor.name, 80)),
    Column("dtype", "Type", lambda row: clean(row.tensor.dtype, 20)),
    Column("max_abs", "Largest difference", lambda row: row.tensor.max_abs),
    Column("max_rel", "relative", lambda row: row.tensor.max_rel),
    Column("tolerance", "Tolerance, relative", lambda row: row.tensor.tolerance),
    Column("rms_rel", "Root mean square, relative", lambda row: row.tensor.rms_rel),
    Column("rms_tolerance", "its tolerance", lambda row: row.tensor.rms_tolerance),
    Column("excess", "Times its limit", lambda row: row.tensor.excess if limited(row.tensor) else None),
    Column("cosine", "Cosine", lambda row: row.tensor.cosine),
    Column("compared", "Inputs compared", lambda row: row.check.samples),
    Column("same_top1", "with the same top answer", lambda row: row.check.same_top1),
    Column("reference", "Reference", lambda row: made_by(row.check.reference)),
)


def outputs_table(data: ReportData) -> Table:
    """One row an output tensor of a cell, the one furthest beyond its limit first."""
    return tabulate((*_WHERE, *_WHAT), _compared(data), name="outputs", title=_TITLE, note=_NOTE, missing="–")


def for_page(table: Table) -> Table:
    """Each cell's worst output alone, in fewer columns."""
    names = [name for name, _ in table.columns]
    shown = [name for name in names if name not in ("emulated", "dtype", "rms_rel", "rms_tolerance", "compared")]
    worst: dict[tuple[Value, ...], dict[str, Value]] = {}
    for row in table.rows:
        worst.setdefault(row[: len(_WHERE)], dict(zip(names, row, strict=True)))
    headings = dict(table.columns)
    columns: list[Column[dict[str, Value]]] = [Column(name, headings[name], itemgetter(name)) for name in shown]
    return tabulate(
        columns, worst.values(), name=table.name, title=table.title, note=table.note, missing=table.missing
    )  # fmt: skip


def limited(tensor: TensorDifference) -> bool:
    """Whether there is a limit to a tensor's difference."""
    return tensor.tolerance is not None or tensor.rms_tolerance is not None


def made_by(reference: Reference) -> str:
    """What made golden outputs, for people."""
    return clean(f"{reference.runtime} {reference.version or ''}".strip() + f", {reference.machine}", 120)


def largest(data: ReportData) -> str:
    """The largest difference of any output of a VALID cell, in a sentence; empty where none was compared."""
    valid = data.valid
    compared = valid[valid.outputs.notna()]
    if compared.empty:
        return ""
    cell = compared.sort_values(["outputs_excess", "outputs_max_rel"], ascending=False, kind="stable").iloc[0]
    worst = OutputsCheck.model_validate_json(cell.outputs).worst
    limit = f", {brief(worst.excess)} times what is tolerated" if limited(worst) else ""
    told = f"The outputs of {len(compared)} of {len(valid)} valid cells were compared with golden outputs."
    if not worst.max_abs:
        return f"{told} None differs."
    where = f"{clean(worst.name, 60) or 'unnamed'}, {clean(worst.dtype, 20)}; {cell.board_label}, {cell.label}"
    return f"{told} The largest difference is {brief(worst.max_abs)} ({where}){limit}."


def _compared(data: ReportData) -> list[_Compared]:
    return sorted(_each(data), key=lambda row: (-row.tensor.excess, -row.tensor.max_rel, row.place))


def _each(data: ReportData) -> Iterator[_Compared]:
    for place, cell in enumerate(records(data.cells[data.cells.outputs.notna()], _READ)):
        check = OutputsCheck.model_validate_json(str(cell["outputs"]))
        for tensor in check.tensors:
            yield _Compared(place, cell, check, tensor)
