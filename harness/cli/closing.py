"""The end of a run's output: how many cells count, which do not and why, and how to measure those again."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness.run.attempt import PASSING
from harness.run.outcome import Bad, Outcome, share_text

#: More cells than this of one device that share their codes become one line.
APART = 4
#: The number of cells named in that line.
NAMED = 3
#: So many cells that are not precise enough are named.
MOST_WIDE = 20
_TEXT = 160
MEANING = {
    "INVALID": "INVALID: measured, but something disturbed it or was not as it should be, so the number is not shown",
    "FAILED": "FAILED: there is no measurement",
}


def again_argv(
    *, devices: Path, models: Path, results: Path | str, reports: Path, run: str, on: str | None = None
) -> list[str]:
    """The command that continues a run: it measures what is not VALID, with the options that the run was begun with."""
    given = {"--devices": devices, "--models": models, "--results": results, "--reports": reports}
    words = [word for option, path in given.items() for word in (option, str(path))]
    return ["harness", "run", *words, *(("--on", on) if on else ()), "--resume", run]


def closing(outcome: Outcome, again: Sequence[str]) -> str:
    """The end of a run, as text for people."""
    counts = Counter(outcome.cells.values())
    statuses = ", ".join(f"{counts[status]} {status}" for status in ("VALID", "INVALID", "FAILED") if counts[status])
    lines = [f"run {outcome.run}: {statuses or 'no cells'}"]
    if outcome.bad:
        lines += ["not VALID:", *(f"  {line}" for line in bad_lines(outcome.bad))]
        lines += [MEANING[status] for status in MEANING if counts[status]]
        if any(reason.code in PASSING for bad in outcome.bad for reason in bad.reasons):
            lines.append(f"{', '.join(sorted(PASSING))}: these pass by themselves; measure again when it is quiet")
    lines += _wide_lines(outcome)
    if outcome.bad or outcome.wide:
        lines += ["to measure these again:" if outcome.bad else "to go on with these:", f"  {shlex.join(again)}"]
    if outcome.waiting:
        lines += [*waiting_lines(outcome), f"  {shlex.join(again)}"]
    lines.append(f"artifact bytes sent: {sum(outcome.sent_bytes.values())}")
    return "\n".join(lines)


def waiting_lines(outcome: Outcome) -> list[str]:
    """The files that are not where results are kept; nothing of them is lost."""
    names = ", ".join(outcome.waiting[:NAMED])
    more = f" and {len(outcome.waiting) - NAMED} more" if len(outcome.waiting) > NAMED else ""
    return [
        f"not at their place yet: {names}{more}; kept in {outcome.folder}",
        "to bring them there, when it can be reached again:",
    ]


def _wide_lines(outcome: Outcome) -> list[str]:
    """Which cells didn't get as precise as was asked, and how far they got."""
    if not outcome.wide or outcome.precision is None:
        return []
    lines = [f"{len(outcome.wide)} VALID, but not within ±{share_text(outcome.precision)}:"]
    lines += [f"  {cell.device} {cell.label}: {cell.text}" for cell in outcome.wide[:MOST_WIDE]]
    return lines + ([f"  and {more} more"] if (more := len(outcome.wide) - MOST_WIDE) > 0 else [])


def bad_lines(bad: Sequence[Bad]) -> list[str]:
    """A line for each cell that is not VALID; many cells of a device with the same codes share one."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[Bad]] = {}
    for cell in bad:
        groups.setdefault((cell.device, cell.status, tuple(reason.code for reason in cell.reasons)), []).append(cell)
    lines = []
    for (device, status, _), members in groups.items():
        if len(members) <= APART:
            lines += [f"{status} {device} {cell.label}: {why(cell)}" for cell in members]
            continue
        named = ", ".join(cell.label for cell in members[:NAMED])
        texts = {why(cell) for cell in members}
        for_example = "" if len(texts) == 1 else "for example "
        lines.append(
            f"{status} {device}, {len(members)} cells ({named} and {len(members) - NAMED} more): "
            f"{for_example}{why(members[0])}"
        )
    return lines


def why(bad: Bad) -> str:
    """A cell's reasons in one short line."""
    texts = [f"{reason.code}: {' '.join(reason.text.split())}" for reason in bad.reasons]
    return "; ".join(text if len(text) <= _TEXT else f"{text[: _TEXT - 3]}..." for text in texts)


def summary(outcome: Outcome, again: Sequence[str]) -> dict[str, object]:
    """The end of a run, as data for programs."""
    return {
        "run": outcome.run,
        "folder": str(outcome.folder),
        "cells": outcome.cells,
        "statuses": dict(Counter(outcome.cells.values())),
        "not_valid": [
            {
                "cell": bad.cell,
                "device": bad.device,
                "status": bad.status,
                "reasons": [reason.model_dump() for reason in bad.reasons],
            }
            for bad in outcome.bad
        ],
        "waiting": list(outcome.waiting),
        "precision": outcome.precision,
        "not_precise": [
            {
                "cell": wide.cell,
                "device": wide.device,
                "half_width": wide.half_width,
                "rounds": wide.rounds,
                "more_rounds": wide.more,
            }
            for wide in outcome.wide
        ],
        "again": shlex.join(again) if outcome.bad or outcome.wide or outcome.waiting else None,
        "sent_bytes": outcome.sent_bytes,
        "skipped": [reason.model_dump() for reason in outcome.skipped],
    }
