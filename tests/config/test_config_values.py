"""devices.yaml as people write it: every value means what was written, or is refused with its line."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.config.devices import Device, load, parse
from harness.core.errors import ConfigError

#: how pydantic and PyYAML talk
_JARGON = re.compile(
    r"valid (tuple|list|dict|string|integer|boolean)|[Ii]nput should|pydantic|https?://|type=|\[\w+_\w+"
)


def one(*lines: str) -> Device:
    return parse("\n".join(["devices:", "- name: pi4", "  board: generic", *(f"  {line}" for line in lines)])).devices[
        0
    ]


def refused(text: str, *, line: int | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, file="d.yaml")
    said = str(caught.value)
    assert not _JARGON.search(said.replace("http://pi4", "").replace("http://a", "")), said
    assert "\n" not in said
    if line is not None:
        assert said.startswith(f"d.yaml:{line}: "), said
    return said


def refused_line(*lines: str) -> str:
    text = "\n".join(["devices:", "- name: pi4", "  board: generic", *(f"  {line}" for line in lines)])
    return refused(text, line=3 + len(lines))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("pi4", "pi4"),
        ("pi4.local.", "pi4.local."),
        ("PI4.Local", "PI4.Local"),
        ("bücher.example", "bücher.example"),
        ("lab_pi-4", "lab_pi-4"),
        ("10.0.0.5", "10.0.0.5"),
        ("::1", "::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("'[::1]'", "::1"),
        ("[::1]", "::1"),
        ("no", "no"),
        ("1e3", "1e3"),
    ],
)
def test_a_host_is_what_was_written(written: str, meant: str) -> None:
    assert one(f"host: {written}").host == meant


def test_the_one_line_form_takes_an_ipv6_address() -> None:
    device = parse("devices:\n- {name: a, board: generic, host: ::1, port: 22}\n").devices[0]
    assert (device.host, device.port) == ("::1", 22)


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("root@127.0.0.1", "write host: 127.0.0.1, user: root"),
        ("pi4:22", "write host: pi4, port: 22"),
        ("22:22", "port: 22"),
        ("ssh://pi@pi4:2222", "write host: pi4, user: pi, port: 2222"),
        ("ssh://pi4/", "write host: pi4"),
        ("'[::1]:22'", "write host: '::1', port: 22"),
        ("[::1]:22", "write host: '::1', port: 22"),
        ("me@[::1]:22", "write host: '::1', user: me, port: 22"),
        (r"LAB\me@pi4", r"write host: pi4, user: LAB\me"),
        ("http://pi4", "the host's name alone"),
        ("fe80::1", "fe80::1%eth0"),
        ("192.168.001.010", "write host: 192.168.1.10"),
        ("10.5", "no IP address"),
        ("10.0.0.256", "no IP address"),
        ("0x7f000001", "no IP address"),
        ("10", "is a number"),
        ("10.0.0.5/24", "holds a path"),
        ("pi4:~/x", "holds a path"),
        ("pi 4", "holds a space"),
        ("'pi4 '", "holds a space"),
        ("$(id)", "no host name"),
        ("a;b", "no host name"),
        ('"a\'b"', "no host name"),
        ("a,b", "no host name"),
        ("-oProxyCommand=x", "no host name"),
        ("a..b", "1 to 63 characters"),
        ("b8:27:eb:00:00:01", "MAC address"),
        ("[a, b]", "one text"),
        ("[a]", "write host: a"),
        ("{a: b}", "one text"),
        ("", "'host' for device 'pi4': has nothing behind it"),
        ("~", "has nothing behind it"),
        ("''", "is empty"),
        ('"a\\nb"', "control character"),
        ("x" * 300, "longer than 253"),
        ("'*.lab'", "no host name"),
        ("@pi", "needs quotes"),
    ],
)
def test_a_host_that_is_none_is_refused_with_what_to_write(written: str, instead: str) -> None:
    assert instead in refused_line(f"host: {written}")


def test_a_user_beside_a_user_in_the_host_changes_nothing() -> None:
    said = refused("devices:\n- name: a\n  board: generic\n  host: root@127.0.0.1\n  user: root\n", line=4)
    assert "write host: 127.0.0.1, user: root" in said


@pytest.mark.parametrize("name", ["pi", r"DOMAIN\user", "me@example.org", "Admin", "host$", "1000", "no", "j.doe-2"])
def test_users_of_all_kinds(name: str) -> None:
    assert one("host: h", f"user: {name}").user == name


@pytest.mark.parametrize("name", ["-x", "a b", "$(id)", "a;b", "''", "$HOME", r"DOMAIN\\"])
def test_what_is_no_user(name: str) -> None:
    assert "'user" in refused_line("host: h", f"user: {name}")


def test_a_backslash_in_double_quotes_is_explained() -> None:
    assert "use single ones" in refused_line("host: h", r'user: "DOMAIN\user"')


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("hop", "hop"),
        ("a,b", "a,b"),
        ("a, me@b:22", "a,me@b:22"),
        ("[a, b]", "a,b"),
        ("ssh://me@b:22/", "me@b:22"),
        ("'[::1]:22'", "[::1]:22"),
        ("none", "none"),
    ],
)
def test_jump_hosts_as_ssh_takes_them(written: str, meant: str) -> None:
    assert one("host: h", f"proxy_jump: {written}").proxy_jump == meant


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a,,b", "is empty"),
        ("a,b:99999", "jump host 'b:99999'"),
        ("a:ssh", "no usable port"),
        ("::1", "write '[::1]'"),
        ("-oX", "jump host '-oX'"),
        ("a b", "holds a space"),
        ("http://a", "no SSH address"),
    ],
)
def test_jump_hosts_that_are_none(written: str, said: str) -> None:
    assert said in refused_line("host: h", f"proxy_jump: {written}")


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("port: 02222", "write 2222"),
        ("port: 22:22", "is 22 meant?"),
        ("port: 2_222", "write 2222"),
        ("port: 0x16", "write 22"),
        ("port: 0b10110", "write 22"),
        ("port: 0o26", "write 22"),
        ("port: 1e3", "write 1000"),
        ("port: 22.0", "write 22"),
        ("port: yes", "plain digits"),
        ("port: 2024-01-01", "plain digits"),
        ("port: .inf", "plain digits"),
        ("port: [22]", "'port: [22]'"),
        ("port: 99999999999999999999999999999999999999999999", "plain digits"),
        ("threads: [1, 010]", "write 10"),
        ("threads: [1, ~]", "nothing"),
        ("threads:", "has nothing behind it"),
        ("threads: []", "empty list"),
        ("threads: 1:30", "base 60"),
        ("samples: 1_000", "write 1000"),
        ("samples: ALL", "must be 'all'"),
        ("thresholds: {drift: 30%}", "write 0.3"),
        ("thresholds: {drift: '0,3'}", "write 0.3"),
        ("thresholds: {drift: 1:30}", "base 60"),
        ("thresholds: {waited: .nan}", "plain digits"),
        ("thresholds: {waited: 3}", "at most 1"),
        ("thresholds: 3", "keys of its own"),
        ("emulate: maybe", "'true' or 'false'"),
        ("allow_fallback: 1", "'true' or 'false'"),
        ("tags: [~]", "nothing"),
        ("runtimes: []", "empty list"),
        ("proxy_jump: {a: b}", "'proxy_jump"),
    ],
)
def test_numbers_that_readers_of_yaml_take_differently_are_refused(line: str, instead: str) -> None:
    assert instead in refused_line("host: h", line)


def test_a_value_of_defaults_is_refused_in_its_own_line() -> None:
    text = "defaults:\n  port: 02222\ndevices:\n- {name: a, board: generic, host: h}\n"
    assert "write 2222" in refused(text, line=2)


@pytest.mark.parametrize("word", ["no", "on", "yes", "2024-01-01", "1_000", "1e3", "010", "0x10", "12", "true", "y"])
def test_a_name_and_tags_are_the_text_that_was_written(word: str) -> None:
    device = parse(f"devices:\n- name: {word}\n  board: generic\n  local: true\n  tags: [{word}, a]\n").devices[0]
    assert (device.name, device.tags) == (word, (word, "a"))


@pytest.mark.parametrize("word", ["true", "True", "yes", "on", "'true'"])
def test_where_only_yes_or_no_can_be_meant_all_spellings_are(word: str) -> None:
    assert parse(f"devices:\n- {{name: a, board: generic, local: {word}}}").devices[0].local


@pytest.mark.parametrize("word", ["~", "", "null", "Pi 4", "ü", "a/b", "22:22", "[a]", '"a\\n"', "-a"])
def test_what_is_no_name(word: str) -> None:
    assert "device number 1" in refused(f"devices:\n- name: {word}\n  board: generic\n  local: true\n", line=2)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("$HOME/.ssh/id", "'$HOME' is not replaced here"),
        ("${HOME}/.ssh/id", "'${HOME}' is not replaced here"),
        ("'%d/.ssh/id'", "'%d' is not replaced here"),
        ("~nobody-is-called-so/id", "write the whole path"),
        ("''", "is empty"),
        ("[a, b]", "one text"),
    ],
)
@pytest.mark.parametrize("key", ["identity_file", "known_hosts"])
def test_files_named_in_a_way_that_only_a_shell_knows(key: str, written: str, said: str) -> None:
    assert said in refused_line("host: h", f"{key}: {written}")


def test_a_users_home_is_found_by_name() -> None:
    entry = pwd.getpwuid(os.getuid())
    assert one("host: h", f"identity_file: ~{entry.pw_name}/id").identity_file == Path(entry.pw_dir) / "id"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "is empty"),
        ("# nothing\n", 1, "is empty"),
        ("- name: a", 1, "write 'devices:' above the list"),
        ("text", 1, "needs a 'devices:' list"),
        ("devices:", 1, "a list of devices, each a line starting with '-'"),
        ("devices: ~", 1, "a list of devices, each a line starting with '-'"),
        ("devices:\n  pi4: {board: generic}", 1, "a list of devices, each a line starting with '-'"),
        ("devices: pi4", 1, "a list of devices, each a line starting with '-'"),
        ("devices: []", 1, "at least one device"),
        ("devices:\n- pi4", 2, "is 'pi4'; a device has keys"),
        ("devices:\n-", 2, "nothing behind its '-'"),
        ("defaults: []\ndevices:\n- {name: a, board: generic, local: true}", 1, "needs keys of its own"),
        ("defaults: a\ndevices:\n- {name: a, board: generic, local: true}", 1, "needs keys of its own"),
        ("devices:\n- {name: a, board: generic, local: true}\n---\nb: 1", 3, "second document"),
        ("devices:\n\t- a", 2, "indented with spaces"),
        ("devices: !!python/object/apply:os.system [id]", 1, "is not supported"),
        ("devices:\n- {name: !!int 3}", 2, "'!!int' is not supported"),
        ("devices:\n- {<<: {user: a}}", 2, "unknown key '<<'"),
        ("devices:\n- {name: a, board: generic, host: h, proxy_jump: a,b}", 2, "put that in quotes"),
        ("a\x07: 1", 1, "U+0007"),
        ("[" * 3000, None, "nested too deeply"),
        ("devices:\n- " + "{a: " * 60 + "1" + "}" * 60, 2, "nested too deeply"),
    ],
)
def test_lists_of_another_shape(text: str, line: int | None, said: str) -> None:
    assert said in refused(text, line=line)


def test_defaults_with_nothing_behind_them_are_none() -> None:
    assert parse("defaults:\ndevices:\n- {name: a, board: generic, local: true}\n").devices[0].threads == (1,)


def test_byte_order_mark_windows_line_ends_and_anchors(tmp_path: Path) -> None:
    file = tmp_path / "devices.yaml"
    file.write_bytes("\ufeffdevices:\r\n- &a {name: ä1, board: generic, local: true}\r\n".replace("ä", "a").encode())
    assert load(file).devices[0].name == "a1"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("devices: []".encode("utf-16"), "is UTF-16 (save it as UTF-8)"),
        (b"\x7fELF\x02\0\0\0", "is no text file"),
        ("a: 1\nb: ü".encode("latin-1"), ":2: is not UTF-8"),
        (b"#" * (1 << 21), "is over 1 MiB"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "devices.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert said in str(caught.value)


def test_folders_devices_and_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "nobody writes"),
        (Path("/dev/zero"), "neither a file nor a pipe"),
        (tmp_path / "none", "not there"),
        (tmp_path / "pipe" / "x", "can't be read"),
    ):
        with pytest.raises(ConfigError, match=said):
            load(path)


def test_a_pipe_that_somebody_writes_into_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    holder = os.open(pipe, os.O_RDWR)  # as a shell's <(...): open for writing before it is read
    writer = threading.Timer(
        0.2, lambda: (os.write(holder, b"devices:\n- {name: a, board: generic, local: true}\n"), os.close(holder))
    )
    writer.start()
    assert load(pipe).devices[0].name == "a"
    writer.join()


def test_the_command_ends_with_two_and_one_line(tmp_path: Path) -> None:
    file = tmp_path / "devices.yaml"
    file.write_text("devices:\n- {name: a, board: generic, host: root@127.0.0.1, user: root}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "harness", "doctor", "--devices", str(file)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"{file}:2: " in done.stderr
