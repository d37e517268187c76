"""What a page says of how far its numbers can be trusted."""

from __future__ import annotations

import pandas as pd

from harness.report import outputs
from harness.report.gather import ReportData
from harness.results.change import SAME


def disagreeing(data: ReportData) -> list[str]:
    """Cells whose rounds disagree: the interval of the median is wider than the limit for calling medians the same."""
    valid = data.valid
    several = valid[(valid.rounds.map(len) > 1).astype(bool)]
    reach = several.high / several.value - 1
    wide = several.assign(reach=reach)[reach > SAME].sort_values("reach", ascending=False, kind="stable")
    return [
        f"{board}, {label}: ± {share * 100:.0f} %"
        for board, label, share in zip(wide.board_label, wide.label, wide.reach, strict=True)
    ]


def trust(data: ReportData) -> list[str]:
    """Sentences on samples, delegates and the state of the boards."""
    valid = data.valid
    if valid.empty:
        return []
    fewest, most = int(valid.samples.min()), int(valid.samples.max())
    passes = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    answers = "predictions" if valid.predictions.map(len).gt(0).any() else "outputs"
    lines = [
        f"Each number comes from {passes} timed inferences: their median, or the mean of their rounds' medians; "
        f"{answers} come from the same ones."
    ]
    lines += _on_rounds(valid)
    if valid.delegate_verified.all():
        lines.append(
            "Every board proved which delegate ran (delegates: " + ", ".join(sorted(set(valid.delegate))) + ")."
        )
    wall = valid[valid.clock == "wall"]
    if len(wall):
        half = ((wall.high - wall.low) / 2 / wall.value).max()
        lines.append(f"On the wall clock the 95 % interval of a median is at widest ± {half:.1%}.".replace("%.", " %."))
    return [*lines, *filter(None, [outputs.largest(data)])]


def _on_rounds(valid: pd.DataFrame) -> list[str]:
    """How many processes measured a cell on the wall clock, and what its interval covers."""
    counts = sorted({len(sizes) for sizes in valid[valid.clock == "wall"].rounds})
    if not counts or counts == [1]:
        return []
    several = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return [
        f"On the wall clock each cell was measured by {several} processes; the value is the geometric mean of their "
        "medians and its interval that of these medians, where there are several."
    ]
