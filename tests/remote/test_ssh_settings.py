"""What OpenSSH decides about a board: settings, host keys, keys to log in with, and whose fault it is."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.made.sshd import make_key
from harness.core.errors import AuthenticationError, HostKeyError, SshSettingsError, UnreachableError
from harness.remote import hops, hostkeys, identities, openssh, paramiko_config
from harness.remote.hostkeys import KnownKeys, check, known_keys
from harness.remote.ssh_settings import Settings, file_names, home
from harness.remote.target import SshTarget

PI = SshTarget("pi4", "pi.local")


def settings(*known_hosts: Path, name: str = "pi.local", **more: object) -> Settings:
    return Settings("pi.local", 22, "pi", name, known_hosts, (), **more)  # type: ignore[arg-type]


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, bytes]:
    """(type, blob) of a server's key."""
    kind, body = make_key(tmp_path / "server").split()[:2]
    return kind, base64.b64decode(body)


@pytest.fixture
def line(key: tuple[str, bytes]) -> str:
    return f"{key[0]} {base64.b64encode(key[1]).decode()}"


@pytest.mark.parametrize(
    ("hop", "parts"),
    [
        ("h", ("", "h", "")),
        ("u@h:22", ("u", "h", "22")),
        ("u@corp@h", ("u@corp", "h", "")),
        ("[::1]:22", ("", "::1", "22")),
        ("fe80::1", ("", "fe80::1", "")),
        ("ssh://u@h:2222/", ("u", "h", "2222")),
    ],
)
def test_a_jump_host_is_read_as_openssh_reads_it(hop: str, parts: tuple[str, str, str]) -> None:
    assert openssh.hop(hop) == parts


def test_names_of_files_may_have_blanks(tmp_path: Path) -> None:
    odd = tmp_path / "known hosts of the lab"
    odd.touch()
    assert file_names(f"/none/a {odd} /none/b") == ["/none/a", str(odd), "/none/b"]


