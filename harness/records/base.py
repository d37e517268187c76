"""What all stored records have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(max_length=4096)]
#: A number of things. Tables hold it as a 64-bit float, and every whole number up to here is exact there.
Count = Annotated[int, Field(ge=0, le=1 << 53)]


class Record(BaseModel):
    """Base of everything stored: frozen, nothing unknown, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
