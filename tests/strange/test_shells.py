"""Any login shell, however talkative, and whatever of the user's lies in the home folder: our programs run there."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
import yaml

from benchmarks.made import runtimes
from benchmarks.made.farm import fleet
from harness.config import devices as config
from harness.core.errors import LoginShellError
from harness.core.files import sha256_bytes
from harness.doctor.fleet import check_device
from harness.remote import shell
from harness.remote.base import Command, Connection
from harness.remote.lease import Lease
from harness.remote.probe import probe, send, stored
from harness.remote.ssh import SshConnection
from tests.strange.board_accounts import Account, Board, board, login_shell, tried
from tests.support.loopback import execute
from tests.support.pythons import OLD_PYTHONS

__all__ = ["board"]  # a fixture

pytestmark = pytest.mark.usefixtures("short_series")

SHELLS = ["sh", "bash", "dash", "zsh", "fish", "csh", "bsd-csh", "tcsh", "ash", "rbash"]

#: What a start-up file of each shell is called where nobody is at the terminal.
STARTUP = {
    "bash": ".bashrc",
    "zsh": ".zshenv",
    "fish": ".config/fish/config.fish",
    "csh": ".cshrc",
    "bsd-csh": ".cshrc",
    "tcsh": ".tcshrc",
}

NOISE = {
    "a line": "echo Welcome to the lab board",
    "no line end": 'printf "ROS noetic "',
    "terminal codes": r"printf '\033]0;board\007\033[31mred'",
    "on stderr": "sh -c 'echo complaint >&2'",
    "much": "sh -c 'yes hello | head -n 5000'",
    "looks like an answer": """echo '{"granted": true, "error": "no"}'""",
    "ends elsewhere": "cd /tmp",
}


def works(connection: Connection, folder: Path) -> None:
    """Everything that a run does on a board, but for measuring."""
    words = ["a b", "$(id)", "`id`", "it's", '"', "\\", "\\0101", "*", "~", ";", "!!", "!x", "", "ä\n€", "a" * 9000]
    code = "import sys; sys.stdout.write('|'.join(sys.argv[1:])); sys.stderr.write('E'); sys.exit(3)"
    done = connection.run(Command(["python3", "-c", code, *words], timeout_s=60, env={"THING": "a 'b' $c"}))
    assert (done.returncode, done.stdout, done.stderr) == (3, "|".join(words).encode(), b"E")
    with Lease(connection) as lease:
        assert probe(connection).no_exec is None
        file = folder / "file"
        file.write_bytes(os.urandom(300_000))
        name = f"object:{sha256_bytes(file.read_bytes())}"
        send(connection, name, file)
        assert stored(connection, [name]) == {name}
        lease.renew(60)
        code = "import sys; sys.stdin.readline(); print('read', flush=True)"
        held = connection.run(Command(["python3", "-c", code], timeout_s=60, stdin=b"x\n", hold_stdin=True))
        assert held.stdout == b"read\n"
        assert connection.run(Command(["sh", "-c", "kill -9 $$"], timeout_s=60)).returncode == 137


@pytest.mark.parametrize("name", SHELLS)
def test_every_login_shell(name: str, board: Board, tmp_path: Path) -> None:
    account = board.account(login_shell(board, name))
    connection = SshConnection(board.start().target(account))
    try:
        assert connection.root == f"{account.home}/.cache/harness"
        works(connection, tmp_path)
    finally:
        connection.close()


@pytest.mark.parametrize("name", STARTUP)
def test_a_talkative_start_up_file(name: str, board: Board, tmp_path: Path) -> None:
    """All the noise at once, before the program and, where the shell can, after it."""
    account = board.account(login_shell(board, name))
    noise = [text for text in NOISE.values() if "granted" not in text or name not in ("csh", "bsd-csh", "tcsh")]
    if name in ("bash", "zsh"):
        noise.append("trap 'echo bye; echo bye >&2' EXIT")
    if name == "tcsh":
        noise.append("set backslash_quote; set printexitvalue")
    if name == "bash":
        noise.append("set -efu; shopt -s extdebug; sleep 300 &")
    account.write(STARTUP[name], "\n".join(noise) + "\n")
    connection = SshConnection(board.start().target(account))
    try:
        works(connection, tmp_path)
    finally:
        connection.close()


STUCK = {
    "exit": ("exit 0", "ended with status 0 and did not run our command"),
    "exit with words": ("echo go away; exit 7", "ended with status 7 .*: go away"),
    "another shell": ("exec fish", "did not run our command"),
    "reads": ("echo 'your name?'; read name", "waits for input: your name?"),
    "reads all": ("cat >/dev/null", "waits for input"),
}


@pytest.mark.parametrize("how", STUCK)
def test_a_start_up_file_that_lets_nothing_start(how: str, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.doctor.fleet.CONNECT_S", 1.0)
    account = board.account(login_shell(board, "bash"))
    line, said = STUCK[how]
    account.write(".bashrc", f"{line}\n")
    started = time.monotonic()
    with pytest.raises(LoginShellError, match=said) as caught:
        SshConnection(board.start().target(account), connect_timeout_s=1.0)
    assert time.monotonic() - started < 10
    assert caught.value.fix
    assert ".bashrc" in str(caught.value)
    (device,) = config.parse(yaml.safe_dump({"devices": [board.device(account)]})).devices
    assert [check.code for check in check_device(device)] == ["login-shell"]


def test_a_start_up_file_that_hangs_is_told_in_time(board: Board) -> None:
    account = board.account(login_shell(board, "bash"))
    account.write(".bashrc", "echo loading everything; sleep 60\n")
    started = time.monotonic()
    with pytest.raises(LoginShellError, match="did not run our command within 1 s: loading everything"):
        SshConnection(board.start().target(account), connect_timeout_s=0.4)
    assert time.monotonic() - started < 20


def test_a_slow_login_is_waited_for(board: Board, tmp_path: Path) -> None:
    account = board.account(login_shell(board, "bash"))
    account.write(".bashrc", "sleep 3\n")
    SshConnection(board.start().target(account), connect_timeout_s=4.0).close()


@pytest.mark.parametrize(
    ("program", "settings", "said"),
    [
        ("nologin", (), "This account is currently not available"),
        ("/bin/false", (), "ended with status 1 and did not run our command, without a word"),
        ("bash", ("ForceCommand internal-sftp",), "This service allows sftp connections only"),
        ("bash", ("ForceCommand echo backups only; exit 4",), "status 4 .*: backups only"),
        ("/usr/lib/openssh/sftp-server", (), "did not run our command"),
    ],
)
def test_a_shell_that_runs_nothing_is_quoted(
    program: str, settings: tuple[str, ...], said: str, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.doctor.fleet.CONNECT_S", 1.0)
    path = program if program.startswith("/") else login_shell(board, program)
    if not Path(path).is_file():
        pytest.skip(f"no {path} here")
    account = board.account(path)
    board.start(*settings)
    with pytest.raises(LoginShellError, match=said):
        SshConnection(board.target(account), connect_timeout_s=1)
    (device,) = config.parse(yaml.safe_dump({"devices": [board.device(account)]})).devices
    assert [check.code for check in check_device(device)] == ["login-shell"]


SHIM = """#!/bin/sh
echo "pyenv: python3: command not found" >&2
echo "The 'python3' command exists in these Python versions: 3.6.15" >&2
exit 127
"""


def test_a_python_that_explains_itself_is_quoted(board: Board) -> None:
    account = board.account(login_shell(board, "bash"))
    account.write("bin/python3", SHIM).chmod(0o755)
    account.write(".bashrc", 'export PATH="$HOME/bin:$PATH"\n')
    board.start()
    code, text = tried(board, account)
    assert code == "provision"
    assert "no python3 on the board: pyenv: python3: command not found" in text
    assert "exists in these Python versions: 3.6.15" in text


def test_a_python_that_talks_first_is_understood(board: Board, tmp_path: Path) -> None:
    account = board.account(login_shell(board, "bash"))
    account.write("bin/python3", '#!/bin/sh\necho "using the lab\'s Python"\nexec /usr/bin/python3 "$@"\n').chmod(0o755)
    account.write(".bashrc", 'export PATH="$HOME/bin:$PATH"\n')
    connection = SshConnection(board.start().target(account))
    try:
        with Lease(connection):
            assert probe(connection).bits == 64
    finally:
        connection.close()


def test_an_old_python_is_told(board: Board) -> None:
    """Python 3.5 as the agent meets it; acted out, for want of one."""
    account = board.account(login_shell(board, "bash"))
    older = "import sys; sys.version_info = (3, 5, 2); exec(sys.argv.pop(1))"
    account.write("bin/python3", f'#!/bin/sh\nshift\nexec /usr/bin/python3 -c "{older}" "$@"\n').chmod(0o755)
    account.write(".bashrc", 'export PATH="$HOME/bin:$PATH"\n')
    board.start()
    code, text = tried(board, account)
    assert (code, text) == ("provision", "board: Python 3.5 is too old: the runner needs 3.6")


BROKEN = "raise ImportError('the user\\'s own file was imported')\n"
#: Modules that our programs use.
NAMES = ("platform", "typing", "json", "select", "zipfile", "hashlib", "argparse", "numpy", "sitecustomize", "site")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["home", "sshd", "file", "startup", "site"])
def test_nothing_of_the_users_is_imported(how: str, board: Board, cache: Path, tmp_path: Path) -> None:
    account = board.account(login_shell(board, "bash"))
    folder = {"home": ".", "site": ".local/lib/python3.11/site-packages"}.get(how, "modules")
    for name in (*NAMES, "usercustomize"):
        account.write(f"{folder}/{name}.py", BROKEN)
    if how == "site":
        account.write(f"{folder}/x.pth", "import nonsense_that_is_not_there\n")
    settings = ()
    hostile = {
        "PYTHONPATH": f"{account.home}/modules", "PYTHONSTARTUP": f"{account.home}/modules/typing.py",
        "PYTHONHOME": "/nowhere", "PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "utf-16",
        "PYTHONDEBUG": "1", "PYTHONINSPECT": "1", "BASH_ENV": f"{account.home}/modules/env",
        "ENV": f"{account.home}/modules/env", "CDPATH": "/tmp:/usr", "POSIXLY_CORRECT": "1", "IFS": "/",
        "GREP_OPTIONS": "-v", "LC_ALL": "C", "LANG": "xx_YY",
    }  # fmt: skip
    account.write("modules/env", "echo from BASH_ENV\n")
    if how == "sshd":
        settings = ("SetEnv " + " ".join(f'"{key}={value}"' for key, value in hostile.items()),)
    if how == "file":
        account.write(".ssh/environment", "".join(f"{key}={value}\n" for key, value in hostile.items()))
    if how == "startup":
        account.write(".bashrc", "".join(f"export {key}='{value}'\n" for key, value in hostile.items()))
    if how != "home":  # there it is sent, and so unpacked beside those files
        board.supply(account)
    board.start(*settings)
    assert tried(board, account) == ("", "")
    outcome, told = execute(fleet(board.device(account)), tmp_path / "results")
    assert outcome.all_valid, [cell.reasons for cell in told.cells]


@pytest.mark.parametrize(("name", "line"), [("bash", 'export PATH="$HOME/bin"'), ("tcsh", "set path = (~/bin)")])
def test_a_lost_path_is_found_again(name: str, line: str, board: Board, tmp_path: Path) -> None:
    account = board.account(login_shell(board, name))
    account.write(STARTUP[name], f"{line}\n")
    connection = SshConnection(board.start().target(account))
    try:
        works(connection, tmp_path)
    finally:
        connection.close()


@pytest.mark.parametrize("limit", [1, 2])
def test_few_sessions_at_a_time(limit: int, board: Board, tmp_path: Path) -> None:
    account = board.account(login_shell(board, "bash"))
    connection = SshConnection(board.start(f"MaxSessions {limit}").target(account))
    try:
        works(connection, tmp_path)
    finally:
        connection.close()
    assert tried(board, account) == ("", "")


def test_no_session_at_all_is_named(board: Board) -> None:
    account = board.account(login_shell(board, "bash"))
    board.start("MaxSessions 0")
    code, text = tried(board, account)
    assert code == "transport"
    assert "allows no further session" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bsd-csh", "fish"])
def test_a_cell_on_a_strange_board(name: str, board: Board, cache: Path, tmp_path: Path) -> None:
    """Strange in all ways at once: shell, noise, one session, a home folder with umlauts, blanks and a colon."""
    account = board.account(login_shell(board, name))
    account = Account(account.name, account.home / "Jürgens Zuhause: ß 'x'")
    account.write(STARTUP[name], 'echo Willkommen\nprintf "ROS noetic "\n')
    account.write("platform.py", BROKEN)
    shutil.chown(account.home, account.name)
    board.start("MaxSessions 1", f'SetEnv "HOME={account.home}"')
    assert tried(board, account) == ("", "")
    outcome, told = execute(fleet(board.device(account)), tmp_path / "results")
    assert outcome.all_valid, [cell.reasons for cell in told.cells]


HOMES = {"umlauts": "Jürgens Zuhause", "no UTF-8": os.fsdecode(b"J\xfcrgen")}


@pytest.mark.slow
@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("locale", ["LC_ALL=C", "LC_ALL=POSIX", "LC_ALL=xx_YY", ""])
def test_an_old_python_without_a_locale(
    home: str, locale: str, board: Board, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.6 takes every file name for ASCII there. Where the board has no C.UTF-8, either, we can't help that."""
    python = OLD_PYTHONS["3.6"]
    if python is None:
        pytest.skip("no CPython 3.6 here")
    if locale == "LC_ALL=POSIX":  # acted out: a locale that this machine lacks, as other boards lack C.UTF-8
        monkeypatch.setitem(shell.SETTINGS, "LC_ALL", "C.NONE")
    account = Account("root", board.folder / HOMES[home])
    account.home.mkdir()
    account.write("bin/python3", f'#!/bin/sh\nexec {python} "$@"\n').chmod(0o755)
    if locale != "LC_ALL=C":  # there they are sent
        runtimes.give(account.home / ".cache/harness")
    settings = f'"HOME={account.home}" "PATH={account.home}/bin:/usr/bin:/bin" {locale}'
    board.start(f"SetEnv {settings}")
    monkeypatch.setattr("harness.remote.lease.user_name", lambda: "jürgen")
    assert tried(board, account) == ("", "")
    outcome, told = execute(fleet(board.device(account, runtimes=["onnxruntime"])), tmp_path / "results")
    assert outcome.all_valid, [cell.reasons for cell in told.cells]
    assert {str(cell.device.python)[:3] for cell in told.cells} == {"3.6"}
