"""~/.ssh/config: what it says to ``ssh`` it says to the harness."""

from __future__ import annotations

import re

import pytest

from benchmarks.strangers import Stranger, World
from tests.strange.cases import Case, Outcome, blocks, check, only, try_all
from tests.strange.conftest import Board

pytestmark = pytest.mark.slow  # many cases, tried together
#: Stands above everything.
HEAD = "IgnoreUnknown UseKeychain,Apple*\nInclude conf.d/*.conf\n"
#: Written to ~/.ssh/config after the cases' own blocks. ``{address}``, ``{port}`` and ``{user}`` are the board's.
TAIL = """
Match originalhost board-07 exec false
    HostName 127.0.0.1

Host *.by-wildcard board-?? !board-no
    HostName {address}
    Port {port}
    User {user}

Host prefix-*
    HostName %h.lab.example
    Port {port}
    User {user}

Match originalhost match-original
    HostName {address}
    Port {port}
    User {user}

Match host match-*.lab.example exec "test %h = match-exec.lab.example"
    Port {port}
    User {user}

Match final host final.lab.example
    Port {port}
    User {user}

Match localuser stranger originalhost match-local
    HostName {address}
    Port {port}
    User {user}
"""
WHOLE = "HostName {address}\nPort {port}\nUser {user}\n"
CASES = (
    Case("whole", True, config=WHOLE),
    Case("odd-writing", True, config='hostname={address}\n PORT   =  {port}\nuSeR\t"{user}"\n'),
    Case("several-names another-name", True, config=WHOLE, device={"host": "another-name"}),
    Case("included-absolute", True, config="Include {home}/more/absolute\n"),
    Case("included-relative", True, config="Include more/relative\n"),
    Case("included-tilde", True, config="Include ~/more/absolute\n"),
    Case("included-by-glob", True),
    Case("included-nowhere", True, config="Include conf.d/no-such-*\n" + WHOLE),
    Case("x.by-wildcard", True),
    Case("board-07", True),
    Case("board-no", False, "unreachable", "board-no"),
    Case("prefix-pi4", True),
    Case("match-original", True),
    Case("match-exec.lab.example", True),
    Case("match-local", True),
    Case("final.lab.example", True),
    Case("first-word-counts", True, config=WHOLE + "HostName 127.0.0.9\nPort 9\nUser nobody\n"),
    Case(
        "user-of-devices-yaml-counts",
        True,
        config="HostName {address}\nPort {port}\nUser nobody\n",
        device={"user": "{user}"},
    ),
    Case(
        "port-of-devices-yaml-counts",
        True,
        config="HostName {address}\nPort 9\nUser {user}\n",
        device={"port": "{port}"},
    ),
    Case(
        "no-such-user",
        False,
        "authentication",
        "nobody-here",
        config="HostName {address}\nPort {port}\nUser nobody-here\n",
    ),
    Case("identity-tilde", True, config=WHOLE + "IdentityFile ~/keys/own\nIdentitiesOnly yes\n"),
    Case("identity-tokens", True, config=WHOLE + "IdentityFile %d/keys/%n\nIdentitiesOnly yes\n"),
    Case("identity-environment", True, config=WHOLE + "IdentityFile ${{HOME}}/keys/own\nIdentitiesOnly yes\n"),
    Case("identity-quoted", True, config=WHOLE + 'IdentityFile "~/keys/with space"\nIdentitiesOnly yes\n'),
    Case("identity-the-second", True, config=WHOLE + "IdentityFile ~/keys/missing\nIdentityFile ~/keys/own\n"),
    Case("identity-none", False, "authentication", "", config=WHOLE + "IdentityFile none\nIdentityAgent none\n"),
    Case("agent-none", True, config=WHOLE + "IdentityAgent none\n"),
    Case("agent-by-path", True, config=WHOLE + "IdentityFile ~/keys/missing\nIdentityAgent {agent}\n"),
    Case("agent-by-variable", True, config=WHOLE + "IdentityFile ~/keys/missing\nIdentityAgent $BOARDS_AGENT\n"),
    Case("no-public-keys", False, "authentication", "", config=WHOLE + "PubkeyAuthentication no\n"),
    Case("only-passwords", False, "authentication", "", config=WHOLE + "PreferredAuthentications password\n"),
    Case("proxy-command", True, config=WHOLE + "ProxyCommand /usr/bin/python3 {home}/pipe.py %h %p\n"),
    Case("proxy-command-of-ssh", True, config=WHOLE + "ProxyCommand ssh -W %h:%p whole\n"),
    Case("proxy-command-fails", False, "unreachable", "", config=WHOLE + "ProxyCommand /bin/false %h\n"),
    Case("proxy-command-none", True, config=WHOLE + "ProxyCommand none\nProxyCommand /bin/false\n"),
    Case("jump", True, config=WHOLE + "ProxyJump whole\n"),
    Case("jump-none", True, config=WHOLE + "ProxyJump none\nProxyJump no-such-host.invalid\n"),
    Case(
        "canonical", True, config="CanonicalizeHostname yes\nCanonicalDomains lab.example\nPort {port}\nUser {user}\n"
    ),
    Case("not-canonical", True, config="CanonicalizeHostname no\n" + WHOLE),
    Case("timeout", True, config=WHOLE + "ConnectTimeout 3\n"),
    Case(
        "algorithms", True, config=WHOLE + "Ciphers aes256-ctr\nMACs hmac-sha2-512\nKexAlgorithms ecdh-sha2-nistp256\n"
    ),
    Case("rsa-host-key-only", True, config=WHOLE + "HostKeyAlgorithms rsa-sha2-256\n"),
    Case("inet", True, config=WHOLE + "AddressFamily inet\nBindAddress 127.0.0.1\n"),
    Case(
        "much-else",
        True,
        config=WHOLE + "Compression yes\nServerAliveInterval 5\nForwardAgent yes\nSendEnv LANG LC_*\n"
        "SetEnv COLOUR=blue\nLogLevel QUIET\nVisualHostKey yes\nRequestTTY force\nForwardX11 yes\nTCPKeepAlive no\n"
        "ControlMaster auto\nControlPath ~/.ssh/control-%C\nControlPersist 2\n",
    ),
    Case("unknown-words-ignored", True, config="UseKeychain yes\nAppleThing 1\n" + WHOLE),
    Case("not-in-any-dns", False, "unreachable", "not-in-any-dns", config="HostName no-such-board.invalid\n"),
)
PIPE = """
import os, socket, sys, threading
link = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        link.sendall(data)
    link.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := link.recv(65536):
    os.write(1, data)
"""


