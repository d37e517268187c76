"""What Perfetto's importer of JSON traces accepts, by its source, several versions of it at once.

Written after google/perfetto, ``src/trace_processor``: ``importers/json/json_trace_tokenizer.cc``, ``json_utils.cc``,
``json_parser.h``, ``json_trace_parser.cc`` and ``importers/common/slice_tracker.cc``. What one version refuses or
loses is refused here: a trace is opened with whichever version somebody has.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: Slices on top of each other, in older versions.
MAX_DEPTH = 255
_PHASES = {"X", "M"}


class RefusedError(Exception):
    """An importer would refuse the file, drop an event, or read something else than is meant."""


@dataclass(frozen=True)
class Slice:
    """An event as the viewer shows it; ``depth`` counts the slices that it lies in."""

    process: str
    thread: str
    name: str
    start_ns: int
    length_ns: int
    depth: int
    args: dict[str, Any]


class Number(str):
    """A number's text."""


def imported(data: bytes) -> list[Slice]:
    """The slices of a trace, thread by thread.

    Raises:
        RefusedError: some version of the importer would not take it as it is meant.
    """
    text = _text(data)
    document = json.loads(text, parse_float=Number, parse_constant=_no_number)
    events = document["traceEvents"]
    _need(isinstance(events, list), "traceEvents is no array")
    _need(document.get("displayTimeUnit", "ms") in ("ms", "ns"), "displayTimeUnit is neither ms nor ns")
    names: dict[tuple[str, int], str] = {}
    tracks: dict[tuple[int, int], list[tuple[int, int, dict[str, Any]]]] = defaultdict(list)
    for event in events:
        _check_event(event)
        where = (event["pid"], event["tid"])
        if event["ph"] == "M":
            key = (event["name"], where[0] if event["name"] == "process_name" else where[1])
            _need(names.setdefault(key, event["args"]["name"]) == event["args"]["name"], f"two names for {key}")
        else:
            tracks[where].append((_nanoseconds(event["ts"]), _nanoseconds(event["dur"]), event))
    threads = [thread for _, thread in tracks]
    _need(len(set(threads)) == len(threads), "one thread in two processes")
    _need(not {process for process, _ in tracks} & set(threads), "a thread with a process's number")
    return [
        Slice(
            process=names["process_name", process],
            thread=names["thread_name", thread],
            name=event["name"],
            start_ns=start,
            length_ns=length,
            depth=depth,
            args=event["args"],
        )
        for (process, thread), found in tracks.items()
        for (start, length, event), depth in zip(sorted(found, key=lambda each: each[0]), _depths(found), strict=True)
    ]


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise RefusedError(what)


def _no_number(text: str) -> None:
    raise RefusedError(f"{text} is no number")


def _text(data: bytes) -> str:
    """The file's text: its kind is told by the beginning, and strings are scanned before anything is parsed."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(f"not UTF-8: {error}") from error
    _need("".join(text[:200].split()).startswith('{"'), "not taken for a JSON trace")
    for string in _strings(text):
        _need(not any(ord(c) < 32 or ord(c) == 127 for c in string), f"a control character in {string!r}")
        _need("\\u" not in string, f"an escape that some versions show as it is, or refuse: {string!r}")
    return text


def _strings(text: str) -> Iterator[str]:
    """Scan strings as the importer does: a quote after a backslash ends none, whatever the backslash escapes."""
    place = text.find('"')
    while place >= 0:
        end = text.find('"', place + 1)
        while end > 0 and text[end - 1] == "\\":
            end = text.find('"', end + 1)
        _need(end > 0, "a string without an end")
        string = text[place : end + 1]
        try:
            json.loads(string)
        except ValueError as error:
            raise RefusedError(f"not one string: {string!r}") from error
        yield string
        place = text.find('"', end + 1)


def _check_event(event: dict[str, Any]) -> None:
    _need(isinstance(event, dict) and event.get("ph") in _PHASES, f"no phase: {event}")
    _need(not any(isinstance(value, list) for value in event.values()), "an event with an array")
    _need(isinstance(event.get("name"), str) and event["name"] != "", "an event without a name")
    for key in ("pid", "tid"):
        _need(type(event.get(key)) is int and 0 < event[key] < 1 << 32, f"{key} is no number of a process or thread")
    if event["ph"] == "M":
        _need(event["name"] in ("process_name", "thread_name"), f"unknown metadata {event['name']}")
        _need(isinstance(event["args"]["name"], str) and event["args"]["name"] != "", "metadata without a name")
        return
    _need(isinstance(event.get("cat"), str), "an event without a category")
    for key in ("ts", "dur"):
        _need(isinstance(event.get(key), Number | int), f"{key} is no number")
        _need(_nanoseconds(event[key]) >= 0, f"{key} is below zero")
    for value in event.get("args", {}).values():
        _need(isinstance(value, str | int), f"an argument that is neither text nor a whole number: {value!r}")


def _nanoseconds(microseconds: Number | int) -> int:
    """A time in whole nanoseconds; four ways to get there must agree."""
    if not isinstance(microseconds, Number):
        return microseconds * 1000
    parts = _by_parts(microseconds) * 1000.0
    ways = {int(float(microseconds) * 1000.0), _by_digits(microseconds), int(parts), round(parts)}
    _need(len(ways) == 1, f"{microseconds} microseconds are {sorted(ways)} nanoseconds by different versions")
    (found,) = ways
    _need(abs(found - float(microseconds) * 1000) < 0.5, f"{microseconds} is cut to {found}")
    return found


def _by_digits(text: str) -> int:
    """The digits are moved by three places and cut."""
    digits, _, exponent = text.lower().partition("e")
    whole, _, fraction = digits.partition(".")
    size = max(1, len(whole) + int(exponent or 0) + 3)
    return int((whole + fraction)[:size].ljust(size, "0"))


def _by_parts(text: str) -> float:
    """Both sides of the point are read as whole numbers; the fraction is divided and added."""
    digits, _, exponent = text.lower().partition("e")
    whole, _, fraction = digits.partition(".")
    _need(int(fraction or 0) < 1 << 63 and len(fraction) < 20, f"{text} has more digits than a 64-bit number")
    value = float(int(whole)) + (float(int(fraction)) / float(10 ** len(fraction)) if fraction else 0.0)
    return value * math.pow(10, int(exponent or 0))


def _depths(slices: list[tuple[int, int, dict[str, Any]]]) -> Iterator[int]:
    """How deep each slice of a thread lies, in the order of their starts; they nest or follow each other."""
    stack: list[tuple[int, int]] = []
    for start, length, event in sorted(slices, key=lambda each: each[0]):
        while stack:
            begun, lasts = stack[-1]
            end = begun + lasts
            if end < start or (end == start and (lasts or length)):
                stack.pop()
                continue
            _need(
                start >= end or start + length <= end, f"{event['name']} begins in a slice and ends after it: dropped"
            )
            break
        _need(len(stack) < MAX_DEPTH, f"{event['name']} is the {len(stack) + 1}th on top of each other: dropped")
        yield len(stack)
        stack.append((start, length))
