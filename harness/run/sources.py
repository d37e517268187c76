"""The files and commands that a runner reads for the evidence of a cell, as the boards' records name them."""

from __future__ import annotations

from harness.boards.family import Readings
from harness.boards.registry import READINGS
from harness.records.order import Sources


def sources(readings: Readings) -> Sources:
    """The part of an order that lists the sources of a board's state."""
    return Sources(
        files=readings.files,
        entries=readings.entries,
        commands=readings.commands,
        repeated=readings.repeated,
        sensor_folders=readings.sensor_folders,
        sensor_files=readings.sensor_files,
        sensor_channels=readings.sensor_channels,
    )


#: Every board is asked for everything: a kernel or firmware answers only what it knows.
SOURCES = sources(READINGS)
