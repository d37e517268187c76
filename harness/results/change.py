"""How much slower one cell is than another, by rounds; and where that is the machine's doing, or can't be told.

On the instruction clock one round is enough, since there is no noise between rounds. On the wall clock a change is told
from the rounds' medians (:mod:`harness.core.rounds`), and only where the canary, which is the same loop of the same
numpy in both runs, did not change as much. Nor is a cell unchanged where the canary did change: a slower build on a
faster machine takes as long as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.core import rounds, stats
from harness.records.cell import Canary, Cell

ALPHA = 0.05
#: A machine whose canary moved by less is taken to be the same.
MACHINE = 0.02
#: Without a gate, a change above this share must be excluded before two cells are called the same on the wall clock.
SAME = 0.05
#: What one canary holds.
LOOPS = ("compute", "memory")


@dataclass(frozen=True)
class Change:
    """The ratio b/a of two cells' medians.

    Attributes:
        ratio: with its 95 % interval; above 1 is slower.
        p_value: of the ratio being 1.
        paired: whether the samples were paired, image by image.
        exact: whether there is no noise between rounds: counted instructions.
        by_rounds: whether the interval knows the spread between rounds.
        p_machine: of the change being no more than the canary's; 0 where the canary did not move with it, 1 where the
            canary moved further.
        machine: the canary's ratio b/a where it moved by more than :data:`MACHINE` in the same direction; else None.
        moved: the canary's ratio b/a, by the loop that moved furthest, where it moved by more than :data:`MACHINE` in
            any direction and by more than its rounds differ; else None.
        watched: whether both sides have canaries that can be compared.
        spread: the standard deviation between rounds, as a share; None where no side has two.
    """

    ratio: stats.Interval
    p_value: float
    paired: bool
    exact: bool
    by_rounds: bool
    p_machine: float = 0.0
    machine: float | None = None
    moved: float | None = None
    watched: bool = True
    spread: float | None = None


def change(a: Cell, b: Cell) -> Change:
    """How much slower ``b`` is than ``a``, both VALID and on the same clock.

    Raises:
        TooFewSamplesError: fewer than 20 samples in one of them.
    """
    medians = round_medians(a), round_medians(b)
    exact = a.device.clock == "instructions"
    found = between((a.latency_ns, b.latency_ns), medians, images=a.split.n, exact=exact)
    if not found.by_rounds:
        return found
    slower = found.ratio.value > 1
    looks = _machines(a, b)
    machine = _toward(looks, slower=slower)
    return replace(
        found,
        p_machine=_beyond(machine, slower=slower),
        machine=machine.change if machine else None,
        moved=_furthest(looks),
        watched=bool(looks),
    )


def between(
    samples: tuple[stats.Samples, stats.Samples],
    medians: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    images: int,
    exact: bool,
) -> Change:
    """How much slower the second of two series is than the first, where no canary is looked at.

    Args:
        samples: of both sides, on the same clock, in the order measured.
        medians: those of their rounds.
        images: the number of samples in one pass.
        exact: whether there is no noise between rounds.

    Raises:
        TooFewSamplesError: fewer than 20 samples on one side.
    """
    if exact or min(map(len, medians)) < 2:
        found = stats.bootstrap_ratio(*samples, images=images)
        return Change(
            ratio=found.interval,
            p_value=found.p_value,
            paired=found.paired,
            exact=exact,
            by_rounds=False,
            spread=None if exact else rounds.spread(*medians),
        )
    by_rounds = rounds.ratio(*medians)
    return Change(
        ratio=by_rounds.interval,
        p_value=by_rounds.p_value,
        paired=False,
        exact=False,
        by_rounds=True,
        spread=rounds.spread(*medians),
    )


def middle(cell: Cell) -> float:
    """What is shown as a cell's median, in nanoseconds or instructions: by rounds where there are several."""
    if len(cell.round_sizes) > 1 and cell.device.clock == "wall":
        return rounds.estimate(round_medians(cell)).value
    return stats.median(cell.latency_ns)


def round_medians(cell: Cell) -> NDArray[np.float64]:
    """The median of each round, in nanoseconds or instructions, shape (rounds,)."""
    return rounds.medians(cell.latency_ns, cell.round_sizes)


