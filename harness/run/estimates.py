"""Estimated cycles in a run: where they are requested and possible, and how a cell's marks become an estimate."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from harness.config.devices import Device
from harness.core.errors import ArtifactError, EstimateError, UsageError
from harness.core.safetext import plain
from harness.estimate.estimator import REGIONS, Estimator, check_machine, estimator
from harness.estimate.prefixes import Operator, Prefix, call_alone, content_of, operators
from harness.estimate.profile import operator_costs, quietest_of_each
from harness.records.cell import Cell
from harness.records.estimate import Estimate, NoEstimate, OperatorCosts
from harness.records.operators import NoTimes
from harness.records.order import Marks
from harness.run.plan import CellJob, Options

#: How long marking may take on top of a cell's time, in seconds for each prefix of its network.
PREFIX_S = 30.0

#: Inferences that are examined for each prefix of a network.
PREFIX_REGIONS = 3

#: The runner's words where it could set no marks, see ``harness/ondevice/runner/measure.py``.
NOT_MARKED = re.compile(r"not marked: .*")

#: A board's estimates; why there are none; or None where none were requested.
Estimates = Estimator | NoEstimate | None


@contextmanager
def estimating(device: Device, *, wanted: bool) -> Iterator[Estimates]:
    """Provide what makes a device's estimates while it is measured. Real boards have none, since they are measured."""
    system = device.emulated_system
    if not wanted or system is None:
        yield None
        return
    if device.effective_clock != "instructions":
        yield NoEstimate(reason="the board runs on the wall clock, where several cores run side by side")
        return
    try:
        check_machine(system.machine)
        made = estimator(device.board)
    except EstimateError as error:
        yield NoEstimate(reason=_clip(error))
        return
    with made:
        yield made


def estimate_notes(devices: Sequence[Device], options: Options) -> list[str]:
    """What a person is told before a run of a request for estimates that can't be met.

    Raises:
        UsageError: estimates are both refused and needed.
    """
    emulated = [device.name for device in devices if device.emulated_system is not None]
    if options.profile_ops and options.estimate is False and emulated:
        raise UsageError(
            f"--no-estimate, but on an emulated board ({', '.join(emulated)}) --profile-ops estimates cycles",
            fix="leave one of the two out, or choose other devices with --only",
        )
    if options.estimate and not emulated:
        return ["--estimate has no effect: cycles are estimated on emulated boards alone, and none is chosen"]
    return []


@dataclass(frozen=True)
class Marking:
    """The marks that the runner sets for one cell, and how they become its estimate.

    Attributes:
        estimates: the board's.
        operators: of the network, where the cost of each one is requested.
        call: the network's file without operators, which tells what calling the runtime takes.
        untellable: why there are no operators although they are requested.
    """

    estimates: Estimator
    operators: tuple[Operator, ...] = ()
    call: Prefix | None = None
    untellable: NoEstimate | None = None

    @property
    def marks(self) -> Marks:
        """The marks, for the runner's order."""
        return Marks(
            regions=REGIONS,
            prefix_regions=PREFIX_REGIONS,
            prefixes=tuple(operator.prefix.cut for operator in self.operators),
            call=self.call.cut if self.call else None,
        )

    @property
    def extra_s(self) -> float:
        """How much longer the cell may take, in seconds."""
        return PREFIX_S * len(self.operators)

    def begin(self) -> None:
        """Discard what an earlier attempt left; called before each attempt."""
        self.estimates.skip()

    def added(self, cell: Cell) -> Cell:
        """The cell with its estimate and the costs of its operators, or with the reason why it has none."""
        try:
            whole = self.estimates.inference()
        except EstimateError as error:
            return cell.model_copy(update={"estimate": NoEstimate(reason=_clip(error) + _not_marked(cell))})
        found = {"estimate": whole, "operators": self._costs(whole) if self.operators else self.untellable}
        return cell.model_copy(update=found)

    def _costs(self, whole: Estimate) -> OperatorCosts | NoEstimate:
        try:
            regions = self.estimates.next_regions(PREFIX_REGIONS * (len(self.operators) + 1))
            return operator_costs(self.operators, quietest_of_each(regions, PREFIX_REGIONS), whole)
        except EstimateError as error:
            return NoEstimate(reason=_clip(error))


def marking(estimates: Estimates, job: CellJob, *, profile: bool) -> Marking | NoEstimate | None:
    """The marks for a job; the reason why there are none; None where nobody requested estimates."""
    if not isinstance(estimates, Estimator):
        return estimates
    if job.threads != 1:
        return NoEstimate(reason=f"estimates are of one thread, and this cell has {job.threads}")
    if job.delegate != "cpu":
        return NoEstimate(reason=f"estimates are of the CPU, and this cell runs on {job.delegate}")
    if not profile or job.shipped.artifact.format != "tflite":
        return Marking(estimates)
    try:
        content = content_of(job.shipped.path)
        return Marking(estimates, operators(content), call_alone(content))
    except (OSError, ArtifactError) as error:
        return Marking(estimates, untellable=NoEstimate(reason=_clip(error)))


def estimated(cell: Cell, estimate: Marking | NoEstimate | None) -> Cell:
    """The cell with the outcome of its marks."""
    if isinstance(estimate, Marking):
        return estimate.added(cell)
    return cell.model_copy(update={"estimate": estimate}) if estimate else cell


def untold(cell: Cell, job: CellJob, why: str) -> Cell:
    """The cell with the reason why it has no costs of operators, where they could have been expected."""
    if cell.status == "FAILED" or job.shipped.artifact.format != "tflite":
        return cell
    if isinstance(cell.estimate, Estimate):
        return cell.model_copy(update={"operators": NoEstimate(reason=plain(why)[:2000])})
    if cell.device.emulated:
        return cell
    return cell.model_copy(update={"operator_times": NoTimes(reason=plain(why)[:2000])})


def _not_marked(cell: Cell) -> str:
    """What the runner said of marks that it could not set; empty where it said nothing."""
    said = NOT_MARKED.search(str(cell.evidence.get("stderr", "")))
    return f"; it said: {plain(said[0])[:1000]}" if said else ""


def _clip(error: Exception) -> str:
    return plain(str(error))[:2000]
