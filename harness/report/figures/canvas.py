"""Creating and saving figures: Agg through the object API, one style, the same bytes from the same numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

STYLE = Path(__file__).parents[1] / "style.mplstyle"

#: Okabe & Ito's colours for the colour-blind (2008), without yellow and black, which vanish on a light or dark page.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A63D2", "#7F7F7F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
INK, MUTED, GRID = "#1f2328", "#6e7781", "#d0d7de"
#: Inches; this fits a phone held upright and half a laptop's screen.
WIDTH = 5.0

#: The look of each variant in every figure: (colour, marker).
KINDS = {
    kind: (PALETTE[i], MARKERS[i])
    for i, kind in enumerate(
        f"{variant}.{fmt}" for fmt in ("tflite", "onnx") for variant in ("fp32", "int8", "fp16", "dynamic")
    )
}


@dataclass(frozen=True)
class Caption:
    """What is said of a figure: ``name`` is its file name without suffix, ``alt`` describes in words what it shows."""

    name: str
    plot: str
    title: str
    alt: str


@dataclass(frozen=True)
class Drawing(Caption):
    """One figure in memory."""

    figure: Figure


@contextmanager
def styled() -> Iterator[None]:
    """Use the harness's Matplotlib settings, then restore the caller's."""
    with matplotlib.rc_context(fname=STYLE):
        yield


def new(height: float, width: float = WIDTH) -> tuple[Figure, Axes]:
    """A figure of that size in inches with one pair of axes. It must be created and saved inside :func:`styled`."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    return figure, figure.add_subplot()


def stacked(height: float, panels: int, width: float = WIDTH) -> tuple[Figure, list[Axes]]:
    """Like :func:`new`, with several pairs of axes, one below the other, that share one x axis."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06))
    return figure, list(np.atleast_1d(figure.subplots(panels, 1, sharex=True)))


def heading(figure: Figure, text: str) -> None:
    """Put the figure's title at its left edge, so that it has the whole width however wide the row labels are."""
    figure.suptitle(text, x=0.015, ha="left")


def svg(figure: Figure) -> str:
    """The figure as SVG without a date or anything else that differs between two runs of the program."""
    out = io.StringIO()
    FigureCanvasSVG(figure).print_svg(  # type: ignore[no-untyped-call]
        out, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    figure.set_layout_engine("none")  # the layout is settled; the next format need not compute it again
    return out.getvalue()


def png(figure: Figure) -> bytes:
    """The figure as PNG on white, without the name of the program in its metadata."""
    out = io.BytesIO()
    figure.set_facecolor("white")
    figure.dpi = float(matplotlib.rcParams["savefig.dpi"])
    FigureCanvasAgg(figure).print_png(out, metadata={"Software": None})  # type: ignore[no-untyped-call]
    figure.set_facecolor("none")
    figure.dpi = float(matplotlib.rcParams["figure.dpi"])
    return out.getvalue()


def kind_style(kind: str) -> tuple[str, str]:
    """(colour, marker) of a variant.format; grey circles for an unknown one."""
    return KINDS.get(kind, (PALETTE[-1], "o"))


def log_axis(axes: Axes, low: float, high: float) -> None:
    """Set a log x axis over [low, high] with a margin, and enough plain-number labels to read values from it."""
    axes.set_xscale("log")
    margin = (high / low) ** 0.08 if high > low else 1.3
    margin = max(margin, 1.15)
    axes.set_xlim(low / margin, high * margin)
    decades = high * margin / (low / margin)
    subs: tuple[float, ...] = (1.0, 2.0, 5.0) if decades < 200 else (1.0,)
    if decades < 6:
        subs = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=subs, numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def accuracy_axis(axes: Axes, low: float, high: float) -> None:
    """Set a y axis over [low, high] percent with a margin for signs. Accuracy ends at 100 %, so no grid line or number
    lies above it.
    """
    margin = max((high - low) * 0.15, 1.0)
    axes.set_ylim(low - margin, high + margin)
    axes.set_yticks([tick for tick in axes.get_yticks() if low - margin <= tick <= min(high + margin, 100.001)])
    axes.set_ylim(low - margin, high + margin)


def legend_below(figure: Figure, axes: Axes, columns: int = 4) -> None:
    """Put the legend under the axes, never on the data."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower left", ncols=columns, handletextpad=0.3, columnspacing=1.2)


#: Offsets in points at which a sign may stand beside its dot, starting at the upper left.
_BESIDE = ((-8, 6), (8, 6), (-8, -6), (8, -6), (0, 11), (0, -11), (-13, 0), (13, 0))
_ROOM = 12.0


def place_signs(
    axes: Axes,
    spots: Sequence[tuple[float, float]],
    signs: Sequence[str],
    dots: Sequence[tuple[float, float]],
    *,
    taken: Sequence[tuple[float, float]] = (),
) -> list[tuple[float, float]]:
    """Place a sign beside each spot, where no dot and no other sign is near. The axes' limits must be final.

    Args:
        spots, dots: in data coordinates; spots are dots too.
        taken: positions of existing signs, as an earlier call returned them.

    Returns:
        Positions of all signs in points, including ``taken``.
    """
    scale = 72 / axes.figure.dpi
    around = axes.transData.transform(np.array(dots, dtype=float).reshape(-1, 2)) * scale
    standing = list(taken)
    for (x, y), sign in zip(spots, signs, strict=False):
        here = axes.transData.transform((x, y)) * scale
        near = around[np.abs(around - here).sum(axis=1) > 0.1]  # not the dot itself
        others = np.vstack([near, np.array(standing).reshape(-1, 2)])
        room = [min(float(np.hypot(*(others - here - step).T).min(initial=_ROOM)), _ROOM) for step in _BESIDE]
        step = _BESIDE[int(np.argmax(room))]  # the first position with enough room
        standing.append((here[0] + step[0], here[1] + step[1]))
        axes.annotate(
            sign, (x, y), xytext=step, textcoords="offset points", ha="center", va="center", fontsize=8,
            fontweight="bold", color=INK, zorder=5,
        )  # fmt: skip
    return standing
