"""What a runner is told to read for the evidence of a cell: what the boards' records name."""

from __future__ import annotations

from harness.boards.family import Readings
from harness.boards.registry import READINGS
from harness.records.order import Sources


def sources(readings: Readings) -> Sources:
    """The part of an order that says what tells the state of a board."""
    return Sources(
        files=readings.files,
        entries=readings.entries,
        commands=readings.commands,
        repeated=readings.repeated,
        sensor_folders=readings.sensor_folders,
        sensor_files=readings.sensor_files,
        sensor_channels=readings.sensor_channels,
    )


#: Every board is asked everything: a kernel or firmware answers only what it knows.
SOURCES = sources(READINGS)
