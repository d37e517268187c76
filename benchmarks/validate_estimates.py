"""The quality of estimated cycles: ``python -m benchmarks.validate_estimates [--page docs/estimates-validation.md]``.

Runs the networks of published tables (``benchmarks/published.py``), built without weights, on emulated boards, and
compares counted instructions and estimated cycles with the published latencies: pairs of networks in the wrong order,
errors of ratios, and rank correlation. Writes a page. Needs the [train] extra and an hour on two
cores; what has run is kept in the cache.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import spearmanr

from benchmarks import validation_boards
from benchmarks.published import TABLES, Key, Published
from harness.core.files import write_atomic
from harness.estimate.costs import Costs
from harness.estimate.judge import LEAST_RATIO
from harness.estimate.model import estimate
from harness.estimate.plugin import ensure_plugin
from harness.estimate.regions import instructions, read_region
from harness.estimate.toolchain import find_llvm


@dataclass(frozen=True)
class Figures:
    """The figures of one network: counted, and estimated on one thread and on the table's number of threads."""

    instructions: int
    cycles: float
    shared_cycles: float


@dataclass(frozen=True)
class Quality:
    """How well numbers order the measured latencies, and how far their ratios are from the measured ones.

    Attributes:
        pairs, wrong: pairs of networks; ``wrong`` have the opposite order. Equal latencies have none.
        apart, apart_wrong: the pairs whose numbers differ by LEAST_RATIO or more.
        median_error, worst_error: errors of ratios; 1 means no error.
        correlation: Spearman's rank correlation.
    """

    pairs: int
    wrong: int
    apart: int
    apart_wrong: int
    median_error: float
    worst_error: float
    correlation: float


def quality(measured: Mapping[Key, float], predicted: Mapping[Key, float]) -> Quality:
    """Compare each pair's ratio in ``predicted`` (any unit) with that in ``measured``."""
    pairs = [(measured[a] / measured[b], predicted[a] / predicted[b]) for a, b in itertools.combinations(predicted, 2)]
    errors = sorted(max(truth / guess, guess / truth) for truth, guess in pairs)
    apart = [(truth, guess) for truth, guess in pairs if max(guess, 1 / guess) >= LEAST_RATIO]
    names = list(predicted)
    correlation = spearmanr([measured[name] for name in names], [predicted[name] for name in names]).statistic
    return Quality(
        pairs=len(pairs),
        wrong=sum((truth - 1) * (guess - 1) < 0 for truth, guess in pairs),
        apart=len(apart),
        apart_wrong=sum((truth - 1) * (guess - 1) < 0 for truth, guess in apart),
        median_error=statistics.median(errors),
        worst_error=errors[-1],
        correlation=float(correlation),
    )


def rows(table: Published, found: Mapping[Key, Figures]) -> list[str]:
    """The table's networks: published, counted, estimated."""
    shared = table.threads > 1
    head = ["network", "published ms", "M instructions", "M cycles, 1 thread"]
    head += [f"M cycles, {table.threads} threads"] if shared else []
    lines = [line(head), line(["---"] * len(head))]
    for (name, variant), milliseconds in table.milliseconds.items():
        figures = found[name, variant]
        words = [f"{name} {variant}", f"{milliseconds:g}", f"{figures.instructions / 1e6:.1f}"]
        words += [f"{figures.cycles / 1e6:.1f}"] + ([f"{figures.shared_cycles / 1e6:.1f}"] if shared else [])
        lines.append(line(words))
    return lines


def kinds(table: Published, found: Mapping[Key, Figures]) -> dict[str, Quality]:
    """The quality of each kind of number on a table."""
    numbers = {
        "counted instructions": {key: float(figures.instructions) for key, figures in found.items()},
        "estimated cycles, 1 thread": {key: figures.cycles for key, figures in found.items()},
    }
    if table.threads > 1:
        name = f"estimated cycles, {table.threads} threads"
        numbers[name] = {key: figures.shared_cycles for key, figures in found.items()}
    return {kind: quality(table.milliseconds, each) for kind, each in numbers.items()}


def judged(table: Published, found: Mapping[Key, Figures]) -> list[str]:
    """The quality of each kind of number on a table, as rows."""
    head = ["", "pairs wrong", f"wrong where {LEAST_RATIO} apart", "median error", "worst error", "rank correlation"]
    lines = [line(head), line(["---"] * len(head))]
    for kind, each in kinds(table, found).items():
        wrong = [f"{each.wrong} of {each.pairs}", f"{each.apart_wrong} of {each.apart}"]
        errors = [f"{each.median_error:.2f}x", f"{each.worst_error:.2f}x", f"{each.correlation:.2f}"]
        lines.append(line([kind, *wrong, *errors]))
    return lines


def absolute(table: Published, found: Mapping[Key, Figures]) -> str:
    """Estimated time at the nominal clock over the published time, from lowest to highest."""
    shares = sorted(
        (figures.shared_cycles if table.threads > 1 else figures.cycles)
        / table.core.clock_hz
        / (table.milliseconds[key] / 1e3)
        for key, figures in found.items()
    )
    clock = f"{table.core.clock_hz / 1e9:g} GHz"
    return f"Estimated time at {clock} over the published: {shares[0]:.2f} to {shares[-1]:.2f}."


