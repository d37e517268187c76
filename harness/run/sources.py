"""What a runner is told to read for the evidence of a cell, made of what the boards' records name."""

from __future__ import annotations

from harness.boards.family import Readings
from harness.boards.registry import READINGS
from harness.records.order import Sensors, Sources


def sources(readings: Readings) -> Sources:
    """The part of an order that says what tells the state of a board."""
    return Sources(
        files=readings.files,
        entries=readings.entries,
        commands=readings.commands,
        repeated=readings.repeated,
        sensors=Sensors(
            folders=readings.sensor_folders,
            names=f"({'|'.join(readings.sensor_files)})$",
            channels=f"{readings.sensor_channels}$",
        ),
    )


#: Every board is asked everything: a kernel or firmware answers only what it knows.
SOURCES = sources(READINGS)
