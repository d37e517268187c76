"""Keys that people have, good and bad: what ``ssh`` logs in with, the harness does; else the file is named."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.strangers import Stranger, World
from tests.strange.cases import Case, Outcome, blocks, check, try_all
from tests.strange.conftest import Board

pytestmark = pytest.mark.slow  # many cases, tried together
AUTHENTICATION = "authentication"
#: Each is ``~/keys/NAME``, used alone: ``IdentitiesOnly`` and no agent.
GOOD = (
    "ed25519",
    "rsa",
    "ecdsa-256",
    "ecdsa-521",
    "rsa-pem",
    "rsa-pkcs8",
    "ecdsa-pem",
    "ecdsa-pkcs8",
    "rsa-crlf",
    "with space",
)
#: The file and what has to be said about it.
BAD = {
    "missing": "missing",
    "empty": "empty",
    "folder": "folder",
    "text": "text",
    "ed25519.pub": r"(?i)public",
    "putty.ppk": r"(?i)putty|ppk",
    "unreadable": r"unreadable",
    "too-open": r"(?i)too-open",
    "encrypted": r"encrypted",
    "damaged": "damaged",
    "stranger": "",
}
PPK = """PuTTY-User-Key-File-3: ssh-ed25519
Encryption: none
Comment: imported
Public-Lines: 2
AAAAC3NzaC1lZDI1NTE5AAAAIAHRSrMiN4nUpASV9vbxDKCFQYSXHlF4CZvCH8yM
qCl5
Private-Lines: 1
AAAAIC0s0XNNGLyUMnEFqxrEOmQCXwLrAFPVAW6eRTrMIuCC
Private-MAC: 0000000000000000000000000000000000000000000000000000000000000000
"""


def convert(path: Path, form: str) -> None:
    """Rewrite a private key as PEM or PKCS8."""
    words = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "", "-m", form, "-f", str(path)]
    subprocess.run(words, check=True, capture_output=True)


def encrypt(path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "", "-N", "a long passphrase", "-f", str(path)], check=True,
        capture_output=True,
    )  # fmt: skip


class Keys:
    """Makes keys in ``~/keys`` of a stranger and brings them to the board."""

    def __init__(self, stranger: Stranger, board: Board) -> None:
        self.stranger, self.board = stranger, board
        self.folder = stranger.home / "keys"
        self.folder.mkdir(mode=0o700)

    def make(self, name: str, kind: str = "ed25519", *options: str, authorized: bool = True) -> Path:
        line = self.stranger.make_key(f"../keys/{name}", kind, *options)
        if authorized:
            self.board.account.authorize(line)
        return self.folder / name

    def text(self, name: str, content: str | bytes, mode: int = 0o600) -> Path:
        return self.stranger.write(f"keys/{name}", content, mode=mode)


def make_all(keys: Keys) -> None:
    keys.make("ed25519")
    keys.make("rsa", "rsa", "-b", "2048")
    keys.make("ecdsa-256", "ecdsa", "-b", "256")
    keys.make("ecdsa-521", "ecdsa", "-b", "521")
    for name in GOOD:
        kind, _, form = name.partition("-")
        if form in ("pem", "pkcs8"):
            convert(keys.make(name, kind, *(["-b", "2048"] if kind == "rsa" else [])), form.upper())
    own = (keys.folder / "ed25519").read_text()
    keys.text("rsa-crlf", (keys.folder / "rsa-pem").read_text().replace("\n", "\r\n"))
    keys.text("with space", own)
    keys.text("empty", "")
    keys.text("text", "this is no key\n")
    keys.text("putty.ppk", PPK)
    keys.text("damaged", own[: len(own) // 2])
    keys.text("unreadable", own, 0)
    keys.text("too-open", own, 0o644)
    (keys.folder / "folder").mkdir()
    encrypt(keys.make("encrypted"))
    (keys.folder / "encrypted.pub").unlink()
    keys.make("stranger", authorized=False)


def certified(keys: Keys, world: World) -> dict[str, object]:
    """A server that trusts an authority, and a key which that has signed; returns where the server is."""
    authority = world.folder / "user-ca"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(authority)], check=True)
    server = world.server(f"TrustedUserCAKeys {authority}.pub")
    for name, until in (("signed", "+1h"), ("signed-once", "20200101:20210101")):
        key = keys.make(name, authorized=False)
        subprocess.run(
            ["ssh-keygen", "-q", "-s", str(authority), "-I", name, "-n", keys.board.account.name, "-V", until,
             f"{key}.pub"], check=True, capture_output=True,
        )  # fmt: skip
    (keys.folder / "signed-cert.pub").rename(keys.folder / "elsewhere-cert.pub")
    keys.text("signed-beside", (keys.folder / "signed").read_bytes())
    shutil.copy(keys.folder / "elsewhere-cert.pub", keys.folder / "signed-beside-cert.pub")
    keys.stranger.write("kh", server.known())
    return {"address": server.address, "port": server.port}


def agents(keys: Keys, world: World) -> dict[str, Path]:
    """``own``: the board's key alone; ``eight``: eight others; ``ninth``: eight others, then the board's."""
    others = [keys.make(f"other-{number}", authorized=False) for number in range(8)]
    own = keys.make("in-agent")
    found = {"own": world.agent(own), "eight": world.agent(*others), "ninth": world.agent(*others, own)}
    encrypt(own)
    shutil.copy(own, keys.folder / "no-public-half")
    return found


def only(key: str) -> str:
    return f'IdentityFile "~/keys/{key}"\nIdentitiesOnly yes\nIdentityAgent none\n'


def cases(board: Board, signed: dict[str, object], agent: dict[str, Path]) -> list[Case]:
    at = f"HostName {board.server.address}\nPort {board.server.port}\n"
    certificates = "HostName {address}\nPort {port}\nUserKnownHostsFile ~/kh\n".format(**signed)
    home = agent["own"]
    named = f"IdentityFile ~/keys/in-agent\nIdentityAgent {agent['ninth']}\n"
    tried = [Case(f"good-{name.replace(' ', '-')}", True, config=at + only(name)) for name in GOOD]
    tried += [Case(f"bad-{name}", False, AUTHENTICATION, says, at + only(name)) for name, says in BAD.items()]
    # the same files, named in devices.yaml
    tried += [
        Case(
            f"file-{name.replace(' ', '-')}",
            True,
            config=at + "IdentityAgent none\n",
            device={"identity_file": f"~/keys/{name}"},
        )
        for name in GOOD
    ]
    tried += [
        Case(
            f"file-bad-{name}",
            False,
            AUTHENTICATION,
            says,
            at + "IdentityAgent none\n",
            {"identity_file": f"~/keys/{name}"},
        )
        for name, says in BAD.items()
    ]
    tried += [
        Case("certificate", True, config=certificates + only("signed") + "CertificateFile ~/keys/elsewhere-cert.pub\n"),
        Case("certificate-beside", True, config=certificates + only("signed-beside")),
        Case("certificate-not-named", False, AUTHENTICATION, "", certificates + only("signed")),
        Case("certificate-expired", False, AUTHENTICATION, "", certificates + only("signed-once")),
        Case("agent-alone", True, config=at + f"IdentityAgent {home}\nIdentityFile none\n"),
        Case("agent-of-others", False, AUTHENTICATION, "", at + f"IdentityAgent {agent['eight']}\nIdentityFile none\n"),
        Case(
            "others-first",
            False,
            AUTHENTICATION,
            "(?i)too many",
            at + f"IdentityAgent {agent['ninth']}\nIdentityFile none\n",
        ),
        Case("others-first-own-named", True, config=at + named),
        Case("others-first-own-alone", True, config=at + named + "IdentitiesOnly yes\n"),
        Case(
            "others-first-own-by-device",
            True,
            config=at + f"IdentityAgent {agent['ninth']}\n",
            device={"identity_file": "~/keys/in-agent"},
        ),
        Case(
            "others-first-file",
            True,
            config=at + f"IdentityFile ~/keys/ed25519\nIdentityAgent {agent['eight']}\nIdentitiesOnly yes\n",
        ),
        Case(
            "others-first-file-not-alone",
            False,
            AUTHENTICATION,
            "(?i)too many",
            at + f"IdentityFile ~/keys/ed25519\nIdentityAgent {agent['eight']}\n",
        ),
        Case(
            "agent-and-public-half",
            True,
            config=at + f"IdentityFile ~/keys/in-agent.pub\nIdentitiesOnly yes\nIdentityAgent {agent['ninth']}\n",
        ),
        Case(
            "agent-and-missing-private-half",
            True,
            config=at + f"IdentityFile ~/keys/gone\nIdentitiesOnly yes\nIdentityAgent {agent['ninth']}\n",
        ),
        Case("agent-not-there", False, AUTHENTICATION, "", at + "IdentityAgent ~/no-such-agent\nIdentityFile none\n"),
        Case(
            "bad-then-good",
            True,
            config=at + "IdentityFile ~/keys/text\nIdentityFile ~/keys/ed25519\nIdentityAgent none\n",
        ),
        Case(
            "too-open-then-good",
            True,
            config=at + "IdentityFile ~/keys/too-open\nIdentityFile ~/keys/rsa\nIdentityAgent none\n",
        ),
    ]
    return tried


NAMES = (
    *(f"{form}-{name.replace(' ', '-')}" for form in ("good", "file") for name in GOOD),
    *(f"{form}-{name}" for form in ("bad", "file-bad") for name in BAD),
    "certificate", "certificate-beside", "certificate-not-named", "certificate-expired", "agent-alone",
    "agent-of-others",
    "others-first", "others-first-own-named", "others-first-own-alone", "others-first-own-by-device",
    "others-first-file",
    "others-first-file-not-alone", "agent-and-public-half", "agent-and-missing-private-half", "agent-not-there",
    "bad-then-good", "too-open-then-good",
)  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(world: World, board: Board) -> dict[str, tuple[Case, Outcome]]:
    stranger = world.stranger()
    keys = Keys(stranger, board)
    make_all(keys)
    signed = certified(keys, world)
    agent = agents(keys, world)
    shutil.copy(keys.folder / "in-agent.pub", keys.folder / "gone.pub")
    stranger.write(".ssh/known_hosts", board.server.known())
    tried = cases(board, signed, agent)
    stranger.write(".ssh/config", blocks(tried) + f"Host *\n    User {board.account.name}\n")
    found = try_all(stranger, tried)
    assert {case.name for case in tried} == set(NAMES)
    return {case.name: (case, found[case.name]) for case in tried}


@pytest.mark.parametrize("which", NAMES)
def test_keys(which: str, outcomes: dict[str, tuple[Case, Outcome]]) -> None:
    check(*outcomes[which])


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_a_key_in_its_usual_place(kind: str, world: World, board: Board) -> None:
    """Nothing names it: it is called as ``ssh-keygen`` calls it."""
    stranger = world.stranger()
    board.account.authorize(stranger.make_key(f"id_{kind}", kind))
    stranger.write(".ssh/known_hosts", board.server.known())
    tried = Case("pi4", True, device={**board.server.place, "user": board.account.name})
    check(tried, try_all(stranger, [tried])["pi4"])


def test_a_key_that_windows_saved(world: World, board: Board) -> None:
    """Line ends of two characters in OpenSSH's own format: ``ssh`` can't read that, the harness always could."""
    stranger = world.stranger()
    board.account.authorize(stranger.make_key("own"))
    own = (stranger.home / ".ssh/own").read_text()
    stranger.write(".ssh/own", own.replace("\n", "\r\n"))
    stranger.write(".ssh/known_hosts", board.server.known())
    found = stranger.doctor(stranger.list_boards(board.device(identity_file="~/.ssh/own")))
    assert found["pi4"].connected, found
