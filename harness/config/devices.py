"""devices.yaml: the boards, how to reach them, and what to run on them.

Each error names the file, the line and the key, and suggests the nearest valid word for a misspelt one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from harness.boards.family import System
from harness.boards.registry import FAMILIES, BoardFamily
from harness.config import sshnames
from harness.config.devicekeys import board_folder, device_name, file_name, runtime, sample_count
from harness.config.deviceslist import check_shape, explain, one_of
from harness.config.thresholds import DEFAULTS as DEFAULT_THRESHOLDS
from harness.config.thresholds import Thresholds
from harness.core import yamlfile
from harness.core.clock import ClockName
from harness.core.errors import ConfigError, UsageError
from harness.core.files import read_text
from harness.core.named import nearest
from harness.core.paths import expanded
from harness.core.scalars import text, yes_or_no
from harness.core.yamlfile import MAX_BYTES, Location, line_of
from harness.core.yamlkeys import optional, several, whole_from
from harness.runtimes.registry import DELEGATES
from harness.runtimes.requested import Requested, all_requested

RuntimeName = Annotated[str, AfterValidator(runtime)]
DelegateName = Annotated[str, one_of("delegates", DELEGATES)]

_SECRETS = ("password", "passwd", "passphrase", "secret", "token")


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Common(_Settings):
    """Keys that are valid under ``defaults`` and under a device."""

    user: Annotated[str | None, optional(sshnames.user)] = None
    port: Annotated[int | None, optional(whole_from(1, 65535))] = None
    identity_file: Annotated[Path | None, optional(file_name)] = None
    known_hosts: Annotated[Path | None, optional(file_name)] = None
    dir: Annotated[str | None, optional(board_folder)] = None
    proxy_jump: Annotated[str | None, optional(sshnames.jump)] = None
    site: Annotated[str | None, optional(device_name)] = None
    runtimes: Annotated[tuple[RuntimeName, ...] | None, optional(several(text))] = None
    delegates: Annotated[tuple[DelegateName, ...], BeforeValidator(several(text))] = ("cpu",)
    threads: Annotated[tuple[int, ...], BeforeValidator(several(whole_from(1, 256)))] = (1,)
    samples: Annotated[Literal["all"] | int, BeforeValidator(sample_count)] = "all"
    rounds: Annotated[int | None, optional(whole_from(1, 100))] = None
    clock: Annotated[ClockName | None, optional(text)] = None
    allow_fallback: Annotated[bool, BeforeValidator(yes_or_no)] = False
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    tags: Annotated[tuple[str, ...], BeforeValidator(several(text, least=0))] = ()
    models: Annotated[tuple[str, ...] | None, optional(several(text, least=0))] = None


class Defaults(_Common):
    """``defaults:``, the values of keys that a device leaves out."""


class Device(_Common):
    """One device. Exactly one of ``host``, ``emulate`` and ``local`` says where it is.

    ``dir`` is the folder for the harness's files on the board; an emulated board ignores it and uses its own disk.
    ``os`` is what an emulated board boots, one of its family's ``emulated_os``; None for the usual one.
    ``clock`` defaults to guest instructions on an emulated board and to ``wall`` on a real one. ``samples`` is the
    number of test images to run. ``rounds`` is the number of processes that measure each cell; None means that the
    clock decides. ``runtimes`` None means all that fit the board; a release may be named, ``litert==2.1.0``. ``site``
    says which workers reach the board, for ``harness run --on``; None means all of them.
    """

    name: Annotated[str, BeforeValidator(device_name)]
    board: Annotated[str, BeforeValidator(text)]
    host: Annotated[str | None, BeforeValidator(sshnames.host)] = None
    emulate: Annotated[bool, BeforeValidator(yes_or_no)] = False
    os: Annotated[str | None, optional(text)] = None
    local: Annotated[bool, BeforeValidator(yes_or_no)] = False

    @property
    def family(self) -> BoardFamily:
        return FAMILIES[self.board]

    @property
    def requested(self) -> tuple[Requested, ...]:
        """``runtimes`` as records; empty where the board decides."""
        return all_requested(self.runtimes)

    @property
    def emulated_system(self) -> System | None:
        """The system that an emulated board boots; None for another board, which has its own."""
        return self.family.emulated_system(self.os) if self.emulate else None

    @property
    def effective_clock(self) -> ClockName:
        """``instructions`` for emulated boards by default: an emulator's wall clock says nothing about hardware."""
        return self.clock or ("instructions" if self.emulate else "wall")

    @model_validator(mode="after")
    def _one_place(self) -> Device:
        ways = [key for key in ("host", "emulate", "local") if getattr(self, key)]
        if len(ways) != 1:
            present = " and ".join(f"'{way}'" for way in ways) if ways else "none of them"
            raise ValueError(
                f"device '{self.name}' needs exactly one of 'host', 'emulate: true' and 'local: true', has {present}"
            )
        if self.board not in FAMILIES:
            raise ValueError(f"unknown board '{self.board}'{nearest(self.board, FAMILIES)}")
        if self.emulate and self.family.qemu_cpu is None:
            able = ", ".join(name for name, family in FAMILIES.items() if family.qemu_cpu)
            raise ValueError(f"board '{self.board}' can't be emulated; these can: {able}")
        if self.os is not None:
            self._check_os(self.os)
        if self.clock == "instructions" and not self.emulate:
            raise ValueError("'clock: instructions' needs an emulated board; real ones are timed with 'wall'")
        return self

    def _check_os(self, os: str) -> None:
        if not self.emulate:
            raise ValueError("'os' is what an emulated board boots; another board has a system of its own")
        able = self.family.emulated_os
        if os not in able:
            raise ValueError(f"an emulated '{self.board}' has no system '{os}'{nearest(os, able)}")


