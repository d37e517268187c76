"""Where the harness's files go on a board: doctor and run name a place that can't be used in the same words, and take
another."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from benchmarks.made.farm import fleet
from benchmarks.made.runs import NET
from benchmarks.made.sshd import LENIENT
from harness.cli import app as cli
from harness.config import devices as config
from harness.config.devices import Device
from harness.doctor import fleet as checkup
from harness.doctor.fleet import check_device, check_fleet
from harness.remote import place
from harness.remote.lease import Lease
from harness.remote.ssh import SshConnection
from harness.run.session import open_session
from tests.strange.board_accounts import Account, Board, board, login_shell, tried
from tests.support.loopback import Recorder, execute, target
from tests.support.sshd_fixtures import Sshd

__all__ = ["board"]  # a fixture

pytestmark = pytest.mark.usefixtures("short_series")


@pytest.fixture
def mounts() -> Iterator[list[Path]]:
    """What a test has mounted, taken off after it."""
    mounted: list[Path] = []
    yield mounted
    for folder in reversed(mounted):
        subprocess.run(["umount", "-l", str(folder)], check=False)


def mount(place: Path, options: str, mounts: list[Path]) -> None:
    """A file system in memory; the test is skipped where that is not permitted."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    mounts.append(place)


def remount(place: Path, options: str) -> None:
    """Once nobody has a file open for writing there any more."""
    for _ in range(100):
        if not subprocess.run(["mount", "-o", f"remount,{options}", str(place)], capture_output=True).returncode:
            return
        time.sleep(0.1)
    raise AssertionError(f"{place} stays in use")


def healthy_elsewhere(board: Board, account: Account) -> None:
    """Another folder mends it, is made if need be, and is ours alone."""
    folder = board.folder / "else"
    folder.mkdir(exist_ok=True)
    shutil.chown(folder, account.name)
    assert tried(board, account, dir=f"{folder}/where") == ("", "")
    assert stat.S_IMODE((folder / "where").stat().st_mode) == 0o700
    assert (folder / "where/objects").is_dir()


def test_a_read_only_home(board: Board, mounts: list[Path]) -> None:
    account = board.account(login_shell(board, "bash"))
    mount(account.home, "ro", mounts)
    board.start()
    code, text = tried(board, account)
    assert (code, text) == ("place", f"board: {account.home}/.cache: the file system is read-only")
    healthy_elsewhere(board, account)


def test_a_home_that_turns_read_only_after_a_good_run(
    board: Board, mounts: list[Path], cache: Path, tmp_path: Path
) -> None:
    account = board.account(login_shell(board, "bash"))
    mount(account.home, "size=600m,mode=0777", mounts)
    devices = fleet(board.start().device(account))
    outcome, told = execute(devices, tmp_path / "results")
    assert outcome.all_valid, [cell.reasons for cell in told.cells]
    remount(account.home, "ro")
    _, told = execute(devices, tmp_path / "results")
    assert {(cell.status, cell.reasons[0].code) for cell in told.cells} == {("FAILED", "place")}
    assert "the file system is read-only" in told.cells[0].reasons[0].text
    assert "'dir:' in devices.yaml" in told.cells[0].reasons[0].text
    assert tried(board, account)[0] == "place"


def test_a_home_that_turns_read_only_under_a_lease(sshd: Sshd, mounts: list[Path]) -> None:
    """The lock is what the lease needs; who can't have it for another reason says that one."""
    mount(sshd.home, "size=1m", mounts)
    connection = SshConnection(target(sshd))
    Lease(connection).close()
    (sshd.home / ".cache/harness/lease").unlink()
    remount(sshd.home, "ro")
    with pytest.raises(place.PlaceError, match="the file system is read-only"):
        Lease(connection)
    connection.close()


def test_a_home_that_runs_nothing(board: Board, mounts: list[Path]) -> None:
    account = board.account(login_shell(board, "bash"))
    mount(account.home, "noexec,mode=0777", mounts)
    board.start()
    code, text = tried(board, account)
    assert code == "place"
    assert "no program library may be loaded from there, a 'noexec' file system?" in text
    healthy_elsewhere(board, account)
    # the board's own runtime is not loaded from there
    entry = board.device(account, delegates=["cuda"], runtimes=["onnxruntime"])
    (device,) = config.parse(yaml.safe_dump({"devices": [entry]})).devices
    assert "place" not in {check.code for check in check_device(device) if check.severity == "error"}


