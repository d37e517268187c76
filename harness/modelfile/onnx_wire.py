"""A look at an ONNX file's protobuf before it is parsed: is it whole, and how much memory would it take?

Protobuf builds an object for every two bytes of a hostile file, so 30 MB can become gigabytes. Here fields are only
counted, by the descriptors of the ``onnx`` package.
"""

from __future__ import annotations

from typing import Any

#: Fields of a file; a network of 20,000 nodes has some hundred thousand.
MAX_FIELDS = 1_500_000
#: Messages among them: a node, an attribute, a tensor, a dimension of a shape...
MAX_MESSAGES = 500_000
#: Bytes of packed integers, each of which can become 8. Weights are in other fields.
MAX_PACKED = 16 << 20
#: Bytes of a tensor's list of dimensions.
_MAX_DIMS = 1000
_MAX_DEPTH = 60
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_INTEGERS = frozenset((3, 4, 5, 8, 13, 14, 17, 18))  # FieldDescriptor.TYPE_* of varints
_TEXT, _MESSAGE = 9, 11


class WireError(Exception):
    """The bytes are no message of this kind, or one that is too large; the text is the reason."""


def check(data: bytes, descriptor: Any) -> None:
    """Walk through all fields of a message.

    Raises:
        WireError: it ends in the middle of a field, holds what no such message holds, or would take too much memory.
    """
    fields = messages = packed = 0
    parts = [(0, len(data), descriptor.fields_by_number, 0)]
    while parts:
        at, end, known, depth = parts.pop()
        if depth > _MAX_DEPTH:
            raise WireError(f"it is nested over {_MAX_DEPTH} deep")
        while at < end:
            fields += 1
            if fields > MAX_FIELDS:
                raise WireError(f"it has over {MAX_FIELDS:,} fields, more than any real model")
            tag, at = _number(data, at, end)
            field, kind = known.get(tag >> 3), tag & 7
            if not tag >> 3:
                raise WireError(f"byte {at - 1} begins no field")
            if kind == _VARINT:
                _, at = _number(data, at, end)
                continue
            size, start = _number(data, at, end) if kind == _BYTES else (_width(kind, at), at)
            at = start + size
            if at > end:
                raise WireError(f"the field at byte {start} goes on for {size} bytes, {at - end} more than there are")
            if kind == _BYTES and field is not None:
                if field.type == _MESSAGE:
                    messages += 1
                    if messages > MAX_MESSAGES:
                        raise WireError(f"it has over {MAX_MESSAGES:,} parts, more than any real model")
                    parts.append((start, at, field.message_type.fields_by_number, depth + 1))
                elif field.type == _TEXT:
                    _check_text(data, start, at)
                elif field.type in _INTEGERS:
                    packed += size
                    if packed > MAX_PACKED or (field.name == "dims" and size > _MAX_DIMS):
                        raise WireError(f"the list of integers at byte {start} is too long")


def _check_text(data: bytes, start: int, end: int) -> None:
    # the library would give bytes where a text is expected
    try:
        data[start:end].decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError(f"the text at byte {start} is not UTF-8") from error


def _width(kind: int, at: int) -> int:
    if kind == _FIXED64:
        return 8
    if kind == _FIXED32:
        return 4
    raise WireError(f"byte {at - 1} begins no field")


def _number(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A variable-length integer, and where it ends."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise WireError("it is cut off" if at >= end else f"byte {at - 1} is part of no number")
