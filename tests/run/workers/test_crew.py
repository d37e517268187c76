"""Boards behind real SSH servers, measured by worker processes, one of which is killed meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

pytest.importorskip("distributed")
from distributed import Client

from benchmarks.made.checkout import MODELS, environment
from benchmarks.made.farm import Farm, fleet
from benchmarks.made.runs import NET, DeviceRecorder, execute, measured, work
from benchmarks.made.sshd import SSHD, free_port
from harness.config.devices import Fleet
from harness.core.errors import StoreError
from harness.results import store
from harness.run.scheduler import Run
from harness.run.workers.crew import Workers, on_cluster
from tests.support.faults_fixtures import until

pytestmark = [
    pytest.mark.slow, pytest.mark.alone, pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(SSHD is None, reason="no sshd here"),
]  # fmt: skip
SITES = ("lab1", "lab2")
QEMU = {"name": "qemu", "board": "raspberry-pi-4", "emulate": True, "runtimes": ["litert"], "site": "lab2"}


#: Each round that a board has measured to its end is noted there, by its cell.
NOTED = """
time.sleep(0.3)
with open(os.path.join(HERE, "rounds"), "a") as handle:
    handle.write(job["cell"] + "\\n")
"""


def rounds_of(farm: Farm, name: str) -> list[str]:
    """The cell of each round that a board has measured to its end."""
    path = farm.places[name].bin / "rounds"
    return path.read_text().split() if path.exists() else []


def two_sites(farm: Farm, **more: object) -> list[dict[str, object]]:
    """The boards of a farm, half of them at either site."""
    half = (len(farm.places) + 1) // 2
    return [
        farm.entry(name, site=SITES[number >= half], runtimes=["litert"], **more)
        for number, name in enumerate(farm.places)
    ]


@pytest.fixture
def farm(tmp_path: Path, cache: Path) -> Iterator[Farm]:
    made = Farm(tmp_path / "farm", [f"b{number:02}" for number in range(16)])
    yield made
    made.stop()


@pytest.fixture
def crew(cache: Path) -> Iterator[Workers]:
    with on_cluster("local:2", lambda line: None) as made:
        yield made


def pids(crew: Workers) -> dict[str, int]:
    return dict(crew.client.run(os.getpid))


def site_workers(crew: Workers, boards: Fleet) -> dict[str, str]:
    """The address of the worker of each site."""
    found = {site: worker.address for worker in crew._present(boards.devices) for site in worker.sites}
    assert len(set(found.values())) == 2
    return found


def all_measured(run: Run, boards: Fleet, cells: int) -> None:
    """Every board has its cells, each once, whole and as they were planned."""
    stored = list(store.read_cells(run.folder))
    assert len(stored) == len({cell.cell for cell in stored}) == len(boards.devices) * cells
    assert {cell.cell for cell in stored} == set(store.read_run(run.folder).planned)
    assert all(measured(cell) for cell in stored)


def test_a_worker_that_is_killed_gives_its_boards_to_the_other(tmp_path: Path, farm: Farm, crew: Workers) -> None:
    """Two sites of 8 boards. What was finished, whole cells and single rounds, is not measured again."""
    for place in farm.places.values():
        place.python(NOTED)
    boards = fleet(*two_sites(farm, rounds=2))
    run, told = work(boards, tmp_path / "results", threads=(1, 2)), DeviceRecorder()
    victim = site_workers(crew, boards)["lab1"]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run.execute, told, lambda: False, crew)
        until(lambda: sum(len(rounds_of(farm, name)) for name in farm.places) >= 16, 240)
        os.kill(pids(crew)[victim], signal.SIGKILL)
        outcome = running.result(240)
    all_measured(run, boards, 2)
    assert len(outcome.cells) == 32
    assert any(f"{victim} is gone; others go on with b00" in line for line in told.messages), told.messages
    for device in boards.devices:
        rounds = rounds_of(farm, device.name)
        assert len(set(rounds)) == 2, device.name
        # 2 cells of 2 rounds, and at most the round that the killed worker was in
        assert 4 <= len(rounds) <= 4 + (device.site == "lab1"), device.name
    for cell in store.read_cells(run.folder):
        assert len(cell.rounds) == 2
    assert sorted(len(cells) for cells in told.cells.values()) == [2] * 16, "each cell ended once"


def test_an_interrupted_run_lets_the_boards_go_and_is_resumed_without_workers(
    tmp_path: Path, farm: Farm, crew: Workers
) -> None:
    names = ("b00", "b15")
    for name in names:
        farm.places[name].python("time.sleep(0.1 if cells == 1 else 600)")
    boards = fleet(*(entry for entry in two_sites(farm) if entry["name"] in names))
    run, told, interrupted = work(boards, tmp_path / "results", threads=(1, 2)), DeviceRecorder(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run.execute, told, interrupted.is_set, crew)
        until(lambda: all(farm.places[name].cells_started() == 2 for name in names), 120)
        interrupted.set()
        with pytest.raises(KeyboardInterrupt):
            running.result(30)
    assert [len(told.cells[name]) for name in names] == [1, 1], told.messages
    for name in names:
        farm.places[name].python("time.sleep(0.1)")
    outcome, again = execute(boards, tmp_path / "results", resume=run.folder.name)
    assert len(outcome.cells) == 4
    assert all(measured(cell) for cells in again.cells.values() for cell in cells), again.messages


def test_results_that_cannot_be_stored_end_the_run(
    tmp_path: Path, farm: Farm, crew: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise StoreError("no space left")

    farm.places["b00"].python("time.sleep(0.1)")
    monkeypatch.setattr(store, "write_cell", full)
    with pytest.raises(StoreError, match="no space left"):
        work(farm.fleet("b00"), tmp_path / "results").execute(DeviceRecorder(), crew=crew)


def test_a_board_that_fails_costs_its_own_cells(tmp_path: Path, farm: Farm, crew: Workers) -> None:
    farm.kill("b01")
    farm.places["b00"].python("time.sleep(0.1)")
    told = DeviceRecorder()
    outcome = work(farm.fleet("b00", "b01", runtimes=["litert"]), tmp_path / "results").execute(told, crew=crew)
    assert told.how("b01") == ["FAILED unreachable"], told.messages
    assert measured(told.cells["b00"][0])
    assert outcome.failed


def test_workers_of_a_cluster_take_the_boards_of_their_site(tmp_path: Path, farm: Farm) -> None:
    """``dask scheduler`` and ``dask worker`` in processes of their own; the command line joins them."""
    for name in ("b00", "b15"):
        farm.places[name].python("time.sleep(0.1)")
    port = free_port()
    address, processes = f"tcp://127.0.0.1:{port}", []
    try:
        processes.append(dask("scheduler", tmp_path, "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"))
        for site in SITES:
            processes.append(dask("worker", tmp_path, address, "--name", site, "--resources", f"site:{site}=1",
                                  "--no-dashboard", "--nthreads", "1"))  # fmt: skip
        with Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        entries = [entry for entry in two_sites(farm) if entry["name"] in ("b00", "b15")]
        (tmp_path / "devices.yaml").write_text(yaml.safe_dump({"devices": entries}))
        done = harness(tmp_path, "--on", address)
        assert done.returncode in (0, 1), done.stderr
        answer = json.loads(done.stdout)
        cells = list(store.read_cells(tmp_path / answer["folder"]))
        assert sorted(cell.device.name for cell in cells) == ["b00", "b15"], done.stderr
        assert all(measured(cell) for cell in cells), done.stderr
        if answer["again"]:
            assert f"--on {address} --resume" in answer["again"]

        (tmp_path / "devices.yaml").write_text(yaml.safe_dump({"devices": [{**entries[0], "site": "lab3"}]}))
        refused = harness(tmp_path, "--on", address)
        assert refused.returncode == 2
        assert "is at site 'lab3', and no worker is (sites there: lab1, lab2)" in refused.stderr
    finally:
        for process in processes:
            process.kill()
            process.wait(30)


def test_a_wrong_address_is_refused_before_anything_is_touched(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "devices.yaml").write_text("devices: [{name: a, board: generic, host: nowhere}]")
    done = harness(tmp_path, "--on", "local:none")
    assert done.returncode == 2
    assert re.search("--on 'local:none': from 1 to 256 workers", done.stderr)
    assert not (tmp_path / "results").exists()


@pytest.mark.soak
@pytest.mark.qemu
def test_a_killed_worker_with_an_emulated_board(tmp_path: Path, farm: Farm, crew: Workers) -> None:
    """Two sites of 8 loopback boards and one QEMU board, whose worker is killed while it measures."""
    for place in farm.places.values():
        place.python("time.sleep(0.3)")
    boards = fleet(*two_sites(farm), QEMU)
    run, told = work(boards, tmp_path / "results", threads=(1, 2)), DeviceRecorder()
    victim = site_workers(crew, boards)["lab2"]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run.execute, told, lambda: False, crew)
        until(lambda: told.cells.get("qemu"), 600)
        os.kill(pids(crew)[victim], signal.SIGKILL)
        running.result(900)
    all_measured(run, boards, 2)
    assert len(told.cells["qemu"]) == 2, "the cell that was finished is not measured again"
    assert any(f"{victim} is gone; others go on with" in line for line in told.messages), told.messages


def dask(what: str, folder: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *words]
    with (folder / f"{what}.log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, env=environment(), stdout=log, stderr=log)


def harness(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, "-m", "harness", "run", "--devices", "devices.yaml", "--models", str(MODELS), "--quick",
        "--json", "--model", NET, "--variant", "int8", *words,
    ]  # fmt: skip
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=400, check=False
    )
