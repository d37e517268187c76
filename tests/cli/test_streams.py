"""Where a command's answer goes: pipes, devices, a full disk, a stream that is closed. One line, never a traceback."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks.made.cells import make_cell, make_run
from tests.conftest import MODELS

NET = "mobilenet-v3-small"
HARNESS = f"{shlex.quote(sys.executable)} -m harness"
#: Every command that prints, {0} is a results folder with the runs a and b.
PRINTING = (
    "--version", "export a --results {0}", "export a --results {0} --format parquet",
    "compare a b --results {0} --json",
    "report a --results {0} --out {0}/out --plot size --format svg", "emulate list --json", "data check {0}",
)  # fmt: skip


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for name in "ab":
        make_run(tmp_path, [make_cell("ghostnet"), make_cell("mnasnet", status="FAILED")], name=name)
    return tmp_path


def shell(line: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["bash", "-c", line], capture_output=True, timeout=120, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("command", PRINTING)
def test_a_full_or_closed_stdout_is_one_line(results: Path, command: str) -> None:
    line = f"{HARNESS} {command.format(results)}"
    for redirection, said in ((">/dev/full", b"No space left on device"), (">&-", b"closed")):
        done = shell(f"{line} {redirection}")
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == b"harness: standard output: " + said
        assert b"Traceback" not in done.stderr
        assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize("command", PRINTING)
def test_a_reader_that_has_enough_gets_no_message(results: Path, command: str) -> None:
    done = shell(f"{HARNESS} {command.format(results)} | true; echo ${{PIPESTATUS[0]}}")
    assert done.stdout.strip() in (b"0", b"1")
    assert done.stderr == b""


def test_what_is_meant_for_a_closed_stderr_does_not_go_to_stdout(results: Path) -> None:
    done = shell(f"{HARNESS} compare a b --results {results} --out {results}/out --json 2>&-")
    assert json.loads(done.stdout)["tripped"] is False
    done = shell(f"{HARNESS} compare a nothing --results {results} 2>&-")
    assert (done.returncode, done.stdout) == (1, b"")
    done = shell(f"{HARNESS} compare a nothing --results {results} --json 2>&-")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "store")
    done = shell(f"{HARNESS} export a --results {results} <&- 2>&-")
    assert done.stdout.count(b"\n") == 3


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_name_a_terminal_cant_show_is_no_error(results: Path, encoding: str) -> None:
    make_run(results, [make_cell("netz-größe-板", cell="x")], name="c")
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    out = results / "größe-板"
    done = shell(f"{HARNESS} report c --results {results} --out {out} --plot size --format svg", env=environment)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize("as_json", [False, True])
def test_what_was_measured_is_said_whatever_becomes_of_the_report(tmp_path: Path, cache: Path, as_json: bool) -> None:
    (tmp_path / "devices.yaml").write_text("devices: [{name: here, board: generic, local: true}]\n", encoding="utf-8")
    options = f"--model {NET} --variant int8 --quick --models {MODELS} --reports taken/reports"
    # the place is looked at before anything is measured, so it is taken while the run is at work
    spoil = "(until ls results/*/run.json; do sleep 0.05; done; echo 'a file, no folder' >taken) >/dev/null 2>&1 &"
    done = shell(f"{spoil} {HARNESS} run --devices devices.yaml {options}{' --json' * as_json}", cwd=tmp_path)
    assert done.returncode == 1
    said = done.stdout.decode()
    if as_json:
        assert len(json.loads(said)["cells"]) >= 1
        assert json.loads(said)["report"] is None
    else:
        assert said.startswith("run 20")
        assert "report:" not in said
    last = done.stderr.decode().splitlines()[-1]
    assert "there is no report: --out taken/reports" in last
    assert "taken is no folder" in last
    assert list((tmp_path / "results").glob("*/cells/*.json"))


@pytest.mark.parametrize("fmt", ["csv", "parquet", "pytest-benchmark"])
def test_an_export_is_written_through_a_pipe_a_device_and_a_link(results: Path, fmt: str) -> None:
    export = f"{HARNESS} export a --results {results} --format {fmt}"
    plain = shell(export).stdout
    pipe, link, goal = results / "pipe", results / "link", results / "goal"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert shell(f"{export} --out {pipe}").returncode == 0
    reader.join(10)
    assert read == [plain]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert shell(f"{export} --out /dev/stdout").stdout == plain
    assert shell(f"{export} --out >(cat)").stdout == plain
    assert shell(f"{export} --out /dev/null").returncode == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    goal.write_bytes(b"old")
    link.symlink_to("goal")
    assert shell(f"{export} --out {link}").returncode == 0
    assert link.is_symlink()
    assert goal.read_bytes() == plain
    full = shell(f"{export} --out /dev/full")
    assert (full.returncode, full.stderr) == (1, b"harness: /dev/full: can't be written: No space left on device\n")


@pytest.mark.parametrize(("mask", "mode"), [("077", 0o600), ("027", 0o640), ("022", 0o644)])
def test_the_umask_is_obeyed_by_every_command(results: Path, mask: str, mode: int) -> None:
    before = set(results.rglob("*"))
    done = shell(
        f"umask {mask}; {HARNESS} export a --results {results} --out {results}/o.csv && "
        f"{HARNESS} report a --results {results} --out {results}/out && "
        f"{HARNESS} compare a b --results {results} --out {results}/out"
    )
    assert done.returncode == 0
    made = [path for path in results.rglob("*") if path not in before and path.is_file()]
    assert len(made) > 20
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {mode}


@pytest.mark.parametrize(
    "command",
    ["doctor --devices none.yaml --json", "compare a none --results {0} --json", "report none --results {0} --json",
     "run --devices none.yaml --json", "data check none --json"],
)  # fmt: skip
def test_json_is_one_object_also_where_a_command_came_to_nothing(results: Path, command: str) -> None:
    done = shell(f"{HARNESS} {command.format(shlex.quote(str(results)))}", cwd=results)
    assert done.returncode in (1, 2)
    answer = json.loads(done.stdout)
    assert answer.get("error", {"code": "findings"})["code"]
    if "error" in answer:
        assert answer["error"]["message"] in done.stderr.decode()
