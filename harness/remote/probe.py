"""The description of a board. The agent on the board is asked, and its answer is checked before it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.core import untrusted
from harness.core.errors import ProvisionError, TransferError
from harness.core.files import sha256_file
from harness.core.safetext import clean, plain
from harness.remote import place
from harness.remote.base import Command, Connection
from harness.runtimes.wheels import Platform, platform_of

Short = Annotated[str, Field(max_length=512)]


class _Cpu(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Short | None
    implementer: Short | None
    part: Short | None
    features: Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=512)]
    cores: Annotated[int, Field(ge=1, le=4096)] | None


class Probe(BaseModel):
    """The agent's description of a board. Sizes are in bytes, ``time_s`` is the board's Unix time."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    machine: Short
    kernel: Short
    bits: int
    os: Short | None
    libc: Short
    python: Annotated[str, Field(pattern=r"^\d{1,2}\.\d{1,3}\.\d{1,3}[\w+.-]{0,40}$")]
    implementation: Short
    cpu: _Cpu
    board: Short | None
    memory_bytes: Annotated[int, Field(ge=0, le=1 << 53)] | None
    disk_free_bytes: Annotated[int, Field(ge=0, le=1 << 62)]
    time_s: float
    numpy: Short | None
    #: why no shared library can be loaded from the harness's folder; None where one can
    no_exec: Short | None = None

    @property
    def platform(self) -> Platform:
        return platform_of(self.python, self.machine, self.bits, libc=self.libc, numpy=self.numpy)


def agent_source() -> str:
    """The agent's source text."""
    return resources.files("harness.ondevice").joinpath("agent.py").read_text(encoding="utf-8")


#: An SSH server need not accept a longer command: Dropbear, common on small boards, accepts 9,000 bytes including
#: everything around these arguments.
_ARGV_CHARS = 2000


def agent_call(command: str, root: str, *args: str) -> tuple[list[str], bytes]:
    """The program that runs the agent on a board, and its input: the agent's text, and arguments if there are many."""
    source, words, listed = agent_source().encode(), list(args), b""
    if sum(map(len, words)) > _ARGV_CHARS:
        words, listed = [], "\0".join(args).encode("utf-8", "surrogateescape")
    more = f"sys.argv+=os.fsdecode(r({len(listed)})).split(chr(0));" if listed else ""
    loader = f"import os,sys;r=sys.stdin.buffer.read;a=r({len(source)});{more}exec(compile(a,'agent','exec'))"
    return ["python3", "-c", loader, command, root, *words], source + listed


def ask(
    connection: Connection, command: str, *args: str, timeout_s: float, stdin: bytes | Path | None = None
) -> dict[str, Any]:
    """Run one agent command on the board and return its JSON object.

    Raises:
        ProvisionError: Python is missing there or too old, or the answer is malformed.
        PlaceError: the harness's folder there can't be used.
        TransportError: the connection failed.
    """
    answer = answered(connection, command, *args, timeout_s=timeout_s, stdin=stdin)
    if "error" in answer:
        raise complaint(connection, command, answer)
    return answer


def answered(
    connection: Connection, command: str, *args: str, timeout_s: float, stdin: bytes | Path | None = None
) -> dict[str, Any]:
    """As :func:`ask`, but an error that the agent reports stays in the answer."""
    argv, first = agent_call(command, connection.root, *args)
    done = connection.run(Command(argv, timeout_s, stdin=first if stdin is None else (first, stdin)))
    words = clean(plain(done.stderr.decode("utf-8", "replace")).strip()[-400:])
    if done.returncode in (126, 127):
        raise ProvisionError(
            f"{connection.label}: no python3 on the board{f': {words}' if words else ''}",
            fix="sudo apt install python3",
        )
    try:
        answer = untrusted.load(last_line(done.stdout))
    except ValueError as error:
        words = words or clean(plain(done.stdout[-2000:].decode("utf-8", "replace")), 400)
        raise ProvisionError(f"{connection.label}: '{command}' gave no answer: {words or 'nothing said'}") from error
    if not isinstance(answer, dict):
        raise ProvisionError(f"{connection.label}: '{command}' answered with no object")
    return answer


def last_line(words: bytes) -> bytes:
    """The last line, which holds the answer; a wrapper around the board's Python may print something before it."""
    return words.rstrip().rpartition(b"\n")[2]


def complaint(connection: Connection, command: str, answer: Mapping[str, Any]) -> ProvisionError | TransferError:
    """The error for a failure of the agent."""
    label, text, path, number = (
        connection.label, *(clean(answer.get(key) or "", 400) for key in ("error", "path", "errno"))
    )  # fmt: skip
    if answer.get("kind") == "python-old":
        return ProvisionError(f"{label}: {text}: the runner needs 3.6", fix="install Python 3.6 or newer as python3")
    if number:
        return place.fault(label, connection.root, number, path=path, words=text)
    kind = TransferError if command == "receive" else ProvisionError
    return kind(f"{label}: '{command}' failed: {text}")


def probe(connection: Connection) -> Probe:
    """Ask a board for its description.

    The harness's folder there is created if needed, and tested.

    Raises:
        ProvisionError, PlaceError, TransportError: see :func:`ask`.
    """
    return described(connection, ask(connection, "probe", timeout_s=120))


def described(connection: Connection, answer: Any) -> Probe:
    """The agent's description of a board, checked.

    Raises:
        ProvisionError: the answer is not a description.
    """
    try:
        return Probe.model_validate(answer)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ProvisionError(f"{connection.label}: the probe's answer is wrong at '{place}': {first['msg']}") from error


def stored(connection: Connection, names: Sequence[str]) -> set[str]:
    """Those of the names ``object:SHA`` and ``wheel:SHA`` that the board has; it verifies its files by hash."""
    answer = ask(connection, "have", *names, timeout_s=600)
    present = answer.get("have")
    if not isinstance(present, list):
        raise ProvisionError(f"{connection.label}: 'have' answered with no list")
    return {name for name in names if name in present}


def send_s(size: int) -> float:
    """The seconds that sending and unpacking ``size`` bytes may take."""
    return 120 + size / 50_000


def send(connection: Connection, name: str, path: Path) -> int:
    """Send one file into the board's store under ``name``; returns the bytes sent.

    Raises:
        TransferError: it was damaged on the way. TransportError, ProvisionError as for :func:`ask`.
    """
    size = path.stat().st_size
    if name.partition(":")[2] != sha256_file(path):
        raise TransferError(f"{path}: changed since it was hashed", fix="run again")
    answer = ask(connection, "receive", name, str(size), timeout_s=send_s(size), stdin=path)
    if answer.get("received") != name:
        raise TransferError(f"{connection.label}: {name} was not acknowledged")
    return size