def filled(case: Case, values: dict[str, object]) -> Case:
    device: dict[str, object] = {
        key: str(value).format(**values) if isinstance(value, str) else value for key, value in case.device.items()
    }
    if device.get("port"):
        device["port"] = int(str(device["port"]))
    name, _, _ = case.name.partition(" ")
    config = case.config.format(**values)
    return Case(name, case.connects, case.code, case.says, config, {"host": name, **device})


@pytest.fixture(scope="module")
def outcomes(world: World, board: Board) -> dict[str, tuple[Case, Outcome]]:
    server = board.server
    stranger = world.stranger(
        {f"{name}.lab.example": server.address for name in ("prefix-pi4", "match-exec", "final", "canonical")}
    )
    own = stranger.make_key()
    board.account.authorize(own)
    for name in ("own", "identity-tokens", "with space"):
        stranger.write(f"keys/{name}", (stranger.home / ".ssh/id_ed25519").read_bytes())
    values: dict[str, object] = {"address": server.address, "port": server.port, "user": board.account.name}
    agent = world.agent(stranger.home / "keys/own")
    values |= {"home": stranger.home, "agent": agent}
    stranger.write("pipe.py", PIPE)
    for place in ("more/absolute", ".ssh/more/relative"):
        stranger.write(place, WHOLE.format(**values))
    stranger.write(".ssh/conf.d/a.conf", "Host included-by-glob\n" + WHOLE.format(**values))
    stranger.write(".ssh/conf.d/b.conf", "Host prefix-other\n    User nobody\n")
    names = [server.name, *(f"{name}.lab.example" for name in ("prefix-pi4", "match-exec", "final", "canonical"))]
    lines = "".join(server.known(kind, name) for kind in server.keys for name in names)
    if server.port != 22:
        lines += "".join(server.known(name=f"[{name}]:{server.port}") for name in names[1:])
    stranger.write(".ssh/known_hosts", lines)
    tried = [filled(case, values) for case in CASES]
    text = blocks(tried).replace("Host another-name", "Host several-names another-name")
    text = text.replace("Host several-names\n", "Host several-names another-name\n")
    stranger.write(".ssh/config", HEAD + text + TAIL.format(**values))
    found = try_all(stranger, tried, env={"BOARDS_AGENT": str(agent)})
    return {case.name: (case, found[case.name]) for case in tried}


