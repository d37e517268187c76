"""docs/architecture.md describes the code as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.repository.test_imports import FLOORS
from tools import house

PAGE = (REPOSITORY / "docs/architecture.md").read_text()
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS, start=1) for room in rooms}


def test_the_page_lists_every_room_on_its_floor() -> None:
    listed = {room: floor for floor, room in re.findall(r"^\| (\d+|-) \| `(\w+)/` \|", PAGE, re.M)}
    rooms = {path.name for path in (REPOSITORY / "harness").iterdir() if (path / "__init__.py").exists()}
    assert listed.keys() == rooms
    assert {room: int(floor) for room, floor in listed.items() if floor != "-"} == {
        room: FLOOR_OF[room] for room in rooms - {"ondevice"}
    }


def test_every_file_named_there_is_there() -> None:
    for name in re.findall(r"`((?:\w+/)+\w+\.py)`", PAGE):
        if not name.endswith("/x.py"):
            assert (REPOSITORY / "harness" / name).exists() or (REPOSITORY / name).exists(), name


def test_the_picture_is_of_this_code(tmp_path: Path) -> None:
    house.draw(house.read(REPOSITORY), tmp_path / "drawn.svg")
    fresh, shown = (path.read_text() for path in (tmp_path / "drawn.svg", REPOSITORY / "docs/architecture.svg"))
    assert fresh == shown, "draw it anew: python tools/house.py --draw docs/architecture.svg"


def test_a_circle_of_rooms_is_named() -> None:
    round_house = house.House(lines={"a": 1, "b": 1}, arrows={("a", "b"): 1, ("b", "a"): 1})
    with pytest.raises(ValueError, match="a, b"):
        house.floors(round_house)