class Fleet(_Settings):
    """A whole devices.yaml with its defaults filled in."""

    file: str
    devices: tuple[Device, ...]

    def only(self, names: list[str]) -> Fleet:
        """The fleet reduced to the named devices; all of them if ``names`` is empty.

        Raises:
            ConfigError: a name isn't in the file.
        """
        known = {device.name for device in self.devices}
        for name in names:
            if name not in known:
                raise ConfigError(f"no device '{name}'{nearest(name, known)}", file=self.file)
        return self.model_copy(update={"devices": tuple(d for d in self.devices if d.name in names)}) if names else self

    def with_runtimes(self, words: Sequence[str]) -> Fleet:
        """The fleet with these runtimes on every device, ``NAME`` or ``NAME==VERSION``, instead of its own; as it is if
        ``words`` is empty.
        """
        if not words:
            return self
        devices = tuple(device.model_copy(update={"runtimes": tuple(words)}) for device in self.devices)
        return self.model_copy(update={"devices": devices})


class _Document(_Settings):
    defaults: Defaults = Defaults()
    devices: tuple[Device, ...]


def load(path: Path) -> Fleet:
    """Read and check a device list.

    Raises:
        ConfigError: the file can't be read or a value in it is wrong.
    """
    return parse(read_text(path, MAX_BYTES), file=str(path))


def parse(text: str, *, file: str = "devices.yaml") -> Fleet:
    """Check the text of a device list; see :func:`load`."""
    value, lines = yamlfile.load(text, file)
    checked = check_shape(value, lines, file)
    _refuse_secrets(checked, lines, file)
    try:
        document = _Document.model_validate(_with_defaults(checked))
    except ValidationError as error:
        raise explain(error, checked, lines, file=file, models={"devices": Device, "defaults": Defaults}) from error
    _refuse_duplicates(document, lines, file)
    base = Path(file).parent
    return Fleet(
        file=file,
        devices=tuple(
            _resolve_paths(device=d, base=base, lines=lines, file=file, index=i) for i, d in enumerate(document.devices)
        ),
    )


def _with_defaults(value: dict[str, Any]) -> dict[str, Any]:
    defaults, devices = value.get("defaults"), value.get("devices")
    if not isinstance(defaults, dict) or not isinstance(devices, list):
        return value
    usable = {key: given for key, given in defaults.items() if key in Defaults.model_fields}
    return {**value, "devices": [_merged(usable, d) if isinstance(d, dict) else d for d in devices]}


def _merged(defaults: dict[str, Any], device: dict[str, Any]) -> dict[str, Any]:
    """A device's keys over the defaults. ``thresholds`` are merged one by one."""
    merged = {**defaults, **device}
    both = (defaults.get("thresholds"), device.get("thresholds"))
    if all(isinstance(limits, dict) for limits in both):
        merged["thresholds"] = {**both[0], **both[1]}  # type: ignore[dict-item]
    return merged


def _resolve_paths(device: Device, base: Path, lines: Mapping[Location, int], file: str, index: int) -> Device:
    """Resolve ``~`` to the user's home, and relative paths against the folder of devices.yaml."""
    update = {}
    for key in ("identity_file", "known_hosts"):
        given: Path | None = getattr(device, key)
        if given is None:
            continue
        try:
            update[key] = base / expanded(given, f"'{key}' for device '{device.name}':")
        except UsageError as error:
            at: Location = ("devices", index, key)
            line = line_of(lines, at if at in lines else ("defaults", key))
            raise ConfigError(error.message, file=file, line=line, fix=error.fix) from error
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
