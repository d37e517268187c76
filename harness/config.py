"""devices.yaml: which boards there are, how to reach them, and what to run on them.

Every error names the file, the line, the thing and, for a misspelt word, the nearest right one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from harness.boards import FAMILIES, BoardFamily
from harness.errors import ConfigError
from harness.thresholds import DEFAULTS as DEFAULT_THRESHOLDS
from harness.thresholds import Thresholds
from harness.yamlfile import Location, line_of
from harness.yamlfile import load as load_yaml

RuntimeName = Literal["litert", "tflite", "onnxruntime"]
DelegateName = Literal["cpu", "edgetpu", "cuda", "tensorrt"]
ClockName = Literal["wall", "instructions"]

_NAME = re.compile(r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$", re.IGNORECASE)
_SECRETS = ("password", "passwd", "passphrase", "secret", "token")


def _as_list(value: object) -> object:
    """Let ``threads: 1`` mean ``threads: [1]``."""
    return [value] if isinstance(value, (int, str)) else value


def _as_folder(value: str) -> str:
    """A folder on a board: absolute or in the home folder there, and the harness's own, not the file system's top."""
    parts = value.rstrip("/").split("/")
    if parts[0] not in ("", "~") or len(parts) < 2 or ".." in parts or not value.isprintable() or len(value) > 500:
        raise ValueError(f"'dir: {value}' is no folder for the harness: give '/path/to/folder' or '~/folder'")
    return value.rstrip("/")


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Common(_Settings):
    """Keys that may stand under ``defaults`` and under a device."""

    user: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    identity_file: Path | None = None
    known_hosts: Path | None = None
    dir: Annotated[str, AfterValidator(_as_folder)] | None = None
    proxy_jump: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\s-][^\s]*$")] | None = None
    runtimes: Annotated[Annotated[tuple[RuntimeName, ...], Field(min_length=1)] | None, BeforeValidator(_as_list)] = (
        None
    )
    delegates: Annotated[tuple[DelegateName, ...], BeforeValidator(_as_list), Field(min_length=1)] = ("cpu",)
    threads: Annotated[
        tuple[Annotated[int, Field(ge=1, le=256, strict=True)], ...], BeforeValidator(_as_list), Field(min_length=1)
    ] = (1,)
    samples: Literal["all"] | Annotated[int, Field(ge=1, le=100_000, strict=True)] = "all"
    clock: ClockName | None = None
    allow_fallback: bool = False
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    tags: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    models: Annotated[tuple[str, ...] | None, BeforeValidator(_as_list)] = None


class Defaults(_Common):
    """``defaults:``, used where a device says nothing itself."""


class Device(_Common):
    """One device. Exactly one of ``host``, ``emulate`` and ``local`` says where it is.

    ``dir`` is the folder for the harness's files there; an emulated board has a disk for them, and takes no other.
    ``clock`` counts guest instructions on an emulated board unless ``wall`` is asked for; ``samples`` is how many
    images of the test split are run; ``runtimes`` None means all that fit the board.
    """

    name: Annotated[str, Field(pattern=_NAME)]
    board: str
    host: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\s-][^\s]*$")] | None = None
    emulate: bool = False
    local: bool = False

    @property
    def family(self) -> BoardFamily:
        return FAMILIES[self.board]

    @property
    def effective_clock(self) -> ClockName:
        """``instructions`` for emulated boards by default: an emulator's wall clock says nothing about hardware."""
        return self.clock or ("instructions" if self.emulate else "wall")

    @model_validator(mode="after")
    def _one_place(self) -> Device:
        ways = [key for key in ("host", "emulate", "local") if getattr(self, key)]
        if len(ways) != 1:
            found = " and ".join(f"'{way}'" for way in ways) if ways else "none of them"
            raise ValueError(
                f"device '{self.name}' needs exactly one of 'host', 'emulate: true' and 'local: true', has {found}"
            )
        if self.board not in FAMILIES:
            raise ValueError(f"unknown board '{self.board}'{_nearest(self.board, FAMILIES)}")
        if self.emulate and self.family.qemu_cpu is None:
            able = ", ".join(name for name, family in FAMILIES.items() if family.qemu_cpu)
            raise ValueError(f"board '{self.board}' can't be emulated; these can: {able}")
        if self.clock == "instructions" and not self.emulate:
            raise ValueError("'clock: instructions' needs an emulated board; real ones are timed with 'wall'")
        return self


class Fleet(_Settings):
    """A whole devices.yaml, defaults filled in."""

    file: str
    devices: tuple[Device, ...]

    def only(self, names: list[str]) -> Fleet:
        """The fleet reduced to the devices named.

        Raises:
            ConfigError: a name isn't in the file.
        """
        known = {device.name for device in self.devices}
        for name in names:
            if name not in known:
                raise ConfigError(f"no device '{name}'{_nearest(name, known)}", file=self.file)
        return self.model_copy(update={"devices": tuple(d for d in self.devices if d.name in names)}) if names else self


class _Document(_Settings):
    defaults: Defaults = Defaults()
    devices: Annotated[tuple[Device, ...], Field(min_length=1)]


