"""Counts and draws the rooms of ``harness/`` and the imports between them, from the present code.

    python tools/house.py                 # the table of rooms and arrows
    python tools/house.py --draw FILE     # the picture in docs/architecture.md
    python tools/house.py --root DIR      # of another checkout

A room is a folder of the package, or a module directly in the package. An arrow goes from a room to one that it imports
from, wherever in a module the import is.
"""

from __future__ import annotations

import argparse
import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
Arrow = tuple[str, str]
#: modules that start the program and belong to no room
_ENTRIES = {"__init__", "__main__"}


@dataclass
class House:
    """``lines``: lines of code by room; ``arrows``: how many modules of the first room import from the second."""

    lines: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    arrows: dict[Arrow, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def rooms(self) -> list[str]:
        return sorted(self.lines)


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all imports of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def read(root: Path) -> House:
    """Read the house of the checkout at ``root``."""
    house = House()
    package = root / "harness"
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        if room in _ENTRIES:
            continue
        text = path.read_text(encoding="utf-8")
        house.lines[room] += text.count("\n")
        targets = {name.split(".")[1] for name in imported(ast.parse(text)) if name.startswith("harness.")}
        for target in targets - {room}:
            house.arrows[room, target] += 1
    # `from harness import __version__` makes no arrow
    house.arrows = {arrow: count for arrow, count in house.arrows.items() if arrow[1] in house.lines}
    return house


def floors(house: House) -> dict[str, int]:
    """The floor of each room: one above the highest that it imports from; 0 at the bottom.

    Raises:
        ValueError: rooms import each other in a circle.
    """
    below: Mapping[str, Set[str]] = {room: {b for a, b in house.arrows if a == room} for room in house.lines}
    found: dict[str, int] = {}
    while len(found) < len(below):
        ready = [room for room in below if room not in found and below[room] <= found.keys()]
        if not ready:
            raise ValueError(f"a circle of imports among {', '.join(sorted(below.keys() - found.keys()))}")
        found |= {room: 1 + max((found[other] for other in below[room]), default=-1) for room in ready}
    return found


def table(house: House) -> str:
    """The rooms from the top floor down, with the rooms that each one imports."""
    height = floors(house)
    rows = [f"{len(house.lines)} rooms, {len(house.arrows)} arrows, {max(height.values()) + 1} floors"]
    for room in sorted(house.lines, key=lambda room: (-height[room], room)):
        targets = sorted(other for one, other in house.arrows if one == room)
        rows.append(f"{height[room]:2}  {room:14} {house.lines[room]:6,} lines  -> {', '.join(targets) or 'nothing'}")
    return "\n".join(rows)


def draw(house: House, out: Path) -> None:
    """Draw the house as an SVG picture. It has no numbers, so it changes only with rooms and arrows."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    height = floors(house)
    by_floor: dict[int, list[str]] = defaultdict(list)
    for room in house.rooms:
        by_floor[height[room]].append(room)
    places = {
        room: ((index + 0.5) / len(rooms) + (0.06 if floor % 2 else -0.06) * (len(rooms) == 1), floor)
        for floor, rooms in by_floor.items()
        for index, room in enumerate(rooms)
    }
    with mpl.rc_context({"svg.hashsalt": "house", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(9, 1.15 * len(by_floor) + 0.4))
        for one, other in sorted(house.arrows):
            style = {"arrowstyle": "-|>", "shrinkA": 16, "shrinkB": 16, "connectionstyle": "arc3,rad=0.06"}
            style |= {"color": "#5b7aa5", "alpha": 0.55, "linewidth": 0.9}
            axes.annotate("", xy=places[other], xytext=places[one], arrowprops=style)
        for room, (x, y) in places.items():
            axes.text(
                x, y, room, ha="center", va="center", zorder=3,
                bbox={"boxstyle": "round,pad=0.6", "facecolor": "white", "edgecolor": "#33475b"},
            )  # fmt: skip
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.5, len(by_floor) - 0.5))
        axes.axis("off")
        figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
        plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to look at")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="write the picture there")
    options = parser.parse_args()
    house = read(options.root)
    print(table(house))
    if options.draw is not None:
        draw(house, options.draw)


if __name__ == "__main__":
    main()
