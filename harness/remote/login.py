"""Logging in to a board: OpenSSH decides how, fabric and paramiko do it."""

from __future__ import annotations

import logging
import random
import socket
import time
from dataclasses import dataclass
from typing import Any

import fabric
import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from harness.core.errors import AuthenticationError, TransportError, UnreachableError
from harness.remote import asked, hostkeys, identities, openssh, paramiko_config, ways
from harness.remote.hostkeys import KnownKeys
from harness.remote.identities import Identities
from harness.remote.ssh_settings import Settings
from harness.remote.target import SshTarget, notice_silence

#: How often to retry a server that hangs up at once, since too many clients may be connecting to it.
_KNOCKS = 4

#: Kinds of key that paramiko can verify, under their names in known_hosts.
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


class Carried(fabric.Connection):  # type: ignore[misc]
    """An open fabric connection together with the route that carries it."""

    way: ways.Way | None = None

    def close(self) -> None:
        super().close()
        if self.way is not None:
            self.way.close()


# without a logging configuration, paramiko's threads would print tracebacks; the same errors are raised as exceptions
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _Dropped(Exception):
    """The other side hung up before it sent anything."""


def connect(target: SshTarget, timeout_s: float) -> Carried:
    """An open connection with its host key verified, logged in.

    Raises:
        UnreachableError, HostKeyError, AuthenticationError, SshSettingsError, TransportError.
    """
    settings = settings_of(target)
    for knock in range(_KNOCKS):
        try:
            with ways.door(settings):
                return _attempt(target, settings, timeout_s)
        except _Dropped as error:
            if knock == _KNOCKS - 1:
                raise UnreachableError(
                    f"{target.shown}: no SSH there: {error}",
                    fix="is it an SSH server, and is it up? With many at once its MaxStartups may be too low",
                ) from error
            time.sleep(random.uniform(0.1, 0.4) * (knock + 1))  # noqa: S311 - not a secret
    raise AssertionError("unreachable")


def settings_of(target: SshTarget) -> Settings:
    """The SSH settings by which a target is reached.

    Raises:
        SshSettingsError: the user's ssh configuration is wrong.
    """
    if not target.use_ssh_config:
        return paramiko_config.exactly(target)
    return openssh.resolve(target) if openssh.installed() else paramiko_config.resolve(target)


def _attempt(target: SshTarget, settings: Settings, timeout_s: float) -> Carried:
    if target.use_ssh_config and openssh.installed():
        known = hostkeys.known_keys(settings)
        if known.authorities or settings.asks_openssh:
            known = _with_openssh(target, settings, known, timeout_s)
    else:
        known = paramiko_config.known_keys(settings)
    way = ways.open_way(target, settings, timeout_s=timeout_s)
    login = _Login(target, settings, known, identities.gather(settings, target.identity_file))
    try:
        connection = _carried(settings, login, way, timeout_s)
    except TransportError:
        way.close()
        raise
    except BaseException as error:
        try:
            raise _mapped(target, way, error) from error
        finally:
            way.close()
    finally:
        login.offered.close()
    connection.way = way
    if target.use_ssh_config:  # an emulated board is on this machine, and its clock must not see a packet
        notice_silence(connection.client.get_transport())
    return connection


def _with_openssh(target: SshTarget, settings: Settings, known: KnownKeys, timeout_s: float) -> KnownKeys:
    """Ask OpenSSH where more than plain keys in known_hosts decides, and pin the key that it accepts."""
    way = ways.as_proxy_command(target, settings, timeout_s) if settings.jumps else settings.proxy_template
    return KnownKeys(known.keys, asked.ask_openssh(target, way, timeout_s=timeout_s))


