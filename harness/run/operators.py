"""Where a network's time goes on the wall clock: what the runner is to time, and what a cell keeps of it.

ONNX Runtime has a profiler of its own. TFLite's interpreter has none in Python, so the runner times files that end
after each operator. On the instruction clock the same files are counted instead, see :mod:`harness.run.estimates`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from harness.core.errors import ArtifactError
from harness.core.safetext import plain
from harness.estimate.prefixes import Operator, Prefix, call_alone, content_of, operators
from harness.records.answer import PrefixTimes
from harness.records.cell import Cell
from harness.records.operators import NoTimes, OperatorTimes, TimedOperator
from harness.records.order import PrefixTiming
from harness.run.context import Context
from harness.run.plan import CellJob

#: Rounds over all prefixes, if they are done in so many seconds; some are done however long they take.
ROUNDS, LEAST_ROUNDS, MOST_S = 8, 3, 10.0
#: Samples of one prefix in one round, at most.
SAMPLES = 15
#: How much longer the cell may take, in seconds for each prefix: a slow board does three rounds.
PREFIX_S = 30.0


@dataclass(frozen=True)
class TakenApart:
    """A network as files to time: one without operators, and one that ends after each of them."""

    call: Prefix
    operators: tuple[Operator, ...]


#: What to time; why it can't be timed; or None where nobody asked, or where operators are found another way.
Timeable: TypeAlias = TakenApart | NoTimes | None


def timeable(job: CellJob, context: Context) -> Timeable:
    """What a job's board is to time for the costs of operators."""
    device = context.device
    if not context.profile_ops or device.emulate or device.effective_clock != "wall":
        return None
    if job.shipped.artifact.format != "tflite":
        return None
    if job.delegate != "cpu":
        return NoTimes(reason=f"operators are timed on the CPU, and this cell runs on {job.delegate}")
    return _taken_apart(job.shipped.path, job.shipped.artifact.sha256)


@functools.lru_cache(maxsize=64)
def _taken_apart(path: Path, sha256: str) -> TakenApart | NoTimes:  # noqa: ARG001 - the hash is for the cache
    try:
        content = content_of(path)
        return TakenApart(call_alone(content), operators(content))
    except (OSError, ArtifactError) as error:
        return NoTimes(reason=_clip(error))


def timing(found: Timeable) -> PrefixTiming | None:
    """The runner's order."""
    if not isinstance(found, TakenApart):
        return None
    prefixes = (found.call, *(operator.prefix for operator in found.operators))
    return PrefixTiming(
        prefixes=tuple(prefix.cut for prefix in prefixes),
        rounds=ROUNDS,
        least_rounds=LEAST_ROUNDS,
        samples=SAMPLES,
        max_ns=round(MOST_S * 1e9),
    )


def extra_s(found: Timeable) -> float:
    """How much longer the cell may take, in seconds."""
    return PREFIX_S * (len(found.operators) + 2) if isinstance(found, TakenApart) else 0.0


def with_times(cell: Cell, found: Timeable, times: PrefixTimes | None) -> Cell:
    """The cell with the times of its operators, or with the reason why it has none."""
    if found is None:
        return cell
    return cell.model_copy(update={"operator_times": _times(found, times, cell.runtime.threads)})


def _times(found: TakenApart | NoTimes, times: PrefixTimes | None, threads: int) -> OperatorTimes | NoTimes:
    if isinstance(found, NoTimes):
        return found
    if times is None or times.why or not times.rounds:
        return NoTimes(
            reason=plain(f"the board timed no operators: {times.why if times else 'an older runner'}")[:2000]
        )
    if len(times.samples) != len(found.operators) + 2:
        return NoTimes(reason=f"the board timed {len(times.samples)} files for {len(found.operators)} operators")
    call, *prefixes, whole = times.samples
    try:
        return OperatorTimes(
            rounds=times.rounds,
            threads=threads,
            call_ns=call,
            operators=tuple(
                TimedOperator(kind=operator.kind, name=operator.name, prefix_ns=samples)
                for operator, samples in zip(found.operators, prefixes, strict=True)
            ),
            whole_ns=whole,
        )
    except ValueError:  # what pydantic raises
        return NoTimes(reason=f"the board's times of operators are not those of {times.rounds} rounds")


def _clip(error: OSError | ArtifactError) -> str:
    return plain(str(error))[:2000]