def test_a_full_home(board: Board, mounts: list[Path]) -> None:
    account = board.account(login_shell(board, "bash"))
    mount(account.home, "size=64k,mode=0777", mounts)
    filled = subprocess.run(["dd", "if=/dev/zero", f"of={account.home}/filler"], capture_output=True, check=False)
    assert b"No space" in filled.stderr
    board.start()
    code, text = tried(board, account)
    assert code == "place"
    assert "the board's disk is full" in text
    healthy_elsewhere(board, account)


def test_too_little_space_for_the_runtimes(board: Board, mounts: list[Path], cache: Path, tmp_path: Path) -> None:
    account = board.account(login_shell(board, "bash"))
    mount(account.home, "size=30m,mode=0777", mounts)
    (device,) = config.parse(yaml.safe_dump({"devices": [board.start().device(account)]})).devices
    found = {check.code: check for check in check_device(device)}
    assert found["provision"].severity == "error"
    assert "MiB of disk" in found["provision"].text
    _, told = execute(fleet(board.device(account)), tmp_path / "results")
    assert {(cell.status, cell.reasons[0].code) for cell in told.cells} == {("FAILED", "provision")}
    assert "MiB of disk" in told.cells[0].reasons[0].text


def file_in_the_way(account: Account) -> None:
    account.write(".cache", "a file")


def of_another(account: Account) -> None:
    (account.home / ".cache").mkdir(mode=0o755)


def of_another_below(account: Account) -> None:
    (account.home / ".cache/harness").mkdir(parents=True)


def link_to_nowhere(account: Account) -> None:
    (account.home / ".cache").symlink_to("/nowhere/at/all")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (file_in_the_way, "/.cache: it is a file, not a folder"),
        (of_another, "/.cache/harness: this user may not write there"),
        (of_another_below, ": this user may not write there"),
        (link_to_nowhere, "/.cache: it is a file, not a folder"),
    ],
)
def test_something_is_in_the_way(spoil: object, said: str, board: Board) -> None:
    account = board.account(login_shell(board, "bash"))
    spoil(account)  # type: ignore[operator]
    board.start()
    code, text = tried(board, account)
    assert code == "place"
    assert said in text
    healthy_elsewhere(board, account)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('SetEnv "HOME=/"', "the home folder on the board is '/'"),
        ('SetEnv "HOME="', "the home folder on the board is not there"),
        ('SetEnv "HOME=relative"', "the home folder on the board is not there"),
        ("", "the home folder on the board is not there"),
    ],
)
def test_no_home_folder(setting: str, said: str, board: Board) -> None:
    account = board.account(login_shell(board, "bash"), make_home=bool(setting))
    board.start(setting)
    code, text = tried(board, account)
    assert code == "place"
    assert said in text
    healthy_elsewhere(board, account)


def test_a_folder_in_the_home_folder(board: Board) -> None:
    account = board.account(login_shell(board, "bash"))
    board.start()
    assert tried(board, account, dir="~/not yet/here") == ("", "")
    assert (account.home / "not yet/here/objects").is_dir()
    assert not (account.home / ".cache").exists()


@pytest.mark.parametrize("name", ["EDQUOT", "EIO", "ELOOP", "ENOLCK", "ESTALE"])
def test_every_fault_says_what_helps(name: str) -> None:
    error = place.fault("board", "/root/x", name, path="/root/x/y", words="Its own words")
    assert "board: /root/x/y: " in error.message
    assert "dir:" in str(error.fix)


def local(tmp_path: Path, **more: object) -> Device:
    text = yaml.safe_dump({"devices": [{"name": "here", "board": "generic", "local": True, **more}]})
    return config.parse(text, file=str(tmp_path / "devices.yaml")).devices[0]


