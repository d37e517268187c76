"""Figures as pictures inside the page: small, without a request, in the colours of the reader's theme."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

from markupsafe import Markup

from harness.core.safetext import clean
from harness.report.figures.canvas import GRID, INK, MUTED, Caption

_ROOT = (
    ":root{--ink:#1f2328;--muted:#59636e;--grid:#d0d7de}"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--muted:#9da7b1;--grid:#30363d}}"
)
_DECIMALS = re.compile(r"(\.\d\d)\d+")


_USE = re.compile(r'<use xlink:href="#([^"]+)"(?: transform="translate\(([-\d.]+) ([-\d.]+)\)")?/>')
_GLYPH = re.compile(r'<path id="(DejaVuSans[^"]*)"')
#: The most bytes of pictures on one page; later pictures are written as files alone.
MOST_PICTURES = 3_200_000


def picture(drawing: Caption, svg: str) -> Markup:
    """An ``<img>`` that holds the SVG itself: no request, no script (images can't run any), its own dark colours.

    It is an image rather than inline markup, because thousands of glyphs would become thousands of page elements.
    """
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg[svg.index("<svg ") :], flags=re.DOTALL)
    for colour, variable in ((INK, "--ink"), (MUTED, "--muted"), (GRID, "--grid")):
        body = body.replace(f": {colour}", f": var({variable})")
    body = re.sub(r' d="[^"]*"', lambda found: _DECIMALS.sub(r"\1", found[0]), body)
    body = _short_glyphs(body)
    body = re.sub(r"\s*\n\s*", "\n", body).replace("<defs>", f"<style>{_ROOT}</style>\n<defs>", 1)
    size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', body)
    width, height = (round(float(v)) for v in size.groups()) if size else (0, 0)
    data = base64.b64encode(body.encode()).decode()
    return Markup('<img alt="{}" width="{}" height="{}" src="data:image/svg+xml;base64,{}">').format(
        clean(drawing.alt, 5_000), width, height, data
    )


def _short_glyphs(body: str) -> str:
    """The same picture with short glyph names and whole units inside glyphs, since glyphs are most of a figure's bytes.

    A glyph's unit is less than a tenth of a point at the sizes used.
    """
    names = {glyph: f"g{number}" for number, glyph in enumerate(dict.fromkeys(_GLYPH.findall(body)))}

    def use(found: re.Match[str]) -> str:
        if found[1] not in names:
            return found[0]
        places = "".join(
            f' {axis}="{float(v):.0f}"' for axis, v in (("x", found[2]), ("y", found[3])) if v and float(v)
        )
        return f'<use href="#{names[found[1]]}"{places}/>'

    body = _GLYPH.sub(lambda found: f'<path id="{names[found[1]]}"', body)
    body = re.sub(r'<g id="(?:text|line2d|xtick|ytick|matplotlib\.axis|patch)_\d+">', "<g>", _USE.sub(use, body))
    body = re.sub(r" ?\n(?=[MLQCz])|(?<=/>)\s+(?=<use )", "", body)
    while (smaller := re.sub(r"<g>\s*</g>", "", body)) != body:
        body = smaller
    return body


def pictures(figures: Sequence[tuple[Caption, str]]) -> dict[str, list[tuple[Caption, Markup]]]:
    """Each plot's pictures; the first of every plot comes before the second of any, until the page is full."""
    by_plot: dict[str, list[tuple[Caption, str]]] = {}
    for drawing, svg in figures:
        by_plot.setdefault(drawing.plot, []).append((drawing, svg))
    made: dict[str, list[tuple[Caption, Markup]]] = {plot: [] for plot in by_plot}
    total = 0
    for rank in range(max(map(len, by_plot.values()), default=0)):
        for plot, drawn in by_plot.items():
            if rank >= len(drawn):
                continue
            drawing, svg = drawn[rank]
            image = picture(drawing, svg)
            if total + len(image) > MOST_PICTURES:
                image = Markup("<p>Not on this page, which would be too big: <code>figures/{}.svg</code></p>").format(
                    drawing.name
                )
            total += len(image)
            made[plot].append((drawing, image))
    return made
