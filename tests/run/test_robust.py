"""What a run does not lose: measurements, other boards, and the board it holds."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from benchmarks.made.checkout import environment
from benchmarks.made.farm import Farm, descendants
from benchmarks.made.runs import NET, execute, measured, running, work
from harness.config import devices as config
from harness.core.errors import ConfigError, StoreError, TransportError, UsageError
from harness.records.cell import Cell, Reason
from harness.remote.ssh import SshConnection
from harness.results import store
from harness.run import attempt
from harness.run.cell import Measurement
from harness.run.measure import run_cell
from harness.run.plan import groups
from tests.conftest import MODELS
from tests.support.faults_fixtures import THREE, WAIT, devices, farm, go, short_pauses, until, waiting
from tests.support.loopback import target
from tests.support.sshd_fixtures import Sshd

__all__ = ["farm", "short_pauses"]  # fixtures

pytestmark = pytest.mark.usefixtures("short_series")


def test_a_run_is_one_processs_at_a_time(farm: Farm, tmp_path: Path) -> None:
    farm.places["bad"].python(WAIT)
    making = work(devices(farm, "bad"), tmp_path / "results", **THREE)
    with running(making) as (told, _):
        until(waiting(farm))
        again = work(devices(farm, "bad"), tmp_path / "results", resume=making.info.run)
        with pytest.raises(StoreError, match="another process works on this run"):
            again.execute(told)
        go(farm)
    assert [measured(cell) for cell in told.cells["bad"]] == [True] * 3


def test_a_failure_does_not_replace_a_measurement(farm: Farm, tmp_path: Path) -> None:
    farm.places["bad"].python("answer['predictions_stable'] = False")
    outcome, told = execute(devices(farm, "bad"), tmp_path / "results")
    (first,) = told.cells["bad"]
    assert first.status == "INVALID"
    farm.kill("bad")
    outcome, told = execute(devices(farm, "bad"), tmp_path / "results", resume=outcome.run)
    assert told.how("bad") == ["FAILED unreachable"]
    assert list(outcome.cells.values()) == ["INVALID"]
    assert [cell.latency_ns for cell in store.read_cells(outcome.folder)] == [first.latency_ns]


def test_a_mistake_of_ours_costs_one_board(farm: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(connection: object, measurement: Measurement, *words: object, **options: object) -> Cell:
        if measurement.job.device.name == "bad":
            raise ZeroDivisionError("one over none")
        return run_cell(connection, measurement, *words, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(attempt, "run_cell", mistaken)
    _, told = execute(devices(farm), tmp_path / "results", **THREE)
    assert told.how("bad") == ["FAILED internal"] * 3
    assert "ZeroDivisionError: one over none" in told.said("bad")
    assert "mistaken" in told.cells["bad"][0].evidence["stderr"]
    assert [measured(cell) for cell in told.cells["good"]] == [True] * 3


def test_an_old_result_is_not_taken_for_this_one(farm: Farm, tmp_path: Path) -> None:
    """The result of an earlier run lies there whole, and this run's runner is killed before it can remove it."""
    farm.places["bad"].python("write(answer); os.kill(os.getpid(), 9)")
    _, told = execute(devices(farm, "bad"), tmp_path / "results")
    assert told.how("bad") == ["FAILED runner"]
    assert "an older one's" in told.said("bad")


