"""YAML with line numbers: safe loading, duplicate keys refused, and the line of every key and value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from harness.errors import ConfigError

#: A path into the document, as pydantic writes it: ("devices", 0, "name").
Location = tuple[str | int, ...]

#: Larger files are not configuration; refusing them bounds time and memory (aliases can't multiply: see below).
MAX_BYTES = 1 << 20


def load(text: str, file: str) -> tuple[Any, dict[Location, int]]:
    """Parse YAML; returns the plain value and the 1-based line of every location.

    Raises:
        ConfigError: bad syntax, a duplicate key, an alias (they can be used to blow a file up), a key that isn't text.
    """
    if len(text) > MAX_BYTES:
        raise ConfigError(f"is over {MAX_BYTES >> 20} MiB", file=file, fix="this is no device list")
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) and event.start_mark is not None:
                raise ConfigError(
                    f"alias '*{event.anchor}' is not supported",
                    file=file,
                    line=event.start_mark.line + 1,
                    fix="write the value out, or use 'defaults:'",
                )
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(f"not YAML: {what}", file=file, line=mark.line + 1 if mark else None) from error
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise ConfigError(f"not YAML: {error}", file=file) from error
    lines: dict[Location, int] = {}
    if root is not None:
        lines.update(_lines(root, (), file))
    return value, lines


def _lines(node: yaml.Node, at: Location, file: str) -> Iterator[tuple[Location, int]]:
    yield at, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, child in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError("a key must be plain text", file=file, line=line)
            if key.value in seen:
                raise ConfigError(
                    f"key '{key.value}' is here twice (first in line {seen[key.value]})", file=file, line=line
                )
            seen[key.value] = line
            yield from _lines(child, (*at, key.value), file)
            yield (*at, key.value), line
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield from _lines(child, (*at, index), file)


def line_of(lines: Mapping[Location, int], at: Location) -> int | None:
    """The line of a location, or of the nearest thing around it."""
    for end in range(len(at), -1, -1):
        if at[:end] in lines:
            return lines[at[:end]]
    return None
