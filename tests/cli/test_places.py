"""Where files go and who we are: no home, no name, folders that take no files; all said before work begins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.made import runtimes
from benchmarks.made.cells import device, make_cell, make_run
from harness.core import paths
from harness.core.errors import UsageError
from harness.core.files import check_folder
from tests.conftest import MODELS, REPOSITORY

NET = "mobilenet-v3-small"
#: a user that no list of users has, with the right to read everything, as what runs here may lie in root's home
NOBODY = [
    "setpriv", "--reuid", "4242", "--regid", "4242", "--clear-groups", "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search", "env", "-i",
]  # fmt: skip

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become somebody else"
)


def nobody(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A command of ours, run by uid 4242 with no HOME, USER or LOGNAME."""
    given = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), **environ}
    command = [*NOBODY, *(f"{key}={text}" for key, text in given.items()), sys.executable, "-m", "harness", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    if "setpriv:" in done.stderr:
        pytest.skip(f"can't become somebody else here: {done.stderr.strip()}")
    assert "Traceback" not in done.stderr, done.stderr
    assert "a mistake in the harness" not in done.stderr + done.stdout, done.stderr
    return done


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that is 4242's own, and can be reached."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/tmp") and folder.is_relative_to("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o055)
    own = tmp_path / "own"
    own.mkdir()
    os.chown(own, 4242, 4242)
    text = "devices:\n- {name: here, board: generic, local: true, runtimes: [litert]}\n"
    (own / "devices.yaml").write_text(text, encoding="utf-8")
    return own


@needs_root
def test_without_a_home_it_is_said_what_to_set(place: Path) -> None:
    for words in (
        ("run", "--model", NET, "--models", str(MODELS)),
        ("emulate", "list"),
        ("emulate", "up", "coral-dev"),
    ):
        done = nobody(place, *words)
        assert done.returncode == 2, done.stderr
        assert "user uid 4242 has no home folder" in done.stderr
        assert "set HARNESS_CACHE to a folder, or HOME" in done.stderr
    assert not (place / "~").exists()
    home = nobody(place, "run", "--model", NET, "--models", str(MODELS), HOME="/")
    assert home.returncode == 2
    assert "nothing can be written in /: Permission denied (set HARNESS_CACHE" in home.stderr


@needs_root
@pytest.mark.slow
def test_a_user_without_a_name_measures(place: Path, cache: Path) -> None:
    """As in a container started with --user 4242."""
    mine = place / "cache"
    (mine / "wheels").mkdir(parents=True)
    for folder in (cache / "wheels").resolve().iterdir():
        if folder.is_dir():
            (mine / "wheels" / folder.name).symlink_to(folder)
    runtimes.give(mine / "local" / "here")
    for path in (mine, *mine.rglob("*")):
        os.chown(path, 4242, 4242, follow_symlinks=False)
    words = ["run", "--model", NET, "--variant", "int8", "--quick", "--models", str(MODELS), "--json"]
    done = nobody(
        place, *words, HARNESS_CACHE=str(mine), PIP_CONFIG_FILE=os.environ.get("PIP_CONFIG_FILE", "/dev/null")
    )
    (path,) = (place / "results").glob("*/cells/*.json")
    cell = json.loads(path.read_bytes())
    assert cell["status"] != "FAILED", cell["reasons"]
    assert json.loads(done.stdout)["cells"]
    assert nobody(place, "report", HARNESS_CACHE=str(mine)).returncode == 0
    assert nobody(place, "doctor", HARNESS_CACHE=str(mine)).returncode in (0, 1)


@needs_root
def test_a_tilde_without_a_home(place: Path) -> None:
    text = "devices:\n- {name: a, board: generic, host: h, identity_file: ~/id}\n"
    (place / "devices.yaml").write_text(text, encoding="utf-8")
    done = nobody(place, "doctor", HARNESS_CACHE=str(place))
    assert done.returncode == 2
    assert done.stderr.startswith("harness: devices.yaml:2: 'identity_file' for device 'a': '~/id'")
    done = nobody(place, "data", "check", "~/ck", HARNESS_CACHE=str(place))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


@needs_root
def test_another_users_cache_is_named_as_not_writable(place: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for words in (("run", "--model", NET, "--models", str(MODELS)), ("emulate", "up", "coral-dev"), ("build", NET)):
        done = nobody(place, *words, HARNESS_CACHE=str(theirs))
        assert done.returncode == 2
        assert f"the cache {theirs}: nothing can be written in {theirs}: Permission denied" in done.stderr
        assert "in use" not in done.stderr


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    assert paths.user_name() == f"uid {os.getuid()}"


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HARNESS_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "harness", *words], cwd=folder, capture_output=True, text=True, check=False, env=environ
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--results", "file", "--models", str(MODELS)),
        ("run", "--reports", "file", "--models", str(MODELS)),
        ("run", "--reports", "file/below", "--models", str(MODELS)),
        ("run", "--results", "/proc/results", "--models", str(MODELS)),
        ("report", "--out", "file"),
        ("report", "--history", "--out", "file"),
        ("compare", "a", "b", "--out", "file"),
        ("build", NET, "--models", "file"),
        ("build", NET, "--models", "/proc/models"),
    ],
    ids=" ".join,
)
def test_a_place_that_takes_no_files_is_said_first(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    here = device("here", "generic", emulated=False)
    for name in ("a", "b"):
        make_run(tmp_path / "results", [make_cell(dev=here, run=name)], name=name)
    text = "devices:\n- {name: here, board: generic, local: true}\n"
    (tmp_path / "devices.yaml").write_text(text, encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    done = run(tmp_path, *words)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, "nothing was begun"
    assert words[-1] in done.stderr or "file" in done.stderr or "/proc" in done.stderr
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"
    assert sorted(tmp_path.rglob("*")) == before


@needs_root
def test_a_read_only_file_system_is_said_first(tmp_path: Path) -> None:
    """Where root may do everything, but the kernel writes nothing."""
    folder = tmp_path / "ro"
    folder.mkdir()
    script = (
        f"mount -t tmpfs -o ro none {folder} && exec {sys.executable} -m harness build {NET} --models {folder}/models"
    )
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HARNESS_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False, env=environ
    )
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    assert done.returncode == 2
    assert f"--models {folder}/models: nothing can be written in {folder}: Read-only file system" in done.stderr


def test_looking_makes_nothing(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b", "--out")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is no folder"):
        check_folder(tmp_path / "link" / "x", "--out")
