"""Why a connection through jump hosts broke: which hop is at fault by OpenSSH's own messages, and the fix."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.core.errors import (
    AuthenticationError,
    HostKeyError,
    SshSettingsError,
    TransportError,
    UnreachableError,
)
from harness.core.safetext import clean
from harness.remote.target import SshTarget

#: An outer ssh prints this when the inner ssh that should have connected it ended.
INNER_ENDED = "UNKNOWN port 65535"


def explained(target: SshTarget, stderr: str, *, jumps: bool) -> TransportError:
    """The error that ``ssh`` reported on stderr.

    Args:
        stderr: its text; a hop may have written parts of it, so it is sanitised before it is shown.
        jumps: whether the connection was built here from ProxyJump; else it is the user's own ProxyCommand.
    """
    for pattern, make in _MEANINGS:
        if match := re.search(pattern, stderr, re.MULTILINE | re.DOTALL):
            return make(target, match, stderr)
    words = clean("; ".join(line.strip() for line in stderr.splitlines() if line.strip()))[-400:]
    way = "the way through the jump host" if jumps else "the ProxyCommand of your ssh configuration"
    return UnreachableError(f"{target.shown}: {way} ended: {words or 'it said nothing'}", fix=f"try: {target.by_hand}")


def _bare(name: str) -> str:
    """A host as a person types it, converted from known_hosts' ``[host]:port``."""
    match = re.fullmatch(r"\[(.+)\]:(\d+)", name)
    return f"-p {match[2]} {match[1]}" if match else name


def _unknown(target: SshTarget, match: re.Match[str], stderr: str) -> TransportError:
    del stderr
    return HostKeyError(
        f"{target.shown}: jump host {clean(match[2])}: its {clean(match[1])} host key is not known",
        fix=f"connect to the jump host once by hand, and compare the fingerprint: ssh {_bare(clean(match[2]))}",
    )


def _unverified(target: SshTarget, match: re.Match[str], stderr: str) -> TransportError:
    del match, stderr
    return HostKeyError(
        f"{target.shown}: a jump host on the way: its host key is not the known one",
        fix=f"connect by hand, and compare the fingerprints: {target.by_hand}",
    )


def _changed(target: SshTarget, match: re.Match[str], stderr: str) -> TransportError:
    place = re.search(r"^Offending .*key in (\S.*:\d+)", stderr, re.MULTILINE)
    sent = re.search(r"(SHA256:[A-Za-z0-9+/=]+)", stderr)
    expected = f": another than {clean(place[1]).strip()}" if place else ""
    return HostKeyError(
        f"{target.shown}: jump host {clean(match[1])}: the host key CHANGED{expected}"
        + (f", got {clean(sent[1])}" if sent else ""),
        fix="find out why before anything else; then remove the old line from known_hosts",
    )


def _revoked(target: SshTarget, match: re.Match[str], stderr: str) -> TransportError:
    del stderr
    return HostKeyError(
        f"{target.shown}: jump host {clean(match[1])}: its host key is REVOKED",
        fix="do not connect; find out why it was revoked",
    )


def _denied(target: SshTarget, match: re.Match[str], stderr: str) -> TransportError:
    del stderr
    return AuthenticationError(
        f"{target.shown}: jump host {clean(match[1])} does not let you in (it takes: {clean(match[2])})",
        fix=f"ssh-copy-id {clean(match[1])}; a key with a passphrase must be in the agent: ssh-add",
    )


def _too_many(target: SshTarget, match: re.Match[str], stderr: str) -> TransportError:
    del match, stderr
    return AuthenticationError(
        f"{target.shown}: the jump host ended the login: too many keys were offered",
        fix="name the right key for the jump host in ~/.ssh/config: IdentityFile and IdentitiesOnly yes",
    )


def _unresolved(target: SshTarget, match: re.Match[str], stderr: str) -> TransportError:
    del stderr
    return UnreachableError(
        f"{target.shown}: jump host {clean(match[1])}: its name can't be resolved: {clean(match[2])}",
        fix="is the jump host's name right?",
    )


def _refused(target: SshTarget, match: re.Match[str], stderr: str) -> TransportError:
    del stderr
    return UnreachableError(
        f"{target.shown}: jump host {clean(match[1])} (port {match[2]}) can't be reached: {clean(match[3])}",
        fix="is the jump host up, and are its name and port right?",
    )


def _forbidden(target: SshTarget, match: re.Match[str], stderr: str) -> TransportError:
    del match, stderr
    return TransportError(
        f"{target.shown}: the jump host does not forward connections",
        fix="allow it there: AllowTcpForwarding yes, and PermitOpen, in its sshd_config",
    )


def _behind(target: SshTarget, match: re.Match[str], stderr: str) -> TransportError:
    reason = clean(match[1])
    if INNER_ENDED in stderr[match.end() :]:
        return UnreachableError(
            f"{target.shown}: one jump host can't reach the next: {reason}", fix=f"try: {target.by_hand}"
        )
    return UnreachableError(
        f"{target.shown}: can't be reached from the jump host: {reason}",
        fix="is the board switched on, and are name and port right as the jump host sees them?",
    )


def _dropped(target: SshTarget, match: re.Match[str], stderr: str) -> TransportError:
    del stderr
    return UnreachableError(
        f"{target.shown}: the jump host closed the connection before it began: {clean(match[1])}",
        fix="is it an SSH server? With many boards its MaxStartups may be too low",
    )


def _late(target: SshTarget, match: re.Match[str], stderr: str) -> TransportError:
    del stderr
    return UnreachableError(
        f"{target.shown}: the jump host does not answer: {clean(match[0])}", fix="is the jump host up?"
    )


def _settings(target: SshTarget, match: re.Match[str], stderr: str) -> TransportError:
    del stderr
    return SshSettingsError(
        f"{target.shown}: ssh does not take your configuration: {clean(match[0])}", fix=f"try: {target.by_hand}"
    )


_Maker = Callable[[SshTarget, "re.Match[str]", str], TransportError]
#: In search order: the patterns that identify the faulty hop best come first.
_MEANINGS: tuple[tuple[str, _Maker], ...] = (
    (r"^[^\n]*(?:Bad configuration option|Bad owner or permissions|no argument after keyword)[^\n]*", _settings),
    (r"host key for (\S+) is marked as revoked", _revoked),
    (r"^Host key for (\S+) has changed", _changed),
    (r"^No (\S+) host key is known for (\S+) and you have requested strict", _unknown),
    (r"^Host key verification failed", _unverified),
    (r"Too many authentication failures", _too_many),
    (r"^(\S+): Permission denied \(([^)\n]*)\)", _denied),
    (r"^ssh: Could not resolve hostname (\S+): ([^\n\r]*)", _unresolved),
    (r"^ssh: connect to host (\S+) port (\d+): ([^\n\r]*)", _refused),
    (r"open failed: administratively prohibited", _forbidden),
    (r"open failed: (?:connect failed: )?([^\n\r]*)", _behind),
    (r"^kex_exchange_identification: ([^\n\r]*)", _dropped),
    (r"^[^\n]*(?:timed out|did not answer)[^\n\r]*", _late),
)
