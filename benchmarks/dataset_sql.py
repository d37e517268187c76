"""How long the questions of docs/sql.md take over a data set of a million cells.

    python -m benchmarks.dataset_sql [--cells 1000000]

The cells are made up by a generator (``benchmarks/made/dataset.py``). Exits with 1 if a question takes two seconds or
more.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import table
from benchmarks.made.dataset import write

PAGE = Path(__file__).resolve().parent.parent / "docs" / "sql.md"
_LIMIT_S = 2.0


def questions() -> list[tuple[str, str]]:
    """(question, SQL) of docs/sql.md, in order; its first block, which makes the view, is left out."""
    found = re.findall(r"\n([^\n]+\?)\n\n```sql\n(.+?)\n```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [(question, sql) for question, sql in found]


def view() -> str:
    """The line of docs/sql.md that makes the view ``cells`` of the folder ``dataset``."""
    (line,) = re.findall(r"^CREATE VIEW .+$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return line


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1_000_000)
    options = parser.parse_args()
    try:
        import duckdb
    except ImportError:
        sys.exit("duckdb is not installed: pip install -e '.[dev]'")
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        write(Path(folder) / "dataset", options.cells)
        print(f"{options.cells:,} cells made up in {time.monotonic() - started:.0f} s", file=sys.stderr)
        connection = duckdb.connect()
        connection.execute(view().replace("'dataset/", f"'{folder}/dataset/"))
        rows, slowest = [], 0.0
        for question, sql in questions():
            started = time.monotonic()
            answer = connection.execute(sql).fetchall()
            taken = time.monotonic() - started
            slowest = max(slowest, taken)
            rows.append((question, len(answer), f"{taken:.2f}"))
    table(("question", "rows", "seconds"), rows)
    print("as promised" if slowest < _LIMIT_S else "NOT as promised")
    return 0 if slowest < _LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
