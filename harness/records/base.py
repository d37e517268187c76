"""What all stored records have in common."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

Text = Annotated[str, StringConstraints(max_length=4096)]
#: A number of things. Tables hold it as a 64-bit float, and every whole number up to here is exact there.
Count = Annotated[int, Field(ge=0, le=1 << 53)]
#: At most an hour for one inference. A larger value comes from a broken clock.
Nanoseconds = Annotated[int, Field(ge=0, le=3_600_000_000_000)]

#: How a split came about, in a short word.
SCHEME = r"^[a-z][a-z0-9-]{0,19}$"


class Record(BaseModel):
    """Base of everything stored: frozen, nothing unknown, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Lean(Record):
    """A record that leaves fields of ``_later`` out of its file where they say nothing: null, or an empty text or list.

    These fields came after the first files; so a file that has no use for them stays as it always was.
    """

    _later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_what_says_nothing(self, serialised: SerializerFunctionWrapHandler) -> dict[str, object]:
        fields: dict[str, object] = serialised(self)
        return {key: value for key, value in fields.items() if key not in self._later or value not in _NOTHING}


_NOTHING: tuple[object, ...] = (None, "", [], (), {})
