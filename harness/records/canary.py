"""What a board's canary measured."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.records.base import Nanoseconds, Record


class Canary(Record):
    """How long two fixed loops of the runner's own took, in the board's nanoseconds: one that computes and one that
    goes through memory. They tell how fast the machine itself was.

    ``form`` is that of the loops and of the way to look: times of different forms are not comparable.
    """

    compute: Annotated[Nanoseconds, Field(ge=1)]
    memory: Annotated[Nanoseconds, Field(ge=1)]
    form: Annotated[int, Field(ge=1, le=1000)] = 1