def canaries(cell: Cell, loop: str) -> NDArray[np.float64]:
    """How long a loop of the canary took in each round, in nanoseconds: the geometric mean of before and after.

    Empty where a round has none.
    """
    both = [[_loop(canary, loop) for canary in (each.before, each.after)] for each in cell.rounds]
    known = np.array([[before, after] for before, after in both if before and after], dtype=np.float64)
    return np.exp(np.log(known).mean(axis=1)) if len(known) == len(both) and len(both) else np.empty(0)


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a machine was while a cell was measured: what its canary took.

    Attributes:
        form: of the canary; times of different forms are not comparable.
        took: the geometric mean over rounds for each of :data:`LOOPS`, in nanoseconds.
    """

    form: tuple[int, object]
    took: tuple[float, ...]


def speed(cell: Cell) -> Speed | None:
    """The speed of a cell's machine; None where a round has no canary or there are several forms."""
    looks, forms = [canaries(cell, loop) for loop in LOOPS], _forms(cell)
    if len(forms) != 1 or not all(map(len, looks)):
        return None
    return Speed(forms.pop(), tuple(float(np.exp(np.log(times).mean())) for times in looks))


def _loop(canary: Canary | None, loop: str) -> int:
    if canary is None:
        return 0
    return canary.compute if loop == "compute" else canary.memory


def _forms(cell: Cell) -> set[tuple[int, object]]:
    """The forms of a cell's canaries, each with the version of numpy, whose loops they are."""
    numpy = cell.evidence.get("numpy")
    return {(look.form, numpy) for each in cell.rounds for look in (each.before, each.after) if look is not None}


def _machines(a: Cell, b: Cell) -> list[rounds.Machine]:
    """How the machine changed, by each loop; empty where the canaries are not comparable."""
    if len(_forms(a) | _forms(b)) != 1:
        return []
    looks = (
        rounds.machine((round_medians(a), canaries(a, loop)), (round_medians(b), canaries(b, loop))) for loop in LOOPS
    )
    return [look for look in looks if look is not None]


def _toward(looks: Sequence[rounds.Machine], *, slower: bool) -> rounds.Machine | None:
    """The loop that moved in the direction that the cell did and explains most of its change; None if none did."""
    alike = [look for look in looks if (look.change > 1 + MACHINE if slower else look.change < 1 - MACHINE)]
    return max(alike, key=lambda look: _beyond(look, slower=slower), default=None)


def _furthest(looks: Sequence[rounds.Machine]) -> float | None:
    """The ratio of the loop that moved furthest, of those that moved by more than :data:`MACHINE` and significantly."""
    moved = [look.change for look in looks if abs(look.change - 1) > MACHINE and look.p_change < ALPHA / len(looks)]
    return max(moved, key=lambda ratio: abs(np.log(ratio)), default=None)


def _beyond(found: rounds.Machine | None, *, slower: bool) -> float:
    """The p-value of the cell having changed no further than the canary, in the cell's direction."""
    if found is None:
        return 0.0
    return found.p_value if (found.ratio.value > 1) == slower else 1.0


def doubt(found: Change, *, adjusted: float, limit: float) -> str:
    """Why nobody can tell whether something changed, in words; empty where one can.

    Args:
        adjusted: the p-value, corrected for the number of cells, as :attr:`Change.p_machine` should be.
        limit: the change that must be told from none, as a share: the gate, or :data:`SAME`.
    """
    if found.exact:
        return ""
    if found.spread is None or not found.by_rounds:
        return f"one round can't tell; {_would_tell(found, limit)}"
    if found.machine is not None and adjusted < ALPHA <= found.p_machine:
        return _the_machine(found.machine)
    if adjusted >= ALPHA and max(found.ratio.high - 1, 1 - found.ratio.low) > limit:
        return f"the rounds disagree too much to tell {limit:.0%}; {_would_tell(found, limit)}"
    small = adjusted >= ALPHA or abs(found.ratio.value - 1) < MACHINE
    if small and found.moved is not None and abs(found.moved - 1) > limit:
        return _the_machine(found.moved)
    return ""


def _the_machine(ratio: float) -> str:
    return f"the machine itself was {abs(ratio - 1):.0%} {'slower' if ratio > 1 else 'faster'}, by its canary"


def _would_tell(found: Change, limit: float) -> str:
    """The number of rounds that would tell, from the spread between those that there are."""
    if found.spread is None:
        return "measure with --rounds 5"
    count = rounds.rounds_to_tell(limit, found.spread)
    return f"about {count} rounds would tell {limit:.0%}" if count else "make the machine quieter"


def interval(cell: Cell, level: float = 0.95) -> stats.Interval:
    """The median of a cell with its interval, in nanoseconds or instructions.

    By rounds where there are several. With one round it is the interval of the median of that very process.

    Raises:
        TooFewSamplesError: too few samples in a single round.
    """
    if len(cell.round_sizes) > 1 and cell.device.clock == "wall":
        return rounds.estimate(round_medians(cell), level)
    return stats.median_interval(cell.latency_ns, level)
