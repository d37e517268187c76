"""Five releases each of LiteRT and ONNX Runtime on emulated cores: what became faster, slower, or answers otherwise.

    python -m benchmarks.releases [--boards raspberry-pi-3,...] [--runtime litert==1.4.0,...] [--results FOLDER]
    python -m benchmarks.releases --from RESULTS/RUN [--from ...] [--figure docs/releases.png]

The first form measures, one board after the other, by ``harness run --quick`` with one thread: instructions, counted by
QEMU. It prints the runs' folders. The second form prints the table of stored runs as Markdown and draws the figure of
docs/releases.md. The list of devices, and so the lock file, lies in the results folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.common import table
from harness.boards.registry import FAMILIES
from harness.core.files import write_atomic
from harness.report import releases
from harness.report.figures.canvas import INK, MUTED, PALETTE, styled
from harness.report.gather import gather
from harness.report.releases import Step

BOARDS = "raspberry-pi-3,raspberry-pi-4,raspberry-pi-5"
RUNTIMES = (
    "litert==1.2.0,litert==1.4.0,litert==2.0.3,litert==2.1.0,litert==2.3.0,"
    "onnxruntime==1.16.3,onnxruntime==1.19.2,onnxruntime==1.22.1,onnxruntime==1.26.0,onnxruntime==1.31.1"
)
NETWORKS = "resvgg19-pruned,mobilenet-v2"
HEAD = ("board", "file", "release", "million instructions", "against the one before", "verdict", "answers")
_MOST_BYTES = 150_000


def measure(board: str, options: argparse.Namespace) -> int:
    """One board's run; returns the harness's exit code."""
    devices = options.results / f"{board}.yaml"
    write_atomic(devices, f"devices:\n- {{name: {board}, board: {board}, emulate: true}}\n")
    words = [sys.executable, "-m", "harness", "run", "--devices", str(devices), "--quick"]
    words += ["--accept-invalid", "--variant", "fp32,int8"]
    words += ["--model", options.networks, "--runtime", options.runtime, "--models", str(options.models)]
    words += ["--results", str(options.results), "--reports", str(options.results / "reports" / board)]
    return subprocess.run([*words, *(["--resume", options.resume] if options.resume else [])], check=False).returncode


def rows(found: Sequence[tuple[Step, ...]]) -> list[tuple[object, ...]]:
    """The rows of the table."""
    return [
        (
            step.row["board_label"],
            f"{step.row['model']} {step.row['kind']}",
            f"{step.row['runtime']} {step.release}",
            f"{step.row['value']:.3f}" if step.valid else "–",
            f"{(step.against.ratio.value - 1) * 100:+.1f} %" if step.against and step.against.ratio else "–",
            step.verdict or "the oldest",
            step.answers or "–",
        )
        for steps in found
        for step in steps
    ]


def draw(found: Sequence[tuple[Step, ...]], path: Path) -> None:
    """One panel a board and runtime: medians against the oldest release, one line a file."""
    boards = list(dict.fromkeys(steps[0].row["board"] for steps in found))
    runtimes = sorted({steps[0].row["runtime"] for steps in found})
    with styled():
        lines = sorted({_line(steps) for steps in found})
        colours = {line: PALETTE[place % len(PALETTE)] for place, line in enumerate(lines)}
        figure = Figure(figsize=(3.1 * len(boards), 2.5 * len(runtimes) + 0.6), layout="constrained")
        panels = np.atleast_2d(figure.subplots(len(runtimes), len(boards), sharey="row", squeeze=False))
        for place, runtime in enumerate(runtimes):
            for column, board in enumerate(boards):
                mine = [s for s in found if (s[0].row["board"], s[0].row["runtime"]) == (board, runtime)]
                _panel(panels[place, column], mine, colours)
                family = FAMILIES[board]
                panels[place, column].set_title(f"{family.title} ({family.cpu})" if place == 0 else "", fontsize=8)
            panels[place, 0].set_ylabel(f"{runtime}\nagainst the oldest (%)")
        handles = [Line2D([], [], color=colour, marker="o", lw=1.4, ms=3.5) for colour in colours.values()]
        figure.legend(handles, lines, loc="outside lower left", ncols=4)
        figure.set_facecolor("white")
        figure.dpi = 110
        path.parent.mkdir(parents=True, exist_ok=True)
        FigureCanvasAgg(figure).print_png(str(path), metadata={"Software": None})  # type: ignore[no-untyped-call]
    if path.stat().st_size > _MOST_BYTES:
        sys.exit(f"{path}: {path.stat().st_size} bytes are more than {_MOST_BYTES}")


def _line(steps: tuple[Step, ...]) -> str:
    """What a line shows, in whichever format: ``mobilenet-v2 int8``."""
    return f"{steps[0].row['model']} {steps[0].row['kind'].partition('.')[0]}"


def _panel(axes: Axes, found: Sequence[tuple[Step, ...]], colours: Mapping[str, str]) -> None:
    every = {step.release: releases.age(step.row["runtime_version"]) for steps in found for step in steps}
    order = sorted(every, key=lambda release: every[release])
    axes.axhline(0, color=MUTED, lw=0.6)
    for steps in found:
        name = _line(steps)
        valid = [(order.index(step.release), (step.total.value - 1) * 100) for step in steps if step.total]
        axes.plot([x for x, _ in valid], [y for _, y in valid], "o-", color=colours[name], lw=1.4, ms=3.5, label=name)
        failed = [order.index(step.release) for step in steps if not step.valid]
        axes.plot(failed, [0] * len(failed), "x", color=INK, ms=6)
    axes.set_xticks(range(len(order)), order, fontsize=7)
    axes.set_xlim(-0.3, len(order) - 0.7)


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", default=BOARDS)
    parser.add_argument("--runtime", default=RUNTIMES)
    parser.add_argument("--networks", default=NETWORKS)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--results", type=Path, default=Path("results/releases"))
    parser.add_argument("--resume", help="go on with this run of a single board")
    parser.add_argument("--from", dest="stored", type=Path, action="append", help="a stored run's folder")
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    if not options.stored:
        return max(measure(board, options) for board in options.boards.split(","))
    found = releases.series(gather(options.stored))
    table(HEAD, rows(found))
    if options.figure:
        draw(found, options.figure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