def line(words: Sequence[str]) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(words)} |"


def overview(found: Mapping[str, Mapping[Key, Figures]]) -> list[str]:
    """All tables in one: how many pairs are in the wrong order where numbers are far apart, and the worst error."""
    head = [
        "table",
        "core, threads",
        "counts: wrong",
        "worst",
        "1 thread: wrong",
        "worst",
        "all threads: wrong",
        "worst",
    ]
    lines = [line(head), line(["---"] * len(head))]
    for table in TABLES:
        if table.title in found:
            words = [table.title, f"{table.core.name}, {table.threads}"]
            for each in kinds(table, found[table.title]).values():
                words += [f"{each.apart_wrong} of {each.apart}", f"{each.worst_error:.2f}x"]
            lines.append(line(words + ["", ""] * (table.threads == 1)))
    return lines


def shares(found: Mapping[str, Mapping[Key, Figures]]) -> list[str]:
    """For each table of several threads: the worst errors of estimates as shares of that of counted instructions."""
    lines = []
    for table in TABLES:
        if table.threads == 1 or table.title not in found:
            continue
        counts, *estimates = (each.worst_error for each in kinds(table, found[table.title]).values())
        forms = zip(("one thread", f"{table.threads} threads"), estimates, strict=True)
        words = " and ".join(f"{error / counts:.2f} with the form for {form} ({error:.2f}x)" for form, error in forms)
        lines += [f"{table.title}: of the worst error with counts ({counts:.2f}x), the estimate leaves {words}.", ""]
    return lines


PREFACE = f"""# How good estimated cycles are

Made by `python -m benchmarks.validate_estimates`. Networks of published tables, 224x224 and without trained weights, on
emulated boards. *Error*: how far the ratio of two networks is from the published ratio, as a factor; 1.00x is none.
Two estimates closer than {LEAST_RATIO}x are never told apart, so what counts is the order of pairs further apart.

The form for several threads divides the core's units and its caches among them and lets all share memory. A cell's
estimate has it for four threads beside the one of one thread, where the core executes out of order; the tables of
several threads are of such cores. It does not model that threads wait for each other, so its times are too short.

What both take a line from a cache or from memory to cost was chosen by a prototype on 33 values of six chips and is
the same for every core. The tables of the Raspberry Pi 4, the Pixel 3a and the Coral Dev Board were among them, and
XNNPACK's of the Pixel 2 may have been. Nothing has been changed for a table that was added later. It matters little:
with anything from 0 to 16 cycles for a cache and 12 to 48 for memory, no pair of the Raspberry Pi 4's table that is
{LEAST_RATIO}x apart is in the wrong order, and its worst error is 1.56x to 2.48x on one thread, 1.32x to 1.95x on four.
"""


def page(found: Mapping[str, Mapping[Key, Figures]], versions: str) -> str:
    """The whole page; ``found`` is by the tables' titles."""
    absent = [table.title for table in TABLES if table.title not in found]
    parts = [PREFACE, versions, "", *overview(found), "", *shares(found)]
    parts += [f"Not run for this page: {'; '.join(absent)}.", ""] if absent else []
    for table in TABLES:
        if table.title not in found:
            continue
        threads = "1 thread" if table.threads == 1 else f"{table.threads} threads"
        parts += [f"## {table.title}: {table.core.name}, {threads}", "", f"{table.source}; {table.date}.", ""]
        parts += [table.remark, ""] if table.remark else []
        parts += [*rows(table, found[table.title]), "", *judged(table, found[table.title]), ""]
        parts += [absolute(table, found[table.title]), ""]
    return "\n".join(parts)


def figures(table: Published) -> dict[Key, Figures]:
    """The figures of a table's networks, from their regions."""
    costs = Costs(find_llvm(table.core.llvm), table.core.model)
    found = {}
    for key in table.milliseconds:
        blocks = read_region(validation_boards.kept(table, key))
        one = estimate(blocks, table.core, costs)
        shared = estimate(blocks, table.core, costs, threads=table.threads)
        found[key] = Figures(instructions(blocks), one.cycles, shared.cycles)
    return found


def end(*_: object) -> None:
    """End as at an error, so that the board and temporary folders go, too."""
    sys.exit(128 + signal.SIGTERM)


def main() -> int:
    signal.signal(signal.SIGTERM, end)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, default=Path("docs/estimates-validation.md"))
    parser.add_argument("--table", help="only tables whose title has this")
    parser.add_argument("--run-only", action="store_true", help="run networks and write no page")
    options = parser.parse_args()
    tables = [table for table in TABLES if not options.table or options.table in table.title]
    for table in tables:
        validation_boards.run(table, lambda text: print(text, file=sys.stderr, flush=True))
    if options.run_only:
        return 0
    found = {table.title: figures(table) for table in tables}
    versions = f"QEMU {ensure_plugin().qemu}, LLVM {find_llvm(16).version}."
    write_atomic(options.page, page(found, versions))
    print(options.page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