def load(path: Path) -> Fleet:
    """Read and check a device list.

    Raises:
        ConfigError: anything is wrong with it; nothing has been touched yet.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError("not there", file=str(path), fix="name your list with --devices FILE") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't be read: {error}", file=str(path)) from error
    return parse(text, file=str(path))


def parse(text: str, *, file: str = "devices.yaml") -> Fleet:
    """Check the text of a device list; see :func:`load`."""
    value, lines = load_yaml(text, file)
    if not isinstance(value, dict):
        raise ConfigError("needs a 'devices:' list at its top", file=file, line=1)
    _refuse_secrets(value, lines, file)
    merged = _with_defaults(value)
    try:
        document = _Document.model_validate(merged)
    except ValidationError as error:
        raise _explain(error, value, lines, file) from error
    _refuse_duplicates(document, lines, file)
    return Fleet(file=file, devices=tuple(_resolve_paths(d, Path(file).parent) for d in document.devices))


def _with_defaults(value: dict[str, Any]) -> dict[str, Any]:
    defaults, devices = value.get("defaults"), value.get("devices")
    if not isinstance(defaults, dict) or not isinstance(devices, list):
        return value
    usable = {key: given for key, given in defaults.items() if key in Defaults.model_fields}
    return {**value, "devices": [_merged(usable, d) if isinstance(d, dict) else d for d in devices]}


def _merged(defaults: dict[str, Any], device: dict[str, Any]) -> dict[str, Any]:
    """A device's keys over the defaults; of ``thresholds`` each one by itself."""
    merged = {**defaults, **device}
    both = (defaults.get("thresholds"), device.get("thresholds"))
    if all(isinstance(limits, dict) for limits in both):
        merged["thresholds"] = {**both[0], **both[1]}  # type: ignore[dict-item]
    return merged


def _resolve_paths(device: Device, base: Path) -> Device:
    """``~`` is the user's home; a relative path is beside devices.yaml, not wherever one happens to stand."""
    update = {
        key: base / given.expanduser()
        for key in ("identity_file", "known_hosts")
        if (given := getattr(device, key)) is not None
    }
    return device.model_copy(update=update)


def _refuse_secrets(value: Mapping[str, Any], lines: Mapping[Location, int], file: str) -> None:
    entries: list[tuple[Location, Any]] = [(("defaults",), value.get("defaults"))]
    devices = value.get("devices")
    if isinstance(devices, list):
        entries += [(("devices", index), entry) for index, entry in enumerate(devices)]
    for at, entry in entries:
        for key in entry if isinstance(entry, dict) else ():
            if any(word in str(key).lower() for word in _SECRETS):
                raise ConfigError(
                    f"'{key}': secrets don't belong in a file",
                    file=file,
                    line=line_of(lines, (*at, key)),
                    fix="use a key ('identity_file: ~/.ssh/id_ed25519') or ssh-agent",
                )


def _refuse_duplicates(document: _Document, lines: Mapping[Location, int], file: str) -> None:
    seen: dict[str, int] = {}
    for index, device in enumerate(document.devices):
        first = seen.setdefault(device.name.lower(), index)
        if first != index:
            where = line_of(lines, ("devices", first, "name"))
            raise ConfigError(
                f"device name '{device.name}' is used twice (first in line {where})",
                file=file,
                line=line_of(lines, ("devices", index, "name")),
                fix="give each device its own name",
            )


def _nearest(word: str, words: Any) -> str:
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else f"; one of: {', '.join(sorted(words))}"


def _choices(at: Location) -> tuple[str, ...]:
    for key, literal in (("runtimes", RuntimeName), ("delegates", DelegateName), ("clock", ClockName)):
        if key in at:
            return get_args(literal)
    return ()


def _explain(error: ValidationError, value: Any, lines: Mapping[Location, int], file: str) -> ConfigError:
    """Turn pydantic's first complaint into one line a person can act on."""
    first = next((e for e in error.errors() if e["type"] == "extra_forbidden"), error.errors()[0])
    at: Location = tuple(
        part for part in first["loc"] if not str(part).startswith(("literal[", "constrained-", "function-"))
    )
    line = line_of(lines, at)
    where = _where(at, value)
    if first["type"] == "extra_forbidden":
        models: dict[str, type[BaseModel]] = {"devices": Device, "defaults": Defaults}
        model = Thresholds if "thresholds" in at[:-1] else models.get(str(at[0]), _Document)
        return ConfigError(
            f"unknown key '{at[-1]}'{where}{_nearest(str(at[-1]), model.model_fields)}", file=file, line=line
        )
    if first["type"] == "missing":
        return ConfigError(f"key '{at[-1]}' is missing{where}", file=file, line=line)
    if first["type"] == "value_error":
        return ConfigError(first["msg"].removeprefix("Value error, "), file=file, line=line)
    given = first["input"]
    if choices := _choices(at):
        return ConfigError(
            f"'{given}' is no {at[-1] if isinstance(at[-1], str) else at[-2]}{_nearest(str(given), choices)}",
            file=file,
            line=line,
        )
    key = next((part for part in reversed(at) if isinstance(part, str)), "?")
    return ConfigError(f"'{key}: {given}'{where}: {first['msg'][:1].lower()}{first['msg'][1:]}", file=file, line=line)


def _where(at: Location, value: Any) -> str:
    if len(at) > 1 and at[0] == "devices" and isinstance(at[1], int):
        try:
            name = value["devices"][at[1]]["name"]
        except (KeyError, TypeError, IndexError):
            return f" for device number {at[1] + 1}"
        return f" for device '{name}'"
    return " in defaults" if at[:1] == ("defaults",) and len(at) > 1 else ""
