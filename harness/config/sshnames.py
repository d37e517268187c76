"""Host names, users and jump hosts: accepted as ssh accepts them, or refused with what to write instead."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from harness.core.scalars import NotMeantError, shown, text

#: The longest host name in DNS. Each label of it has at most 63 characters.
MAX_HOST = 253
MAX_USER = 256

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
_HOST = re.compile(r"[\w][\w.+-]*")
#: Windows domains have users ``DOMAIN\user`` and ``user@domain``, and machines ``name$``.
_USER = re.compile(r"[\w][\w.@+\\-]*\$?")
_MAC = re.compile(r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")


@dataclass(frozen=True)
class Place:
    """The parts of ``[user@]host[:port]``."""

    host: str
    user: str | None = None
    port: str | None = None

    def yaml(self) -> str:
        """The advice to write the parts as keys of a device."""
        host = f"'{self.host}'" if ":" in self.host else self.host
        keys = [f"host: {host}"]
        if self.user:
            keys.append(f"user: {self.user}")
        if self.port:
            keys.append(f"port: {self.port.lstrip('0') or '22'}")
        return "write " + ", ".join(keys)


def host(value: object) -> str:
    """A host name, an alias from ssh's configuration, or an IP address, and nothing else.

    Raises:
        NotMeantError: the value holds something else (a user, a port, a URL, a path...); says what to write instead.
    """
    listed = isinstance(value, (list, tuple)) and len(value) == 1  # YAML reads an unquoted [::1] as a list
    name = text(value[0] if listed else value)  # type: ignore[index]
    if len(name) > MAX_HOST:
        raise NotMeantError(f"is longer than {MAX_HOST} characters")
    if match := _URL.fullmatch(name):
        if match["scheme"].lower() not in ("ssh", "scp", "sftp"):
            raise NotMeantError("is the address of a web page or the like", "write the host's name alone")
        raise NotMeantError("is a URL; a host's name alone belongs here", _apart(match["rest"].split("/")[0]).yaml())
    if _address(name.strip("[]")) and name == f"[{name[1:-1]}]":
        name = name[1:-1]
    if listed and ":" not in name:
        raise NotMeantError("is a list; a device has one host", f"write host: {shown(name)}")
    if _address(name):
        return _usable_address(name)
    place = _apart(name)
    if not place.host:
        raise NotMeantError("names no host")
    if place.user is not None:
        raise NotMeantError("a user's name has a key of its own", place.yaml())
    if _MAC.fullmatch(name):
        raise NotMeantError("is a MAC address", "write the board's name or IP address")
    if place.port is not None and (place.port.isascii() and place.port.isdigit()):
        raise NotMeantError("a port has a key of its own", place.yaml())
    return _host_name(name)


def user(value: object) -> str:
    """A login name on the board.

    Raises:
        NotMeantError: it can't be a login name; the message says why.
    """
    name = text(value)
    if len(name) > MAX_USER:
        raise NotMeantError(f"is longer than {MAX_USER} characters")
    if not _USER.fullmatch(name) or name.endswith("\\"):
        raise NotMeantError(
            "is no login name: letters, digits and . _ - + @ \\ only, a letter or digit first, '$' last at most"
        )
    return name


def jump(value: object) -> str:
    """Jump hosts as ssh's ProxyJump takes them, in order: ``[user@]host[:port],...``; ``none`` for none.

    Raises:
        NotMeantError: one of them is wrong; the message names it.
    """
    parts = value if isinstance(value, (list, tuple)) else text(value).split(",")
    hops = [str(part or "").strip() for part in parts]
    return ",".join(_named(hop) for hop in hops)


def _named(hop: str) -> str:
    try:
        return _hop(hop)
    except NotMeantError as error:
        raise NotMeantError(f"jump host '{shown(hop)}' {error.text}", error.fix) from error


def _hop(hop: str) -> str:
    if not hop:
        raise NotMeantError("is empty")
    bare = hop
    if match := _URL.fullmatch(hop):
        if match["scheme"].lower() != "ssh":
            raise NotMeantError("is no SSH address", "write user@host:port")
        bare = match["rest"].rstrip("/")
    if _address(bare) and ":" in bare:
        raise NotMeantError("is an IPv6 address and needs brackets", f"write '[{bare}]'")
    place = _apart(bare)
    if place.user is not None:
        user(place.user)
    if place.port is not None and not (re.fullmatch(r"[1-9][0-9]{0,4}", place.port) and int(place.port) <= 65535):
        raise NotMeantError("has no usable port", "a port is from 1 to 65535")
    if _address(place.host):
        _usable_address(place.host)
    else:
        _host_name(place.host)
    return bare


def _apart(place: str) -> Place:
    """Split ``[user@]host[:port]``. A user's name may hold '@', a host's name can't."""
    who, at, rest = place.rpartition("@")
    name, port = rest, None
    if rest.startswith("[") and "]" in rest:
        inside, _, behind = rest[1:].partition("]")
        name = inside if not behind or behind.startswith(":") else rest
        port = behind[1:] if behind.startswith(":") else None
    elif rest.count(":") == 1:
        name, _, port = rest.partition(":")
    return Place(name, who if at else None, port)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _usable_address(name: str) -> str:
    address = _address(name)
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_link_local and not address.scope_id:
            raise NotMeantError(
                "is a link-local address and needs the network interface", f"write '{name}%eth0', with its name"
            )
        if not re.fullmatch(r"[\w.-]*", address.scope_id or ""):
            raise NotMeantError("names no network interface behind '%'")
    return name


def _host_name(name: str) -> str:
    """A name that ssh accepts: no shell characters, labels as in DNS."""
    if re.fullmatch(r"[0-9]+\.[0-9.]*|0[xX][0-9a-fA-F]+", name):
        numbers = name.split(".")
        plain = ".".join(str(int(part)) for part in numbers) if all(numbers) and "x" not in name.lower() else ""
        raise NotMeantError(
            "is no IP address: that has four numbers from 0 to 255 without leading zeros",
            f"write host: {plain}" if _address(plain) else None,
        )
    if name.isascii() and name.isdigit():
        raise NotMeantError("is a number, neither a name nor an IP address", "write the board's name or IP address")
    if re.search(r"\s", name):
        raise NotMeantError("holds a space; one device has one host")
    if "/" in name or re.search(r":[~\w]", name):
        raise NotMeantError("holds a path or a port that is no number; a host's name alone belongs here")
    if not _HOST.fullmatch(name):
        raise NotMeantError("is no host name: letters, digits and . _ - + only, a letter or digit first")
    try:
        encoded = name.removesuffix(".").encode("idna")
    except UnicodeError as error:
        raise NotMeantError("is no host name: between two points stand 1 to 63 characters") from error
    if len(encoded) > MAX_HOST:
        raise NotMeantError(f"is longer than {MAX_HOST} characters")
    return name
