"""YAML with line numbers, limited to what the files need that users write for the harness.

Every scalar stays the text that was written, and its key decides what the text means (:mod:`harness.core.scalars`).
The reason: YAML 1.1 reads ``02222`` as 1170, ``22:22`` as 1342, ``no`` as false and ``2024-01-01`` as a date, and YAML
1.2 does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from harness.core.errors import ConfigError

#: A path into the document, as pydantic writes it: ("devices", 0, "name").
Location = tuple[str | int, ...]

#: Larger files are not configuration; refusing them bounds time and memory.
MAX_BYTES = 1 << 20
#: A device list needs five levels, and nothing needs more.
MAX_DEPTH = 32

#: Plain scalars that stand for null.
_NOTHING = ("", "~", "null", "Null", "NULL")

#: Parts of PyYAML's messages, each with advice for the user.
_HINTS = (
    (r"'\t'", "a tab is there; YAML is indented with spaces"),
    (
        "mapping values are not allowed",
        "a value that holds ': ' needs quotes; a device's keys begin in one column",
    ),
    ("cannot start any token", "a value that begins with such a character needs quotes"),
    ("expected alphabetic or numeric character", "a value that begins with such a character needs quotes"),
    ("could not find expected ':'", "write 'key: value', with a space after the colon"),
    ("sequence entries are not allowed", "a value that begins with '- ' needs quotes"),
    ("expected <block end>, but found ':'", "a value that begins with a bracket needs quotes: '[::1]:22'"),
    ("found ':'", "a value that begins with ':' or a bracket needs quotes"),
    ("expected ',' or", "close each bracket; a value that holds brackets, '{', '}' or ',' needs quotes"),
    ("expected the node content", "close each bracket"),
    ("found unexpected end of stream", "a quote is not closed"),
    ("double-quoted scalar", "write a backslash twice in double quotes, or use single ones"),
    ("expected <block end>", "keys of one device begin in the same column, and each device with '-'"),
)

#: A common value that is not valid YAML: ``[::1]:22``.
_ADDRESS_AND_PORT = re.compile(r"\bhost: *\[([0-9A-Fa-f:.]+(?:%\w+)?)\]:([0-9]+)")


def load(text: str, file: str, kind: str = "device list") -> tuple[object, dict[Location, int]]:
    """Parse YAML into lists, dictionaries, texts and None; also return the 1-based line of every location.

    Args:
        kind: what the file should be, for messages.

    Raises:
        ConfigError: bad syntax, a duplicate key, an alias (aliases can expand to gigabytes), a tag, a second document,
            or a key that is not text.
    """
    if len(text) > MAX_BYTES:
        raise ConfigError(f"is over {MAX_BYTES >> 20} MiB", file=file, fix=f"this is no {kind}")
    try:
        loader = _Loader(text)
        loader.file = file
        root = loader.get_single_node()
        if root is None:
            return None, {}
        reader = _Reader(file, kind)
        return reader.value(root, ()), reader.lines
    except yaml.MarkedYAMLError as error:
        raise _explained(error, text, file) from error
    except yaml.reader.ReaderError as error:
        where = text[: error.position].count("\n") + 1
        raise ConfigError(
            f"character U+{ord(text[error.position]):04X} can't stand in YAML",
            file=file,
            line=where,
            fix="is it a text file?",
        ) from error
    except RecursionError as error:
        raise ConfigError("is nested too deeply", file=file, fix=f"this is no {kind}") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ConfigError(f"not YAML: {error}", file=file) from error


def _explained(error: yaml.MarkedYAMLError, text: str, file: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else None
    what = " ".join(part for part in (error.context, error.problem) if part)
    if "single document" in what:
        return ConfigError(
            "a second document begins here", file=file, line=line, fix="one list a file: remove the line '---'"
        )
    fix = next((hint for words, hint in _HINTS if words in what), None)
    if mark and (address := _ADDRESS_AND_PORT.search(text.splitlines()[mark.line] if text[mark.index :] else "")):
        fix = f"write host: '{address[1]}', port: {address[2]}"
    return ConfigError(f"not YAML: {what}", file=file, line=line, fix=fix)


class _Loader(yaml.SafeLoader):
    """Composes nodes, and refuses aliases and tags, which a device list does not need."""

    file = ""

    def check_value(self) -> bool:
        """Accept ``{host: ::1}``: as in YAML 1.2, a value may begin with a colon that no space follows."""
        return not (self.flow_level and self.peek(1) == ":") and bool(super().check_value())

    def check_plain(self) -> bool:
        return bool(self.flow_level and self.prefix(2) == "::") or bool(super().check_plain())

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1 if event.start_mark is not None else None
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(
                f"alias '*{event.anchor}' is not supported",
                file=self.file,
                line=line,
                fix="write the value out, or use 'defaults:'",
            )
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in ("!", "tag:yaml.org,2002:str"):
            shown = str(tag).replace("tag:yaml.org,2002:", "!!")
            raise ConfigError(
                f"'{shown}' is not supported", file=self.file, line=line, fix="leave it out, or put the value in quotes"
            )
        return super().compose_node(parent, index)


@dataclass
class _Reader:
    """Turns nodes into plain values, and records the line of each."""

    file: str
    kind: str
    lines: dict[Location, int] = field(default_factory=dict)

    def value(self, node: yaml.Node, at: Location) -> object:
        self.lines.setdefault(at, node.start_mark.line + 1)
        if len(at) > MAX_DEPTH:
            raise ConfigError(
                "is nested too deeply", file=self.file, line=node.start_mark.line + 1, fix=f"this is no {self.kind}"
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*at, index)) for index, child in enumerate(node.value)]
        text = self._text(node)
        return None if getattr(node, "style", None) is None and text in _NOTHING else text

    def _text(self, node: yaml.Node) -> str:
        """A scalar's text. Two escapes that JSON writes for one character (U+D83D, U+DE00) become that character."""
        try:
            return str(node.value).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError as error:
            raise ConfigError(
                "an escape stands for half a character", file=self.file, line=node.start_mark.line + 1
            ) from error

    def _mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, object]:
        values: dict[str, object] = {}
        for key, child in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError("a key must be plain text", file=self.file, line=line)
            name = self._text(key)
            if name in values:
                first = self.lines[(*at, name)]
                raise ConfigError(f"key '{name}' is here twice (first in line {first})", file=self.file, line=line)
            self.lines[(*at, name)] = line
            values[name] = self.value(child, (*at, name))
        return values


def line_of(lines: Mapping[Location, int], at: Location) -> int | None:
    """The line of a location, or of the nearest location that contains it."""
    for end in range(len(at), -1, -1):
        if at[:end] in lines:
            return lines[at[:end]]
    return None
