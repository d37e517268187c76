"""The order of the rooms of ``harness/``, which imports and the architecture page are held against."""

from __future__ import annotations

#: The house, from the ground up. A room is a folder of the package; it may use what is on lower floors and nothing
#: beside it.
FLOORS = (
    ("core",),
    ("records", "boards", "runtimes", "data", "cluster"),
    ("tasks",),
    ("config", "emulate", "estimate", "modelfile", "results", "training"),
    ("remote", "report", "reproduce"),
    ("run", "doctor"),
    ("cli",),
    ("__main__",),
)