@pytest.mark.parametrize("which", [case.name.split()[0] for case in CASES])
def test_config(which: str, outcomes: dict[str, tuple[Case, Outcome]]) -> None:
    check(*outcomes[which])


def one_board(newcomer: Stranger, board: Board, config: str, *, mode: int = 0o600) -> dict[str, object]:
    """The board as ``pi4`` of this ~/.ssh/config."""
    text = config.format(address=board.server.address, port=board.server.port, user=board.account.name)
    newcomer.write(".ssh/config", text.encode(), mode=mode)
    return {"name": "pi4", "host": "pi4"}


def test_a_config_from_windows(newcomer: Stranger, board: Board) -> None:
    config = "Host pi4\r\n  HostName {address}\r\n  Port {port}\r\n  User {user}\r\n"
    device = one_board(newcomer, board, config)
    assert newcomer.ssh("pi4", "true").returncode == 0
    assert only(newcomer.doctor(newcomer.list_boards(device))).connected


@pytest.mark.parametrize(
    ("mode", "extra", "says"),
    [
        (0o666, "", r"(?i)permissions"),
        (0o600, "    UseKeychain yes\n", r"(?i)UseKeychain"),
        (0o600, "    Port ninety\n", r"(?i)config.*\d|number|port"),
    ],
    ids=["writable-by-others", "unknown-word", "no-number"],
)
def test_a_config_that_ssh_refuses(newcomer: Stranger, board: Board, mode: int, extra: str, says: str) -> None:
    """The harness says what ``ssh`` says, and where."""
    device = one_board(newcomer, board, "Host pi4\n" + extra + "    HostName {address}\n    User {user}\n", mode=mode)
    refused = newcomer.ssh("pi4", "true")
    assert refused.returncode == 255
    assert re.search(says, refused.stderr), refused.stderr
    done = newcomer.harness("doctor", "--devices", str(newcomer.list_boards(device)), "--json")
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert re.search(says, said), said
    assert ".ssh/config" in said, said


def test_the_agent_of_the_environment(world: World, board: Board) -> None:
    """A key that is in the agent alone, as ``SSH_AUTH_SOCK`` says."""
    stranger = board.newcomer(world.stranger())
    own = stranger.home / ".ssh/id_ed25519"
    agent = {"SSH_AUTH_SOCK": str(world.agent(own))}
    own.unlink()
    (stranger.home / ".ssh/id_ed25519.pub").unlink()
    devices = stranger.list_boards(board.device())
    assert stranger.ssh(f"{board.account.name}@{board.server.address}", "true", env=agent).returncode == 0
    assert only(stranger.doctor(devices, env=agent)).connected
    assert only(stranger.doctor(devices)).code == "authentication"