@dataclass
class _Login:
    """paramiko's callbacks: they check the host key and choose the keys to offer."""

    target: SshTarget
    settings: Settings
    known: KnownKeys
    offered: Identities

    def missing_host_key(self, client: Any, hostname: str, key: paramiko.PKey) -> None:
        """Check the host key; paramiko is given no known keys, so it calls this policy for each one."""
        del client, hostname
        hostkeys.check(self.target, self.settings, self.known, (key.get_name(), key.asbytes()))

    def authenticate(self, transport: paramiko.Transport) -> list[str]:
        """Log in in ssh's order; an error lists what was offered.

        Raises:
            AuthenticationError: none of the keys is accepted, or there is none.
        """
        if not self.settings.keys_allowed:
            raise AuthenticationError(
                f"{self.target.shown}: your ssh configuration allows no keys, and the harness uses nothing else",
                fix="see PubkeyAuthentication and PreferredAuthentications in ssh_config",
            )
        methods = self._methods(transport)
        if methods is None:
            return []
        if "publickey" not in methods:
            raise AuthenticationError(
                f"{self.target.shown}: takes no keys, only {', '.join(methods) or 'nothing'}",
                fix="allow keys there (PubkeyAuthentication yes); the harness uses no passwords",
            )
        tried = []
        for key, where in self.offered.keys:
            tried.append(where)
            try:
                left = transport.auth_publickey(self.settings.user, key)
            except paramiko.BadAuthenticationType as error:
                methods = list(error.allowed_types)
                continue
            except (paramiko.SSHException, EOFError):
                if not transport.is_active():
                    raise self._too_many(tried) from None
                continue
            if left:
                raise AuthenticationError(
                    f"{self.target.shown}: wants more than a key: {', '.join(left)}",
                    fix="let that user in by a key alone",
                )
            return []
        if not transport.is_active():
            raise self._too_many(tried)
        raise self._refused(tried)

    def _methods(self, transport: paramiko.Transport) -> list[str] | None:
        """The login methods that the server offers; None where it accepts anybody."""
        try:
            transport.auth_none(self.settings.user)
        except paramiko.BadAuthenticationType as error:
            return list(error.allowed_types)
        except paramiko.AuthenticationException as error:
            if not transport.is_active():
                raise AuthenticationError(
                    f"{self.target.shown}: the board ends the login of user '{self.settings.user}': {error}",
                    fix="may that user log in there (AllowUsers, DenyUsers, an account that is locked)?",
                ) from error
            return ["publickey"]
        return None

    def _too_many(self, tried: list[str]) -> AuthenticationError:
        return AuthenticationError(
            f"{self.target.shown}: the board ended the login after {len(tried)} keys: too many were offered"
            f" ({'; '.join(tried)[:400]})",
            fix="name the right key: identity_file in devices.yaml, and IdentitiesOnly yes in ~/.ssh/config",
        )

    def _refused(self, tried: list[str]) -> AuthenticationError:
        who, problems = self.settings.user, self.offered.problems
        wrong = "; ".join(map(str, problems))[:800]
        copy_id = "ssh-copy-id" + self.target.by_hand.removeprefix("ssh")
        if not tried and problems:
            return AuthenticationError(
                f"{self.target.shown}: there is no key to log in with: {wrong}", fix=problems[0].fix
            )
        if not tried:
            return AuthenticationError(
                f"{self.target.shown}: there is no key to log in with: no agent has one, and no file in ~/.ssh",
                fix=f"make one and copy it to the board: ssh-keygen -t ed25519 && {copy_id}",
            )
        offered = f"; offered: {'; '.join(tried)[:400]}" + (f"; not usable: {wrong}" if wrong else "")
        return AuthenticationError(
            f"{self.target.shown}: the board does not let user '{who}' in{offered}",
            fix=problems[0].fix if problems else f"is that the user there? Copy the key: {copy_id}",
        )


class _OwnConfig(fabric.Config):  # type: ignore[misc]
    """fabric with its own defaults alone. Otherwise a ``gateway`` in the user's ~/.fabric.yaml would replace the open
    connection by one whose host keys are not checked, a ~/.fabric.py would be run, and a damaged file would end the
    program.
    """

    def load_base_conf_files(self) -> None:
        """Load no configuration files."""


def _carried(settings: Settings, login: _Login, way: ways.Way, timeout_s: float) -> Carried:
    def transport(sock: socket.socket, **more: Any) -> paramiko.Transport:
        made = paramiko.Transport(sock, **more)
        _prefer(made, settings, login.known)
        return made

    connection = Carried(
        settings.hostname,
        user=settings.user,
        port=settings.port,
        config=_OwnConfig(ssh_config=paramiko.SSHConfig(), lazy=True),
        connect_timeout=timeout_s,
        connect_kwargs={
            "sock": way.sock, "transport_factory": transport, "auth_strategy": login, "compress": settings.compression,
            "banner_timeout": timeout_s * 3, "auth_timeout": timeout_s * 3,
        },
    )  # fmt: skip
    connection.client.set_missing_host_key_policy(login)
    try:
        connection.open()
    except BaseException:
        connection.close()
        raise
    return connection


def _prefer(transport: paramiko.Transport, settings: Settings, known: KnownKeys) -> None:
    """Prefer a key of a known type, as ssh does; keep to the user's lists where paramiko supports part of them."""
    security = transport.get_security_options()
    for name, key in (
        ("key_types", "hostkeyalgorithms"), ("kex", "kexalgorithms"), ("ciphers", "ciphers"), ("digests", "macs"),
    ):  # fmt: skip
        able = list(getattr(security, name))
        chosen = [algorithm for algorithm in settings.algorithms.get(key, ()) if algorithm in able]
        if chosen:
            setattr(security, name, chosen)
    able = list(security.key_types)
    known_types = [name for kind in known.kinds() for name in _SIGNATURES.get(kind, (kind,)) if name in able]
    security.key_types = list(dict.fromkeys([*known_types, *able]))


#: A server that accepts only the newest algorithms, or a very old one.
_COMMON = (
    "let its sshd_config take one of these, too: KexAlgorithms curve25519-sha256, Ciphers aes256-gcm@openssh.com or "
    "aes256-ctr, MACs hmac-sha2-256; a server that is too old for that needs an update"
)


def _mapped(target: SshTarget, way: ways.Way, error: BaseException) -> BaseException:
    """The errors of paramiko and of the socket as ours; OpenSSH's report on the route comes first."""
    if not isinstance(error, (paramiko.SSHException, OSError, EOFError)):
        return error
    if (explanation := way.explain()) is not None:
        return explanation
    if isinstance(error, IncompatiblePeer):
        return TransportError(f"{target.shown}: no common way to talk: {error}", fix=_COMMON)
    words = str(error) or type(error).__name__
    silent = "banner" in words or isinstance(error, (EOFError, ConnectionResetError, BrokenPipeError))
    if silent and not isinstance(error, TimeoutError) and "timed out" not in words.lower():
        return _Dropped(f"it takes the connection and hangs up ({words})")
    if silent or "No existing session" in words or isinstance(error, TimeoutError):
        words = "it takes the connection and says nothing"
    return UnreachableError(f"{target.shown}: no SSH there: {words}", fix="is it an SSH server, and is it up?")