def test_a_run_is_not_resumed_with_another_artifact(
    farm: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, _ = execute(devices(farm, "good"), tmp_path / "results")
    (cell,) = store.read_cells(outcome.folder)
    other = cell.model.model_copy(update={"sha256": "f" * 64})
    store.write_cell(outcome.folder, cell.model_copy(update={"model": other}))
    with pytest.raises(UsageError, match="measured another"):
        work(devices(farm, "good"), tmp_path / "results", resume=outcome.run)


def test_the_board_stays_leased_while_files_are_sent(farm: Farm, tmp_path: Path) -> None:
    """The first 120 s of a lease are free; a slow link needs longer than that for a runtime."""
    agent = """
if command in ("lease", "receive"):  # the agent's own text comes first
    sys.stdin.buffer.read(int(sys.argv[2].partition("=r(")[2].partition(")")[0]))
if command == "lease":
    sys.stdout.write(json.dumps({"granted": True}) + chr(10))
    sys.stdout.flush()
    for line in sys.stdin:
        open(os.path.join(HERE, "order"), "a").write("lease " + line)
    sys.exit()
if command == "have":
    sys.exit(print(json.dumps({"have": []})))
if command == "receive":
    sys.stdin.buffer.read(int(sys.argv[6]))
    open(os.path.join(HERE, "order"), "a").write("receive" + chr(10))
    sys.exit(print(json.dumps({"received": sys.argv[5]})))
"""
    farm.places["bad"].python(agent=agent)
    _, told = execute(devices(farm, "bad"), tmp_path / "results")
    assert measured(told.cells["bad"][0])
    lines = (farm.places["bad"].bin / "order").read_text().split("\n")
    assert all(float(line.split()[1]) > 200 for line in lines if line.startswith("lease"))
    assert sum(line.startswith("lease") for line in lines) >= 2 + lines.count("receive") + 1


def test_a_connection_that_breaks_before_the_first_cell_is_made_again(farm: Farm, tmp_path: Path) -> None:
    cut = """
if command == "probe" and count("probes") == 1:
    pid = os.getpid()
    while b"sshd" not in open("/proc/%d/comm" % pid, "rb").read():
        pid = int(open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()[1])
    os.kill(pid, 9)
    time.sleep(9)
"""
    farm.places["bad"].python(agent=cut)
    _, told = execute(devices(farm, "bad"), tmp_path / "results")
    assert (farm.places["bad"].bin / "probes").stat().st_size == 2
    assert measured(told.cells["bad"][0]), told.said("bad")


def test_a_connection_that_is_refused_is_not_left_open(sshd: Sshd) -> None:
    authorized = sshd.folder / "authorized"
    authorized.write_text(f'command="echo not-a-path" {authorized.read_text()}')
    before = threading.active_count()
    with pytest.raises(TransportError, match="did not run our command: not-a-path"):
        SshConnection(target(sshd))
    until(lambda: threading.active_count() <= before, 10)  # paramiko closes its socket first, its thread ends by that


def test_a_board_listed_twice_is_measured_once_after_the_other() -> None:
    fleet = config.parse(
        "devices: [{name: a, board: generic, host: Pi}, {name: b, board: generic, host: pi}, "
        "{name: c, board: generic, host: pi, port: 2222}]"
    )
    found = [[[device.name for device in step] for step in group] for group in groups(fleet.devices)]
    assert found == [[["a"], ["b"]], [["c"]]]


@pytest.mark.slow
def test_a_key_stays_where_it_is(farm: Farm, tmp_path: Path) -> None:
    """Not a line of the private key in what is stored, reported, printed or sent, nor where any user of a machine can
    look: in the words that processes were started with, on the controller and on the board."""
    farm.places["bad"].python(
        "time.sleep(0.1)\ncount('waiting')\nwhile not os.path.exists(HERE + '/go'): time.sleep(0.05)"
    )
    (tmp_path / "devices.yaml").write_text(yaml.safe_dump({"devices": [farm.entry("bad", runtimes="litert")]}))
    command = [
        sys.executable, "-m", "harness", "--debug", "run", "--devices", "devices.yaml", "--models", str(MODELS),
        "--quick", "--model", NET, "--variant", "int8",
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        until(waiting(farm))
        running_now = [process.pid, *descendants(process.pid), *descendants(farm.servers["bad"].pid)]
        words = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in running_now)
        go(farm)
        printed, _ = process.communicate(timeout=120)
    assert b"--job" in words  # the board's side was looked at, too
    files = [path for name in ("results", "reports", "bad/home") for path in (tmp_path / name).rglob("*")]
    written = [path.read_bytes() for path in files if path.is_file()]
    assert len(written) > 5
    for line in farm.client_key.read_bytes().splitlines()[1:-1]:
        assert not any(line in place for place in (words, printed, *written))


def test_a_password_in_a_device_list_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse("devices: [{name: a, board: generic, host: h, password: hunter2}]")
    assert "hunter2" not in f"{caught.value} {caught.value.fix}"


def disturbed(monkeypatch: pytest.MonkeyPatch, attempts: int) -> list[str]:
    """The first so many attempts of each cell are disturbed. Returns the cells, in the order of attempts."""
    seen: list[str] = []

    def spoilt(connection: object, measurement: Measurement, *words: object, **options: object) -> Cell:
        cell = run_cell(connection, measurement, *words, **options)  # type: ignore[arg-type]
        seen.append(cell.cell)
        number = seen.count(cell.cell)
        reasons = (Reason(code="background-load", text=f"attempt {number}"),) if number <= attempts else ()
        rounds = tuple(
            each.model_copy(update={"reasons": reasons}) for each in cell.rounds
        )  # how busy it is here is nothing
        status = "INVALID" if reasons else "VALID"
        return cell.model_copy(update={"status": status, "reasons": reasons, "rounds": rounds})

    monkeypatch.setattr(attempt, "run_cell", spoilt)
    monkeypatch.setattr(attempt, "PAUSE_S", 0.01)
    return seen


def here(threads: int) -> config.Fleet:
    keys = {"threads": [*range(1, threads + 1)], "runtimes": ["litert"], "rounds": 1}
    return config.parse(yaml.safe_dump({"devices": [{"name": "here", "board": "generic", "local": True, **keys}]}))


@pytest.mark.slow
def test_a_local_device_is_tried_again_at_the_end(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice at once, and once more when all else is done; why it didn't count before is kept."""
    seen = disturbed(monkeypatch, 2)
    outcome, told = execute(here(2), tmp_path / "results")
    assert outcome.all_valid
    first, second = dict.fromkeys(seen)
    assert seen == [first, first, second, second, first, second]
    assert [f"{cell.status}" for cell in told.cells["here"]] == ["INVALID", "INVALID", "VALID", "VALID"]
    for cell in store.read_cells(outcome.folder):
        texts = [reason["text"] for attempt in cell.evidence["earlier"] for reason in attempt["reasons"]]
        assert texts == ["attempt 1", "attempt 2"]


@pytest.mark.slow
def test_a_busy_machine_is_not_tried_for_ever(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = disturbed(monkeypatch, 99)
    outcome, told = execute(here(6), tmp_path / "results")
    assert set(outcome.cells.values()) == {"INVALID"}
    assert [seen.count(cell) for cell in dict.fromkeys(seen)] == [3, 3, 3, 1, 1, 1]
    assert len(outcome.bad) == 6
    assert any("measuring 6 cells again" in message for message in told.messages)
