"""Host keys: whatever stands in a known_hosts file, the harness trusts and refuses the board that ``ssh`` does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.strangers import Server, World
from tests.strange.cases import Case, Outcome, blocks, check, try_all
from tests.strange.conftest import Board

pytestmark = pytest.mark.slow  # many cases, tried together
#: What ``doctor`` says of a key that no file has.
UNKNOWN = "(?i)not known|unknown"


@dataclass(frozen=True)
class Place:
    """What the files below are made of: a board, one with a certificate each, and keys of others."""

    board: Server
    ported: Server
    signed: Server
    misnamed: Server
    expired: Server
    ca: str
    other: str
    folder: Path

    def hashed(self, text: str) -> str:
        """As ``ssh-keygen -H`` leaves it."""
        path = self.folder / "to-hash"
        path.write_text(text)
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True)
        return path.read_text()


@dataclass(frozen=True)
class File:
    """A known_hosts file: ``text`` of it, whose server it is for, and what comes of it."""

    name: str
    text: Callable[[Place], str | bytes | None]
    connects: bool
    says: str = UNKNOWN
    server: str = "board"
    config: str = ""


def sign(place: Path, server: Server, *options: str) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(place / "ca"), "-I", "board", "-h", *options,
         f"{server.folder}/host_ed25519.pub"], check=True, capture_output=True,
    )  # fmt: skip
    server.options.append(f"HostCertificate {server.folder}/host_ed25519-cert.pub")
    server.stop()
    server.start()


def name(place: Place, kind: str = "ed25519") -> str:
    return place.board.known(kind)


ANOTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAHRSrMiN4nUpASV9vbxDKCFQYSXHlF4CZvCH8yMqCl5"
FILES = (
    File("plain", name, True),
    File("hashed", lambda p: p.hashed(name(p)), True),
    File("hashed-among-others", lambda p: p.hashed(f"10.1.2.3 {ANOTHER}\n" + name(p) + f"a.example {ANOTHER}\n"), True),
    File("rsa-alone", lambda p: name(p, "rsa"), True),
    File("ecdsa-alone", lambda p: name(p, "ecdsa"), True),
    File("authority-of-others", lambda p: f"@cert-authority *.lab.example {p.ca}\n" + name(p), True),
    File("authority-of-all", lambda p: f"@cert-authority * {p.ca}\n" + name(p), True),
    File("authority-of-others-alone", lambda p: f"@cert-authority *.lab.example {p.ca}\n", False),
    File("another-key-revoked", lambda p: f"@revoked * {p.other}\n" + name(p), True),
    File("this-key-revoked", lambda p: f"@revoked * {p.board.keys['ed25519']}\n" + name(p), False, "(?i)revoked"),
    File("this-key-revoked-below", lambda p: name(p) + f"@revoked * {p.board.keys['ed25519']}\n", False, "(?i)revoked"),
    File("this-key-revoked-elsewhere", lambda p: f"@revoked b.example {p.board.keys['ed25519']}\n" + name(p), True),
    File("wildcard", lambda p: p.board.known(name="127.*"), True),
    File("question-mark", lambda p: p.board.known(name=p.board.name[:-1] + "?"), True),
    File("negated", lambda p: p.board.known(name=f"!{p.board.name},127.*"), False),
    File("another-negated", lambda p: p.board.known(name=f"!127.0.0.1,127.*,{p.board.name}"), True),
    File("list", lambda p: p.board.known(name=f"pi4,pi4.local,{p.board.name},10.0.0.1"), True),
    File("comments", lambda p: f"# my boards\n\n   \n#{name(p)}{name(p).strip()} the one in the rack\n", True),
    File("damaged-lines", lambda p: f"{p.board.name} ssh-ed25519 no/base64\n{p.board.name}\nx y z\n" + name(p), True),
    File("binary-lines", lambda p: b"\x00\xff\xfe\n\x80\x81 ssh-ed25519 AAAA\n" + name(p).encode(), True),
    File("unknown-marker", lambda p: f"@other * {ANOTHER}\n" + name(p), True),
    File("unknown-key-type", lambda p: f"{p.board.name} ssh-new AAAAB3NzaC1yc2E=\n" + name(p), True),
    File("dsa-line", lambda p: f"{p.board.name} ssh-dss AAAAB3NzaC1kc3M=\n" + name(p), True),
    File("crlf", lambda p: name(p).replace("\n", "\r\n"), True),
    File("crlf-with-comment", lambda p: name(p).replace("\n", " board\r\n"), True),
    File("no-end-of-line", lambda p: name(p).strip(), True),
    File("byte-order-mark", lambda p: b"\xef\xbb\xbf# boards\n" + name(p).encode(), True),
    File("two-keys-the-second", lambda p: f"{p.board.name} {ANOTHER}\n" + name(p), True),
    File("empty", lambda p: "", False),
    File("missing", lambda p: None, False),
    File("unreadable", name, False),
    File("others-only", lambda p: f"10.1.2.3 {ANOTHER}\n", False),
    File("changed", lambda p: f"{p.board.name} {ANOTHER}\n", False, "(?i)changed"),
    File("with-port", lambda p: p.ported.known(), True, server="ported"),
    File("with-port-hashed", lambda p: p.hashed(p.ported.known()), True, server="ported"),
    File("port-not-said", lambda p: p.ported.known(name=p.ported.address), True, server="ported"),
    File("another-port", lambda p: p.ported.known(name=f"[{p.ported.address}]:1"), False, server="ported"),
    File("port-wildcard", lambda p: p.ported.known(name="[127.*]:*"), True, server="ported"),
    File("alias", lambda p: p.board.known(name="rack-7"), True, config="HostKeyAlias rack-7"),
    File("alias-of-another", lambda p: p.board.known(name="rack-7"), False, config="HostKeyAlias rack-8"),
    File(
        "alias-with-port", lambda p: p.ported.known(name="rack-7"), True, server="ported", config="HostKeyAlias rack-7"
    ),
    File("global", lambda p: "", True, config="GlobalKnownHostsFile ~/kh/plain"),
    File("second-file", lambda p: None, True, config="UserKnownHostsFile ~/kh/missing ~/kh/plain"),
    File("quoted-file", lambda p: None, True, config='UserKnownHostsFile "~/kh/with space"'),
    File("tokens-in-file", lambda p: None, True, config="UserKnownHostsFile %d/kh/plain"),
    File("revoked-list", name, False, "(?i)revoked", config="RevokedHostKeys ~/kh/revoked-keys"),
    File("certificate", lambda p: f"@cert-authority {p.signed.name} {p.ca}\n", True, server="signed"),
    File("certificate-by-wildcard", lambda p: f"@cert-authority 10.*,127.* {p.ca}\n", True, server="signed"),
    File("certificate-hashed", lambda p: p.hashed(f"@cert-authority {p.signed.name} {p.ca}\n"), True, server="signed"),
    File("certificate-of-nobody", lambda p: f"@cert-authority 127.* {ANOTHER}\n", False, server="signed"),
    File("certificate-elsewhere", lambda p: f"@cert-authority *.lab.example {p.ca}\n", False, server="signed"),
    File("certified-key-pinned", lambda p: p.signed.known(), True, server="signed"),
    File(
        "authority-revoked",
        lambda p: f"@revoked * {p.ca}\n@cert-authority * {p.ca}\n",
        False,
        "(?i)revoked",
        server="signed",
    ),
    File(
        "certificate-for-another", lambda p: f"@cert-authority * {p.ca}\n", False, "(?i)certificate|known", "misnamed"
    ),
    File(
        "certificate-for-an-alias",
        lambda p: f"@cert-authority * {p.ca}\n",
        True,
        server="misnamed",
        config="HostKeyAlias somewhere.else",
    ),
    File("certificate-expired", lambda p: f"@cert-authority * {p.ca}\n", False, "(?i)certificate|known", "expired"),
)


@pytest.fixture(scope="module")
def place(world: World) -> Place:
    folder = world.folder / "authority"
    folder.mkdir()
    servers = {part: world.server(key_types=["ed25519"]) for part in ("signed", "misnamed", "expired")}
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ca", "-f", str(folder / "ca")], check=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "o", "-f", str(folder / "o")], check=True)
    sign(folder, servers["signed"], "-n", servers["signed"].address)
    sign(folder, servers["misnamed"], "-n", "somewhere.else")
    sign(folder, servers["expired"], "-n", servers["expired"].address, "-V", "20200101:20210101")
    keys = {name: (folder / f"{name}.pub").read_text().strip() for name in ("ca", "o")}
    ported = world.server(port=22022)
    return Place(world.server(), ported, **servers, ca=keys["ca"], other=keys["o"], folder=folder)


def cases(place: Place) -> list[Case]:
    made = []
    for file in FILES:
        server: Server = getattr(place, file.server)
        own = f"UserKnownHostsFile ~/kh/{file.name}\n" if "UserKnownHostsFile" not in file.config else ""
        config = f"HostName {server.address}\nPort {server.port}\n{own}{file.config}"
        made.append(Case(file.name, file.connects, "host-key", file.says, config))
    return made


@pytest.fixture(scope="module")
def outcomes(world: World, board: Board, place: Place) -> dict[str, tuple[Case, Outcome]]:
    stranger = world.stranger()
    board.account.authorize(stranger.make_key())
    for file in FILES:
        text = file.text(place)
        if text is not None:
            stranger.write(f"kh/{file.name}", text, mode=0 if file.name == "unreadable" else 0o644)
    stranger.write("kh/with space", name(place))
    stranger.write("kh/revoked-keys", place.board.keys["ed25519"] + "\n")
    tried = cases(place)
    stranger.write(".ssh/config", blocks(tried) + f"Host *\n    User {board.account.name}\n")
    found = try_all(stranger, tried)
    return {case.name: (case, found[case.name]) for case in tried}


@pytest.mark.parametrize("which", [file.name for file in FILES])
def test_known_hosts(which: str, outcomes: dict[str, tuple[Case, Outcome]]) -> None:
    check(*outcomes[which])


def test_a_board_with_one_kind_of_key(world: World, board: Board) -> None:
    """RSA alone and ECDSA alone; and a board that has no key of the kind that is known."""
    stranger = world.stranger()
    board.account.authorize(stranger.make_key())
    servers = {kind: world.server(key_types=[kind]) for kind in ("rsa", "ecdsa")}
    lines = "".join(server.known(kind) for kind, server in servers.items())
    stranger.write(".ssh/known_hosts", lines)
    stranger.write("other", f"{servers['rsa'].name} {ANOTHER}\n")
    tried = [
        Case(kind, True, device={**server.place, "user": board.account.name}) for kind, server in servers.items()
    ] + [
        Case(
            "other-kind-known", False, "host-key", "(?i)known|changed",
            device={**servers["rsa"].place, "user": board.account.name, "known_hosts": str(stranger.home / "other")},
        )
    ]  # fmt: skip
    found = try_all(stranger, tried)
    for case in tried:
        check(case, found[case.name])
