"""Figures by measure: whether anything is cut or lies on top of something else."""

from __future__ import annotations

from itertools import pairwise

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from harness.report.figures.canvas import Drawing

SLACK = 1.5  # pixels


def texts(figure: Figure) -> list[Text]:
    """Texts that are drawn: matplotlib keeps labels of ticks beyond the limits, too, and does not draw them."""
    ticks: set[int] = set()
    drawn: set[int] = set()
    for axes in figure.axes:
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            for tick in (*axis.majorTicks, *axis.minorTicks):
                ticks |= {id(tick.label1), id(tick.label2)}
                if min(limits) <= tick.get_loc() <= max(limits):
                    drawn.add(id(tick.label1))
    found = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    return [t for t in found if id(t) not in ticks or id(t) in drawn]


def check(drawing: Drawing) -> None:
    """Nothing sticks out of the figure, and neighbouring tick labels leave each other room."""
    figure = drawing.figure
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()  # lays everything out; pixels are not looked at
    width, height = figure.bbox.width, figure.bbox.height
    shown = {id(text): text for text in texts(figure)}
    for text in shown.values():
        box = text.get_window_extent(renderer)
        inside = box.x0 >= -SLACK and box.y0 >= -SLACK and box.x1 <= width + SLACK and box.y1 <= height + SLACK
        assert inside, f"{drawing.name}: '{text.get_text()}' is cut: {box} in {width} x {height}"
    for axes in figure.axes:
        assert axes.get_xlabel() or axes is not figure.axes[-1], drawing.name
        for axis, low, high in ((axes.xaxis, "x0", "x1"), (axes.yaxis, "y0", "y1")):
            labels = [t for t in axis.get_ticklabels() if id(t) in shown and not t.get_rotation()]
            boxes = sorted((t.get_window_extent(renderer) for t in labels), key=lambda b: getattr(b, low))
            for a, b in pairwise(boxes):
                assert getattr(a, high) <= getattr(b, low) + SLACK, f"{drawing.name}: tick labels overlap"
    assert drawing.alt.endswith(".")
    assert len(drawing.title) > 3
