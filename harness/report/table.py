"""One small table, as CSV for programs and Markdown for people, and the format of its values."""

from __future__ import annotations

import csv
import functools
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.core.safetext import clean, csv_field, markdown
from harness.results.columns import Column, Row, Value

#: Longer texts are cut in tables; a cell can have several reasons of up to 4096 characters.
LONGEST = 20_000
#: Markdown holds this many rows at most, since nobody reads longer tables; the CSV has all of them.
MOST_MARKDOWN = 2000
#: Shown to people where a figure doesn't exist.
MISSING = "–"


@dataclass(frozen=True)
class Table:
    """A small table; ``columns`` are ``(name in CSV, heading for people)``."""

    name: str
    title: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""
    missing: str = ""  # shown to people where there is no value

    def csv(self) -> str:
        """RFC 4180 with ``\\n`` line ends; numbers in full precision; missing values are empty."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([name for name, _ in self.columns])
        writer.writerows([[_machine(value) for value in row] for row in self.rows])
        return out.getvalue()

    def markdown(self) -> str:
        """A Markdown table under a heading."""
        lines = [f"# {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        lines.append("| " + " | ".join(heading for _, heading in self.columns) + " |")
        lines.append("|" + "|".join("---:" if self._numeric(i) else "---" for i in range(len(self.columns))) + "|")
        for row in self.rows[:MOST_MARKDOWN]:
            lines.append(
                "| " + " | ".join(markdown(v) if isinstance(v, str) else human(v, self.missing) for v in row) + " |"
            )
        if len(self.rows) > MOST_MARKDOWN:
            lines += ["", f"The first {MOST_MARKDOWN} of {len(self.rows)} rows; {self.name}.csv has all."]
        return "\n".join(lines) + "\n"

    def _numeric(self, column: int) -> bool:
        values = [row[column] for row in self.rows[:MOST_MARKDOWN] if row[column] is not None]
        return bool(values) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def tabulate(
    columns: Sequence[Column[Row]], items: Iterable[Row], *, name: str, title: str, note: str = "", missing: str = ""
) -> Table:
    """A table with one row an item; each column computes its own values.

    Args:
        name: the file's name without suffix.
        missing: shown to people where there is no value.
    """
    return Table(
        name=name,
        title=title,
        columns=tuple((column.name, column.heading) for column in columns),
        rows=tuple(tuple(column.value(item) for column in columns) for item in items),
        note=note,
        missing=missing,
    )


def human(value: Value, missing: str = "") -> str:
    """A value for people: 4 significant digits, thousands grouped; ``missing`` where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return missing
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return clean(value, LONGEST)


def brief(value: float) -> str:
    """3 significant digits, and never an exponent: 0.262, 14.2, 7,310."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def _machine(value: Value) -> str:
    if isinstance(value, str):
        return _machine_text(value)
    if value is None or value != value:
        return ""
    return repr(value) if value is not True and value is not False else "true" if value else "false"


@functools.lru_cache(maxsize=1 << 14)  # a table of many cells repeats few texts
def _machine_text(value: str) -> str:
    return csv_field(clean(value, LONGEST))


def number(value: object) -> float | None:
    """A float, or None for what is missing."""
    return None if value is None or math.isnan(float(value)) else float(value)  # type: ignore[arg-type]


def whole(value: object) -> int | None:
    """An int, or None for what is missing."""
    found = number(value)
    return None if found is None else int(found)