def test_a_wrong_configuration_is_told_in_openssh_s_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ssh itself is asked; here through a wrapper that gives it another configuration file."""
    config, wrapper = tmp_path / "config", tmp_path / "bin/ssh"
    config.write_text("Host *\n  Prot 2222\n")
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {openssh.shutil.which("ssh")} -F {config} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    with pytest.raises(SshSettingsError, match="Bad configuration option: prot"):
        openssh.resolve(PI)
    config.write_text("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    with pytest.raises(SshSettingsError, match="round in a circle"):
        openssh.resolve(SshTarget("x", "a"))
    config.write_text(
        "Host pi.*\n  HostName %h.lab\n  Port 2222\n  User bob\n  ProxyJump two\n  IdentityFile %d/of-%n\n"
        "  HostKeyAlias board-7\n  UserKnownHostsFile ~/a ~/b\nHost two\n  ProxyJump u@one:44\n"
    )
    made = openssh.resolve(PI)
    assert (made.hostname, made.port, made.user, made.host_key_name) == ("pi.local.lab", 2222, "bob", "board-7")
    assert made.jumps == ("u@one:44", "two")
    assert made.known_hosts[:2] == (home() / "a", home() / "b")
    assert made.identities == (home() / "of-pi.local",)
    assert openssh.resolve(SshTarget("x", "pi.local", user="me", port=9)).user == "me"


def test_a_known_key_is_accepted_by_every_rule(tmp_path: Path, key: tuple[str, bytes], line: str) -> None:
    for names in ("pi.local", "*.local", "other,pi.local", "pi.*,!pi.lab"):
        file = tmp_path / "known"
        file.write_text(f"!!! not a line\n@cert-authority *.lab.example {line}\n{names} {line}\n")
        check(PI, settings(file), known_keys(settings(file)), key)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=False, capture_output=True)
    hashed = tmp_path / "hashed"
    hashed.write_text(f"pi.local {line}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(hashed)], check=True, capture_output=True)
    assert hashed.read_text().startswith("|1|")
    check(PI, settings(tmp_path / "none", hashed), known_keys(settings(tmp_path / "none", hashed)), key)


def test_another_port_may_be_known_without_it(tmp_path: Path, key: tuple[str, bytes], line: str) -> None:
    file = tmp_path / "known"
    file.write_text(f"pi.local {line}\n")
    there = settings(file, name="[pi.local]:2222")
    check(PI, there, known_keys(there), key)
    file.write_text(f"[pi.local]:2222 {line}\npi.local {_other(tmp_path)}\n")
    check(PI, there, known_keys(there), key)


def _other(tmp_path: Path) -> str:
    return " ".join(make_key(tmp_path / f"other{len(list(tmp_path.iterdir()))}").split()[:2])


def test_a_key_that_must_not_be(tmp_path: Path, key: tuple[str, bytes], line: str) -> None:
    file = tmp_path / "known"
    file.write_text("")
    with pytest.raises(HostKeyError, match=r"not known .*SHA256:.*connect once by hand.*ssh pi\.local"):
        check(PI, settings(file), known_keys(settings(file)), key)
    file.write_text(f"\npi.local {_other(tmp_path)}\n")
    with pytest.raises(HostKeyError, match=rf"CHANGED: expected SHA256:.*{file}:2.*ssh-keygen -R 'pi.local' -f {file}"):
        check(PI, settings(file), known_keys(settings(file)), key)
    file.write_text(f"@revoked * {line}\npi.local {line}\n")
    with pytest.raises(HostKeyError, match="REVOKED"):
        check(PI, settings(file), known_keys(settings(file)), key)
    file.write_text(f"@cert-authority * {line}\n")
    with pytest.raises(HostKeyError, match="not known"):
        check(PI, settings(file), known_keys(settings(file)), key)


def test_a_list_of_revoked_keys_counts(tmp_path: Path, key: tuple[str, bytes], line: str) -> None:
    file, revoked = tmp_path / "known", tmp_path / "revoked"
    file.write_text(f"pi.local {line}\n")
    revoked.write_text(_other(tmp_path) + "\n")
    there = settings(file, revoked_host_keys=revoked)
    check(PI, there, known_keys(there), key)
    revoked.write_text(line + "\n")
    with pytest.raises(HostKeyError, match="REVOKED"):
        check(PI, there, known_keys(there), key)
    for named in (_other(tmp_path), line):  # OpenSSH's binary form
        (tmp_path / "keys").write_text(named + "\n")
        subprocess.run(["ssh-keygen", "-q", "-k", "-f", str(revoked), str(tmp_path / "keys")], check=True)
        if named != line:
            check(PI, there, known_keys(there), key)
    with pytest.raises(HostKeyError, match="REVOKED"):
        check(PI, there, known_keys(there), key)
    revoked.unlink()
    with pytest.raises(HostKeyError, match="REVOKED"):
        check(PI, there, known_keys(there), key)


def test_without_openssh_plain_lines_still_count(tmp_path: Path, key: tuple[str, bytes], line: str) -> None:
    file = tmp_path / "known"
    file.write_text(f"garbage\n@cert-authority *.x ssh-ed25519 AAAA\npi.local ssh-ed25519 %%%\npi.local {line}\n")
    check(PI, settings(file), paramiko_config.known_keys(settings(file)), key)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=False, capture_output=True)
    file.write_text(file.read_text() + f"@revoked * {line}\n")
    with pytest.raises(HostKeyError, match="REVOKED"):
        check(PI, settings(file), paramiko_config.known_keys(settings(file)), key)


def test_without_openssh_what_needs_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paramiko_config, "home", lambda: tmp_path)
    (tmp_path / ".ssh").mkdir()
    config = tmp_path / ".ssh/config"
    config.write_text("Host pi.local\n  Port 2222\n  User bob\n  IdentityFile ~/.ssh/k\n")
    made = paramiko_config.resolve(PI)
    assert (made.port, made.user, made.host_key_name) == (2222, "bob", "[pi.local]:2222")
    assert [file.name for file in made.identities] == ["k"]
    assert made.known_hosts[0] == tmp_path / ".ssh/known_hosts"
    config.write_text("Include more\n")
    with pytest.raises(SshSettingsError, match="'Include more' needs OpenSSH"):
        paramiko_config.resolve(PI)
    config.write_text("")
    with pytest.raises(SshSettingsError, match="jump host needs OpenSSH"):
        paramiko_config.resolve(SshTarget("x", "pi.local", proxy_jump="h"))


def _private(kind: str, *more: str, folder: Path, password: str = "") -> Path:
    path = folder / f"{kind}{''.join(more)}"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", password, "-f", str(path), *more], check=True)
    return path


@pytest.mark.parametrize(
    ("kind", "more"),
    [("ed25519", ()), ("rsa", ()), ("ecdsa", ()), ("rsa", ("-m", "PEM")), ("rsa", ("-m", "PKCS8")),
     ("ecdsa", ("-m", "PKCS8")), ("ecdsa", ("-m", "PEM"))],
)  # fmt: skip
def test_every_form_of_a_key_is_read(tmp_path: Path, kind: str, more: tuple[str, ...]) -> None:
    path = _private(kind, *more, folder=tmp_path)
    key, problem = identities.load(path)
    assert problem is None
    assert key is not None
    assert base64.b64encode(key.asbytes()).decode() == path.with_name(path.name + ".pub").read_text().split()[1]


def test_what_is_wrong_with_a_key_file_is_said(tmp_path: Path) -> None:
    good = _private("ed25519", folder=tmp_path)
    locked = _private("rsa", folder=tmp_path, password="secret")
    for name, content, words in (
        ("empty", b"", "is empty"),
        ("ppk", b"PuTTY-User-Key-File-3: ssh-ed25519\n", "is a PuTTY key"),
        ("text", b"hello\n", "is no private key"),
        ("public.pub", good.with_name("ed25519.pub").read_bytes(), "is a public key"),
        ("big", b"x" * (1 << 20), "too large"),
        ("cut", good.read_bytes()[:150], "is no private key"),
    ):
        file = tmp_path / name
        file.write_bytes(content)
        file.chmod(0o600)
        key, problem = identities.load(file)
        assert key is None
        assert words in str(problem)
        assert str(file) in str(problem)
    assert "has a passphrase" in str(identities.load(locked)[1])
    assert "is a folder" in str(identities.load(tmp_path)[1])
    assert "is not there" in str(identities.load(tmp_path / "none")[1])
    os.mkfifo(tmp_path / "fifo")
    assert "no plain file" in str(identities.load(tmp_path / "fifo")[1])
    good.chmod(0o644)
    assert f"chmod 600 {good}" in identities.load(good)[1].fix  # type: ignore[union-attr]
    good.chmod(0o600)
    good.write_bytes(good.read_bytes().replace(b"\n", b"\r\n"))
    assert identities.load(good)[1] is None


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("No ED25519 host key is known for [h2]:22803 and you have requested strict checking.\r\nHost key verification "
         "failed.\r\nkex_exchange_identification: Connection closed by remote host\r\n", HostKeyError,
         r"jump host \[h2\]:22803.*not known.*ssh -p 22803 h2"),
        ("@@@\nThe fingerprint for the ED25519 key sent by the remote host is\nSHA256:abc.\nOffending ED25519 key in "
         "/h/known_hosts:3\nHost key for h2 has changed and you have requested strict checking.\n", HostKeyError,
         "jump host h2: the host key CHANGED: another than /h/known_hosts:3, got SHA256:abc"),
        ("The ED25519 host key for h2 is marked as revoked.\n", HostKeyError, "jump host h2.*REVOKED"),
        ("bob@h1: Permission denied (publickey).\n", AuthenticationError, "jump host bob@h1 does not let you in"),
        ("ssh: connect to host h1 port 22: Connection refused\r\n", UnreachableError, r"jump host h1 \(port 22\)"),
        ("ssh: Could not resolve hostname h1: Name or service not known\r\n", UnreachableError, "h1: its name"),
        ("channel 0: open failed: connect failed: Connection refused\r\nstdio forwarding failed\r\n", UnreachableError,
         "pi4.*can't be reached from the jump host: Connection refused"),
        ("channel 0: open failed: connect failed: No route\r\nstdio forwarding failed\r\nkex_exchange_identification: x"
         "\r\nConnection closed by UNKNOWN port 65535\r\n", UnreachableError, "one jump host can't reach the next"),
        ("/h/.ssh/config: line 1: Bad configuration option: x\r\n", SshSettingsError, "Bad configuration option: x"),
        ("", UnreachableError, "it said nothing"),
    ],
)  # fmt: skip
def test_the_hop_to_blame_is_named(said: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=f"(?s){words}"):
        raise hops.explained(PI, said, jumps=True)


@given(st.text(max_size=300))
def test_a_hop_can_say_anything(said: str) -> None:
    assert hops.explained(PI, said, jumps=False).message.isprintable()


@given(st.text(max_size=200))
def test_any_text_in_known_hosts_is_borne(text: str) -> None:
    for line in text.splitlines():
        paramiko_config._key(line, "pi.local", "file", "1")


@given(st.binary(max_size=300))
def test_any_bytes_in_a_key_file_are_borne(data: bytes) -> None:
    key, problem = identities._parsed(Path("file"), data)
    assert (key is None) != (problem is None)


def test_openssh_s_answer_is_pinned(key: tuple[str, bytes]) -> None:
    accepted = hostkeys.Answer(key[0], hostkeys.fingerprint(key[1]))
    check(PI, settings(), KnownKeys((), accepted), key)
    with pytest.raises(HostKeyError, match="OpenSSH accepted key SHA256:another"):
        check(PI, settings(), KnownKeys((), hostkeys.Answer(key[0], "SHA256:another")), key)
