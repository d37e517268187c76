"""Rounds of a cell are joined: the measurements of all its processes become one record."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from harness.config.thresholds import Thresholds
from harness.records.cell import MOST_STATES, Canary, Cell, Reason, Round, Status
from harness.records.golden import OutputsCheck
from harness.run.verdict.judge import found_in_all, not_finite

#: Keys of a round's evidence. The board's states, and facts that are the same for all rounds, belong to the cell.
_OF_ROUND = (
    "busiest", "canary", "earlier", "energy", "found", "import_ns", "not_finite", "profile", "stderr", "warmup_ended",
)  # fmt: skip


#: Two passes or rounds over the same images predicted differently. A cell keeps one round's predictions, so which round
#: differed is not known afterwards.
UNSTABLE = "unstable-predictions"


def one_round(cell: Cell, before: Canary | None, after: Canary | None) -> Cell:
    """A cell that one process measured, with its round listed; without samples it stays as it is."""
    if not cell.latency_ns:
        return cell
    looks = _looks(cell.evidence, before, after)
    evidence = {**cell.evidence, "canary": looks} if looks else cell.evidence
    made = Round(
        started=cell.started,
        ended=cell.ended,
        reasons=cell.reasons,
        samples=len(cell.latency_ns),
        warmups=len(cell.warmup_ns),
        load_ns=cell.load_ns,
        allocate_ns=cell.allocate_ns,
        first_inference_ns=cell.first_inference_ns,
        peak_rss_bytes=cell.peak_rss_bytes,
        energy_j=cell.energy_j,
        before=before,
        after=after,
        evidence={
            **{key: evidence[key] for key in _OF_ROUND if key in evidence},
            **_states(len(cell.evidence.get("during") or []), len(cell.latency_ns), cell.split.n),
        },
    )
    return cell.model_copy(update={"rounds": (made,), "evidence": evidence})


def _states(states: int, samples: int, n: int) -> dict[str, int]:
    """How many of the states between passes are this round's, where that is not one for each pass."""
    return {} if states == min(samples // n, MOST_STATES) else {"states": states}


def _looks(evidence: dict[str, Any], before: Canary | None, after: Canary | None) -> list[dict[str, Any]]:
    """Both readings of the canary with the board's wall clock, for a figure over time."""
    return [
        {"wall_s": evidence.get(key, {}).get("wall_s"), **canary.model_dump()}
        for key, canary in (("before", before), ("after", after))
        if canary is not None
    ]


def joined(parts: Sequence[Cell], planned: int) -> Cell:
    """Join several cells of one round or more into one cell, in the order measured.

    Args:
        planned: how many rounds the cell should have; with fewer it is INVALID.

    A part that FAILED without samples makes the cell FAILED if no other part has any, else INVALID. A part that FAILED
    with samples, which describe something else than was asked for, makes the cell FAILED.
    """
    measured = [part for part in parts if part.latency_ns]
    if not measured:
        return parts[-1]
    first, last = measured[0], measured[-1]
    rounds = tuple(each for part in measured for each in part.rounds)
    reasons = _reasons([*(each.reasons for each in rounds), *(part.reasons for part in parts if not part.latency_ns)])
    reasons = [_counted(reason, rounds, classifier=bool(first.predictions)) for reason in reasons]
    reasons += _of_the_whole(measured, rounds, planned)
    status: Status = "INVALID" if reasons else "VALID"
    if any(part.status == "FAILED" for part in measured):
        status = "FAILED"
    energies = [each.energy_j for each in rounds]
    return first.model_copy(
        update={
            "status": status,
            "reasons": tuple(reasons),
            "rounds": rounds,
            "latency_ns": tuple(ns for part in measured for ns in part.latency_ns),
            "warmup_ns": tuple(ns for part in measured for ns in part.warmup_ns),
            "load_ns": _middle(each.load_ns for each in rounds),
            "allocate_ns": _middle(each.allocate_ns for each in rounds),
            "first_inference_ns": _middle(each.first_inference_ns for each in rounds),
            "peak_rss_bytes": max((each.peak_rss_bytes or 0 for each in rounds), default=0) or None,
            "outputs": _worst(part.outputs for part in measured),
            "energy_j": None if None in energies else sum(joules for joules in energies if joules is not None),
            "evidence": _evidence([part.evidence for part in measured], rounds),
            "ended": last.ended,
        }
    )


def parts_of(cell: Cell) -> list[Cell]:
    """The rounds of a cell, each as a cell of its own; :func:`joined` joins them again."""
    parts, at, warm_at, state_at = [], 0, 0, 0
    during, n = list(cell.evidence.get("during") or []), cell.split.n
    for each in cell.rounds:
        states = each.evidence.get("states", min(each.samples // n, MOST_STATES))
        changes = {
            "status": "INVALID" if each.reasons else "VALID",
            "reasons": each.reasons,
            "rounds": (each,),
            "latency_ns": cell.latency_ns[at : at + each.samples],
            "warmup_ns": cell.warmup_ns[warm_at : warm_at + each.warmups],
            "load_ns": each.load_ns,
            "allocate_ns": each.allocate_ns,
            "first_inference_ns": each.first_inference_ns,
            "peak_rss_bytes": each.peak_rss_bytes,
            "energy_j": each.energy_j,
            "evidence": {**cell.evidence, **each.evidence, "during": during[state_at : state_at + states]},
            "started": each.started,
            "ended": each.ended,
        }
        parts.append(cell.model_copy(update=changes))
        at, warm_at, state_at = at + each.samples, warm_at + each.warmups, state_at + states
    return parts


def attempt_record(cell: Cell) -> dict[str, object]:
    """The record of a measurement that is repeated: its time, and why it didn't count."""
    return cell.model_dump(include={"started", "ended", "reasons"}, mode="json")


def with_earlier(cell: Cell, earlier: Sequence[dict[str, object]]) -> Cell:
    """A round with the reasons why its earlier attempts didn't count."""
    update: dict[str, object] = {"evidence": {**cell.evidence, "earlier": list(earlier)}}
    if cell.rounds:
        (only,) = cell.rounds
        update["rounds"] = (only.model_copy(update={"evidence": {**only.evidence, "earlier": list(earlier)}}),)
    return cell.model_copy(update=update)


def replaced(old: Cell, new: Cell) -> Cell:
    """The round that replaces another one, which didn't count."""
    attempts = [*(old.evidence.get("earlier") or []), attempt_record(old), *(new.evidence.get("earlier") or [])]
    return with_earlier(new, attempts)


def _reasons(of_rounds: Iterable[Sequence[Reason]]) -> list[Reason]:
    """Each code once, with its first text."""
    found: dict[str, Reason] = {}
    for reasons in of_rounds:
        for reason in reasons:
            found.setdefault(reason.code, reason)
    return list(found.values())


def _counted(reason: Reason, rounds: Sequence[Round], *, classifier: bool) -> Reason:
    """A round's reason with the number of all rounds, where it counts inferences."""
    count = _not_finite(rounds) if reason.code == "not-finite" else None
    if count is None:
        return reason
    return not_finite(count, sum(each.samples for each in rounds) if classifier else None)


def _not_finite(rounds: Sequence[Round]) -> int | None:
    """The number of outputs with NaN or infinity; None where a round, of an older harness, doesn't tell."""
    counts = [each.evidence.get("not_finite") for each in rounds]
    return None if None in counts else sum(count for count in counts if count is not None)


def _of_the_whole(parts: Sequence[Cell], rounds: Sequence[Round], planned: int) -> list[Reason]:
    """The reasons that only appear when all rounds are seen together."""
    found = []
    if any(part.predictions != parts[0].predictions for part in parts) or any(map(_differed, parts)):
        text = "two rounds over the same images predicted differently"
        found.append(Reason(code="unstable-predictions", text=text))
    if len(rounds) < planned:
        found.append(Reason(code="rounds-missing", text=f"{len(rounds)} of {planned} rounds were measured"))
    apart, limit = machine_apart(rounds), _limits(parts[0]).machine
    if apart is not None and limit is not None and apart > limit:
        text = f"the machine's own speed differed by {apart:.0%} between rounds, by the canary (limit {limit:.0%})"
        found.append(Reason(code="machine-changed", text=text))
    return found


def _differed(part: Cell) -> bool:
    """Whether the rounds of a part, which keeps the predictions of one of them, predicted differently."""
    of_rounds = {reason.code for each in part.rounds for reason in each.reasons}
    return UNSTABLE in {reason.code for reason in part.reasons} - of_rounds


def _limits(cell: Cell) -> Thresholds:
    """The limits by which a cell was judged."""
    return Thresholds.model_validate(cell.evidence.get("thresholds") or {})


def machine_apart(rounds: Sequence[Round]) -> float | None:
    """How much longer the canary took in the slowest round than in the fastest, as a share, by the loop that changed
    more; None where a round has no canary, or one of another form.
    """
    if len(rounds) < 2 or any(each.before is None or each.after is None for each in rounds):
        return None
    if len({look.form for each in rounds for look in (each.before, each.after) if look}) > 1:
        return None
    apart = []
    for loop in ("compute", "memory"):
        times = [math.sqrt(getattr(each.before, loop) * getattr(each.after, loop)) for each in rounds]
        apart.append(max(times) / min(times) - 1)
    return max(apart)


def _worst(checks: Iterable[OutputsCheck | None]) -> OutputsCheck | None:
    """The comparison with the largest difference, by its limits."""
    found = [check for check in checks if check is not None]
    return max(found, key=lambda check: (check.worst.excess, check.worst.max_rel), default=None)


def _middle(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known)) if known else None


def _evidence(parts: Sequence[dict[str, Any]], rounds: Sequence[Round]) -> dict[str, Any]:
    """The first round's evidence with the states of all (before the first, after each pass, and after the last), and
    with the figures of all.
    """
    first, last = parts[0], parts[-1]
    states: dict[str, Any] = {key: last[key] for key in ("end", "after") if key in last}
    merged = {**first, **states, "during": [state for part in parts for state in part.get("during") or []]}
    for key in ("canary", "earlier"):
        if any(key in part for part in parts):
            merged[key] = [entry for part in parts for entry in part.get(key) or []]
    merged.pop("states", None)  # of one round
    if (count := _not_finite(rounds)) is not None:
        merged["not_finite"] = count
    if figures := [each.evidence["found"] for each in rounds if each.evidence.get("found")]:
        merged["found"] = found_in_all(figures)
    return merged
