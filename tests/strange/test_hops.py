"""Jump hosts: each is met in OpenSSH's order, its own key is looked at, and what goes wrong there is said of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from benchmarks.strangers import Server, Stranger, World
from tests.strange.cases import Case, Outcome, check, only, try_all
from tests.strange.conftest import Board

ANOTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAHRSrMiN4nUpASV9vbxDKCFQYSXHlF4CZvCH8yMqCl5"
ONE = ("ed25519",)  # keys of other kinds take time to make


@dataclass(frozen=True)
class Way:
    """``first`` leads to ``second`` alone, ``second`` to ``board`` alone; ``side`` leads anywhere."""

    first: Server
    second: Server
    side: Server
    board: Server
    down: Server
    user: str


@pytest.fixture(scope="module")
def way(world: World, board: Board) -> Way:
    end, down = world.server(key_types=ONE), world.server(key_types=ONE)
    down.stop()
    second = world.server(f"PermitOpen {end.address}:{end.port} {down.address}:{down.port}", key_types=ONE)
    first = world.server(f"PermitOpen {second.address}:{second.port}", key_types=ONE)
    return Way(first, second, world.server(key_types=ONE), end, down, board.account.name)


def config(way: Way) -> str:
    """Hosts as people write them; ``-unknown``, ``-changed``, ``-refused`` are the same servers, seen otherwise."""
    hosts = {"first": way.first, "second": way.second, "side": way.side, "end": way.board, "down": way.down}
    text = ""
    for name, server in hosts.items():
        text += f"Host {name} {name}-*\n    HostName {server.address}\n    Port {server.port}\n"
        text += f"    HostKeyAlias {server.address}\n"
    text += "Host *-unknown\n    UserKnownHostsFile ~/kh-none\nHost *-changed\n    UserKnownHostsFile ~/kh-changed\n"
    text += "Host *-refused\n    User nobody-here\n"
    text += "Host second-by-first\n    ProxyJump first\nHost second-by-unknown\n    ProxyJump first-unknown\n"
    return text + f"Host *\n    User {way.user}\n    UserKnownHostsFile ~/.ssh/known_hosts\n"


#: ``{...}`` are filled in from the servers.
CASES = (
    Case("one", True, config="ProxyJump side"),
    Case("two", True, config="ProxyJump first,second"),
    Case("two-reversed", False, "unreachable|transport", "(?i)first|second|jump", config="ProxyJump second,first"),
    Case("three", True, config="ProxyJump side,first,second"),
    Case("jump-of-the-jump", True, config="ProxyJump second-by-first"),
    Case("written-out", True, config="ProxyJump {user}@{side.address}:{side.port}"),
    Case("as-address", True, config="ProxyJump ssh://{user}@{side.address}:{side.port}"),
    Case(
        "by-second-changed",
        False,
        "host-key",
        "second-changed|{second.address}",
        config="ProxyJump first,second-changed",
    ),
    Case(
        "by-second-unknown",
        False,
        "host-key",
        "second-unknown|{second.address}",
        config="ProxyJump first,second-unknown",
    ),
    Case(
        "by-first-changed", False, "host-key", "first-changed|{first.address}", config="ProxyJump first-changed,second"
    ),
    Case(
        "by-first-unknown", False, "host-key", "first-unknown|{first.address}", config="ProxyJump first-unknown,second"
    ),
    Case("by-hidden-unknown", False, "host-key", "first-unknown|{first.address}", config="ProxyJump second-by-unknown"),
    Case(
        "by-first-refused",
        False,
        "authentication",
        "first-refused|{first.address}",
        config="ProxyJump first-refused,second",
    ),
    Case(
        "by-second-refused",
        False,
        "authentication",
        "second-refused|{second.address}",
        config="ProxyJump first,second-refused",
    ),
    Case("by-jump-nowhere", False, "unreachable", "no-such-jump", config="ProxyJump no-such-jump.invalid"),
    Case("by-jump-down", False, "unreachable", "down|{down.address}", config="ProxyJump down"),
    Case("device-one", True, device={"proxy_jump": "side"}),
    Case("device-two", True, device={"proxy_jump": "first,second"}),
    Case("device-written-out", True, device={"proxy_jump": "{user}@{side.address}:{side.port}"}),
    Case("device-jump-of-the-jump", True, device={"proxy_jump": "second-by-first"}),
    Case("device-over-config", True, config="ProxyJump no-such-jump.invalid", device={"proxy_jump": "side"}),
    Case("device-none", True, config="ProxyJump no-such-jump.invalid", device={"proxy_jump": "none"}),
    Case(
        "device-hidden-unknown",
        False,
        "host-key",
        "first-unknown|{first.address}",
        device={"proxy_jump": "second-by-unknown"},
    ),
    Case(
        "device-second-changed",
        False,
        "host-key",
        "second-changed|{second.address}",
        device={"proxy_jump": "first,second-changed"},
    ),
    Case("command", True, config="ProxyCommand ssh -W %h:%p side"),
    Case(
        "command-unknown",
        False,
        "host-key|unreachable",
        "(?i)host key|proxy",
        config="ProxyCommand ssh -o BatchMode=yes -W %h:%p side-unknown",
    ),
)
#: The board behind good hops: it is the one that is blamed.
BEHIND = (
    Case("end-unknown", False, "host-key", "(?i)known", config="ProxyJump side", device={"host": "end-unknown"}),
    Case("end-changed", False, "host-key", "(?i)changed", config="ProxyJump side", device={"host": "end-changed"}),
    Case(
        "end-refused", False, "authentication", "nobody-here", config="ProxyJump side", device={"host": "end-refused"}
    ),
    Case("down-behind-one", False, "unreachable", "", config="ProxyJump side", device={"host": "down-behind-one"}),
    Case(
        "down-behind-two", False, "unreachable", "", config="ProxyJump first,second", device={"host": "down-behind-two"}
    ),
)


class _Values(dict[str, object]):
    def __missing__(self, key: str) -> object:
        return "{" + key + "}"


def filled(case: Case, way: Way) -> Case:
    def fill(text: str) -> str:
        return re.sub(r"\{(\w+)(?:\.(\w+))?\}", lambda m: str(_value(way, m[1], m[2])), text)

    device = {key: fill(str(value)) for key, value in case.device.items()}
    says = re.sub(r"\{(\w+)\.(\w+)\}", lambda m: re.escape(str(_value(way, m[1], m[2]))), case.says)
    return Case(case.name, case.connects, case.code, says, fill(case.config), device)


def _value(way: Way, name: str, attribute: str | None) -> object:
    found = getattr(way, name)
    return getattr(found, attribute) if attribute else found


@pytest.fixture(scope="module")
def traveller(world: World, board: Board, way: Way) -> Stranger:
    stranger = world.stranger()
    board.account.authorize(stranger.make_key())
    servers = (way.first, way.second, way.side, way.board, way.down)
    stranger.write(".ssh/known_hosts", "".join(s.known(name=n) for s in servers for n in {s.name, s.address}))
    stranger.write("kh-changed", "".join(f"{name} {ANOTHER}\n" for s in servers for name in {s.name, s.address}))
    return stranger


@pytest.fixture(scope="module")
def outcomes(traveller: Stranger, way: Way) -> dict[str, tuple[Case, Outcome]]:
    tried = [filled(case, way) for case in (*CASES, *BEHIND)]
    ends = {"HostName": way.board.address, "Port": way.board.port, "HostKeyAlias": way.board.address}
    end = "".join(f"    {key} {value}\n" for key, value in ends.items())
    text = ""
    for case in tried:
        host = str(case.device.get("host", case.name))
        jump = f"    {case.config}\n" if case.config else ""
        text += f"Host {host}\n{jump}" + ("" if case in tried[len(CASES) :] else end)
    traveller.write(".ssh/config", text + config(way))
    found = try_all(traveller, tried)
    return {case.name: (case, found[case.name]) for case in tried}


@pytest.mark.slow
@pytest.mark.parametrize("which", [case.name for case in (*CASES, *BEHIND)])
def test_hops(which: str, outcomes: dict[str, tuple[Case, Outcome]]) -> None:
    check(*outcomes[which])


@pytest.mark.slow
@pytest.mark.parametrize("which", [case.name for case in BEHIND])
def test_the_board_is_blamed(which: str, outcomes: dict[str, tuple[Case, Outcome]]) -> None:
    """Not the jump host, which did its work."""
    case, outcome = outcomes[which]
    assert outcome.finding is not None, outcome.error
    assert case.name in outcome.finding.text, outcome.finding
    assert not re.search(r"(?i)jump host '?side'?.*(refused|unknown|not known|can't be reached)", outcome.finding.text)


@pytest.mark.slow
def test_each_hop_sees_one_login(traveller: Stranger, way: Way, world: World) -> None:
    """``first``, then ``second``, then the board: each lets through to the next alone, and none is left out."""
    device = {"name": "pi4", "host": "end", "proxy_jump": "first,second"}
    traveller.write(".ssh/config", config(way))
    servers = (way.first, way.second, way.board)
    before = [server.logins() for server in servers]
    found = only(traveller.doctor(traveller.list_boards(device)))
    assert found.connected, found
    assert all(server.logins() > count for server, count in zip(servers, before, strict=True))


@pytest.mark.parametrize("wrong", ["second-changed", pytest.param("second-unknown", marks=pytest.mark.slow)])
def test_nothing_goes_to_a_board_behind_a_wrong_hop(wrong: str, traveller: Stranger, way: Way) -> None:
    """Whoever answers for the hop gets no login, and the board sees nobody."""
    traveller.write(".ssh/config", config(way))
    before = way.second.logins(), way.board.logins()
    device = {"name": "pi4", "host": "end", "proxy_jump": f"first,{wrong}"}
    found = only(traveller.doctor(traveller.list_boards(device)))
    assert (found.code, found.connected) == ("host-key", False), found
    assert (way.second.logins(), way.board.logins()) == before


@pytest.mark.slow
def test_the_fix_for_an_unknown_hop_helps(traveller: Stranger, way: Way) -> None:
    """The command that ``doctor`` names meets the jump host; after it the board is reached."""
    text = config(way).replace("Host *-unknown\n    UserKnownHostsFile ~/kh-none\n", "")
    traveller.write(".ssh/config", text)
    known = traveller.home / ".ssh/known_hosts"
    before = known.read_text()
    known.write_text(way.board.known(name=way.board.address))  # ssh may have added other keys of the jump host, hashed
    try:
        devices = traveller.list_boards({"name": "pi4", "host": "end", "proxy_jump": "side"})
        found = only(traveller.doctor(devices))
        assert found.code == "host-key", found
        told = re.search(r"\bssh ((?:-\S+ \S+ )*(?!-)[\w@.:-]*[\w])", found.text)
        assert told, found
        done = traveller.ssh("-o", "StrictHostKeyChecking=accept-new", *told[1].split(), "true")
        assert done.returncode == 0, (told[0], done.stderr)
        assert only(traveller.doctor(devices)).connected
    finally:
        known.write_text(before)


@pytest.mark.slow
def test_a_cell_behind_two_hops(traveller: Stranger, way: Way) -> None:
    traveller.write(".ssh/config", config(way))
    devices = traveller.list_boards({"name": "pi4", "host": "end", "proxy_jump": "first,second"})
    found = only(traveller.measure(devices))
    assert found.healthy, found