def test_this_machines_places_are_looked_at_the_same_way(cache: Path, tmp_path: Path, mounts: list[Path]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    (cache / "local").mkdir(exist_ok=True)
    mount(cache / "local", "ro", mounts)
    (wrong,) = (check for check in check_device(local(tmp_path)) if check.severity == "error")
    assert (wrong.code, wrong.text) == ("place", f"here: {cache}/local/here: the file system is read-only")
    with pytest.raises(place.PlaceError, match="read-only"), open_session(local(tmp_path), print, lambda _: False):
        pass
    elsewhere = local(tmp_path, dir=str(tmp_path / "else where"))
    assert not [check for check in check_device(elsewhere) if check.severity == "error"]
    assert (tmp_path / "else where/objects").is_dir()


@pytest.mark.slow
def test_a_colon_in_the_caches_name(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / "a:b ü"
    cache.rename(odd)
    monkeypatch.setenv("HARNESS_CACHE", str(odd))
    for name in ("PYTHONPATH", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, str(tmp_path / "modules"))
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/typing.py").write_text("raise ImportError('of the user')\n")
    monkeypatch.chdir(tmp_path / "modules")
    device = {"name": "here", "board": "generic", "local": True, "thresholds": dict(LENIENT)}
    outcome, told = execute(fleet(device), tmp_path / "results")
    assert outcome.all_valid, [cell.reasons for cell in told.cells]


class Order(Recorder):
    """Which device's cell began and ended when."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def cell_started(self, job: object) -> None:
        self.order.append(f"begins {job.device.name}")  # type: ignore[attr-defined]

    def cell_ended(self, job: object, cell: object) -> None:
        self.order.append(f"ends {job.device.name}")  # type: ignore[attr-defined]
        super().cell_ended(job, cell)  # type: ignore[arg-type]


@pytest.mark.slow
def test_one_board_under_two_names_is_measured_twice(sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    from harness.run.plan import Options
    from harness.run.scheduler import Run
    from tests.conftest import MODELS

    devices = fleet(sshd.device("first"), sshd.device("second", dir="~/.cache/harness/"))
    findings = check_fleet(devices)
    assert findings.healthy
    assert not [check for _, checks in findings.boards for check in checks if check.code == "lease"]
    told = Order()
    options = Options(models=(NET,), variants=("int8",), quick=True)
    outcome = Run(devices, options, models=MODELS, results=tmp_path / "results").execute(told)
    assert outcome.all_valid, [cell.reasons for cell in told.cells]
    one = told.order[0].removeprefix("begins ")
    here = [word.endswith(one) for word in told.order]
    assert here == sorted(here, reverse=True), told.order
    assert len({cell.device.name for cell in told.cells}) == 2


def test_doctor_says_who_has_the_board(sshd: Sshd, cache: Path) -> None:
    connection = SshConnection(target(sshd))
    with Lease(connection):
        (device,) = config.parse(json.dumps({"devices": [sshd.device()]})).devices
        (found,) = (check for check in check_device(device) if check.code == "lease")
    connection.close()
    assert found.severity == "warning"
    assert f"pid {os.getpid()}" in found.text


def test_a_mistake_of_ours_costs_one_boards_findings(
    sshd: Sshd, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = checkup.examine

    def spoilt(answer: str, *args: object, **more: object) -> object:
        if threading.current_thread().name in bad:
            raise KeyError("a mistake")
        return real(answer, *args, **more)  # type: ignore[arg-type]

    asked = checkup.connecting
    bad: set[str] = set()

    def connecting(device: Device, *args: object, **more: object) -> object:
        (bad.add if device.name == "bad" else bad.discard)(threading.current_thread().name)
        return asked(device, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(checkup, "examine", spoilt)
    monkeypatch.setattr(checkup, "connecting", connecting)
    monkeypatch.delenv("HARNESS_DEBUG", raising=False)
    listed = tmp_path / "devices.yaml"
    listed.write_text(yaml.safe_dump({"devices": [sshd.device("bad"), sshd.device("good")]}))
    monkeypatch.setattr("sys.argv", ["harness", "doctor", "--devices", str(listed), "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    found = json.loads(printed.out)
    assert [check["code"] for check in found["devices"]["bad"]] == ["internal"]
    assert "KeyError" in found["devices"]["bad"][0]["text"]
    assert "reachable" in {check["code"] for check in found["devices"]["good"]}
