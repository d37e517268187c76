"""Errors of a device list: its overall shape, and pydantic's error messages in plain words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args

from pydantic import AfterValidator, BaseModel, ValidationError

from harness.config.thresholds import Thresholds
from harness.core.errors import ConfigError
from harness.core.named import nearest
from harness.core.scalars import NotMeantError, shown
from harness.core.yamlfile import Location, line_of

_EXAMPLE = "- {name: pi4, board: raspberry-pi-4, host: pi4.local}"
_TOP = ("defaults", "devices")


def check_shape(value: object, lines: Mapping[Location, int], file: str) -> dict[str, Any]:
    """The document, if it has a list of devices with keys. An empty ``defaults:`` counts as absent.

    Raises:
        ConfigError: the document has another shape.
    """
    example = f"devices:, and below it a line such as {_EXAMPLE}"
    if value is None:
        raise ConfigError("is empty, needs a 'devices:' list at its top", file=file, line=1, fix=example)
    if not isinstance(value, dict):
        fix = "write 'devices:' above the list" if isinstance(value, list) else example
        raise ConfigError("needs a 'devices:' list at its top", file=file, line=line_of(lines, ()), fix=fix)
    unknown = next((key for key in value if key not in _TOP), None)
    if unknown is not None:
        line = line_of(lines, (unknown,))
        raise ConfigError(f"unknown key '{shown(unknown)}'{nearest(unknown, _TOP)}", file=file, line=line)
    if "devices" not in value:
        raise ConfigError("key 'devices' is missing", file=file, line=line_of(lines, ()), fix=example)
    devices, defaults, line = value["devices"], value.get("defaults"), line_of(lines, ("devices",))
    if not isinstance(devices, list):
        has = "has nothing behind it" if devices is None else "has no list behind it"
        text = f"'devices:' {has}; it needs a list of devices, each a line starting with '-'"
        raise ConfigError(text, file=file, line=line, fix=_EXAMPLE)
    if not devices:
        raise ConfigError(
            "'devices:' is an empty list, it needs at least one device", file=file, line=line, fix=_EXAMPLE
        )
    for index, device in enumerate(devices):
        if not isinstance(device, dict):
            content = "has nothing behind its '-'" if device is None else f"is '{_flat(device)}'"
            text = f"device number {index + 1} {content}; a device has keys"
            raise ConfigError(text, file=file, line=line_of(lines, ("devices", index)), fix=_EXAMPLE)
    if defaults is None:
        return {"devices": devices}
    if not isinstance(defaults, dict):
        line = line_of(lines, ("defaults",))
        raise ConfigError("'defaults:' needs keys of its own", file=file, line=line, fix="defaults: {user: bench}")
    return value


def explain(
    error: ValidationError,
    value: Mapping[str, Any],
    lines: Mapping[Location, int],
    file: str,
    models: Mapping[str, type[BaseModel]],
) -> ConfigError:
    """Turn pydantic's first error into one line that a person can act on."""
    first = next((e for e in error.errors() if e["type"] == "extra_forbidden"), error.errors()[0])
    at: Location = tuple(
        part for part in first["loc"] if not str(part).startswith(("literal[", "constrained-", "function-", "nullable"))
    )
    line, where = line_of(lines, _written_at(at, lines)), _where(at, value)
    key = next((part for part in reversed(at) if isinstance(part, str)), "?")
    given = first["input"]
    if first["type"] == "extra_forbidden":
        model = Thresholds if "thresholds" in at[:-1] else models[str(at[0])]
        text = f"unknown key '{shown(key)}'{where}{nearest(key, model.model_fields)}"
        fix = "does it belong to the value before it? then put that in quotes" if given is None else None
        return ConfigError(text, file=file, line=line, fix=fix)
    if first["type"] == "missing":
        return ConfigError(f"key '{key}' is missing{where}", file=file, line=line)
    if first["type"] == "literal_error":
        choices = get_args(_literal(models[str(at[0])], key))
        return ConfigError(f"'{shown(given)}' is no {key}{nearest(str(given), choices)}", file=file, line=line)
    cause = first.get("ctx", {}).get("error")
    if first["type"] == "value_error" and not isinstance(cause, NotMeantError):
        return ConfigError(str(cause), file=file, line=line)
    problem = cause.text if isinstance(cause, NotMeantError) else _limit(first)
    fix = cause.fix if isinstance(cause, NotMeantError) else None
    written = key if given is None else f"{key}: {_flat(given)}"
    return ConfigError(f"'{written}'{where}: {problem}", file=file, line=line, fix=fix)


def _flat(given: object) -> str:
    """A value as it may have been written, on one line."""
    if isinstance(given, (list, tuple)):
        return shown(f"[{', '.join(map(_flat, given))}]")
    if isinstance(given, dict):
        return shown(f"{{{', '.join(f'{key}: {_flat(child)}' for key, child in given.items())}}}")
    return shown(given)


def _limit(error: Mapping[str, Any]) -> str:
    """The bound of a field's type that was exceeded, for values that pydantic itself refused."""
    if str(error["type"]).startswith("model"):
        return "has nothing behind it" if error["input"] is None else "needs keys of its own"
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    bounds = [f"must be {word} {error['ctx'][name]:g}" for name, word in words.items() if name in error.get("ctx", {})]
    return bounds[0] if bounds else "can't be that"


def _literal(model: type[BaseModel], key: str) -> Any:
    """The Literal inside a field's type, at any depth."""
    todo = [model.model_fields[key].annotation]
    while todo:
        kind = todo.pop()
        inside = get_args(kind)
        if inside and all(isinstance(choice, str) for choice in inside):
            return kind
        todo += inside
    raise AssertionError(key)


def _written_at(at: Location, lines: Mapping[Location, int]) -> Location:
    """The location where a device's value was written: under ``defaults`` if it was taken from there."""
    if at[:1] == ("devices",) and at not in lines and at[:3] not in lines and ("defaults", *at[2:3]) in lines:
        return ("defaults", *at[2:])
    return at


def _where(at: Location, value: Mapping[str, Any]) -> str:
    if len(at) > 1 and at[0] == "devices" and isinstance(at[1], int):
        name = None if at[2:3] == ("name",) else value["devices"][at[1]].get("name")
        return f" for device '{shown(name)}'" if isinstance(name, str) else f" for device number {at[1] + 1}"
    return " in defaults" if at[:1] == ("defaults",) and len(at) > 1 else ""


def one_of(key: str, names: Collection[str]) -> AfterValidator:
    """A validator that accepts registered names only."""

    def known(name: str) -> str:
        if name not in names:
            raise ValueError(f"'{shown(name)}' is no {key}{nearest(name, names)}")
        return name

    return AfterValidator(known)
