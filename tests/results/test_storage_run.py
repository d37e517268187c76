"""Whole runs to ``s3://`` over a line with faults: a report is as from disk, and a killed controller's run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from benchmarks.made.checkout import environment
from benchmarks.made.farm import Farm
from benchmarks.made.runs import NET
from harness.results import store
from harness.results.objects.store import Objects
from tests.conftest import MODELS
from tests.support.faults_fixtures import farm, until
from tests.support.reports import digests
from tests.support.s3_server import BUCKET, FaultyLine, s3, s3_address

__all__ = ["farm", "s3", "s3_address"]  # fixtures

pytest.importorskip("s3fs")
pytestmark = [pytest.mark.slow, pytest.mark.alone]
URL = f"s3://{BUCKET}/team/runs"
#: The second cell takes long.
LONG = "count('waiting')\ntime.sleep(0.1 if cells == 1 else 60)"


def harness(folder: Path, *words: str, home: Path | None = None) -> subprocess.Popen[str]:
    env = environment() | ({"HARNESS_CACHE": str(home)} if home else {})
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *words], cwd=folder, env=env, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    out, said = process.communicate(timeout=300)
    assert process.returncode == code, said
    assert "Traceback" not in said, said
    return out, said


def run_words(folder: Path, entry: dict[str, object], *more: str) -> list[str]:
    (folder / "devices.yaml").write_text(yaml.safe_dump({"devices": [entry]}), encoding="utf-8")
    words = ["--models", str(MODELS), "--quick", "--model", NET, "--variant", "int8", "--results", URL]
    return ["run", *words, *more]


def another_home(folder: Path, cache: Path) -> Path:
    """A cache without results; what is expensive and never changes is shared."""
    folder.mkdir()
    for name in ("images", "wheels", "golden"):
        (folder / name).symlink_to(cache / name)
    return folder


def test_a_run_and_its_report_are_as_on_disk(s3: FaultyLine, cache: Path, tmp_path: Path) -> None:
    """One exchange in six meets a fault, and nothing differs by a byte."""
    s3.share = 1 / 6
    # whether numbers are steady is not what is tested here
    calm = dict.fromkeys(("waited", "dispersion", "drift", "others", "stolen", "memory_stall", "machine"))
    entry = {"name": "here", "board": "generic", "local": True, "runtimes": ["litert"], "rounds": 2, "thresholds": calm}
    out, said = ended(harness(tmp_path, *run_words(tmp_path, entry, "--json", "--reports", "first")))
    told = json.loads(out)
    assert told["statuses"] == {"VALID": 1}, said
    assert told["waiting"] == []
    assert s3.met.total() - s3.met["all"] > 0

    objects, disk = Objects(URL), tmp_path / "disk"
    for name in objects.all():
        path = disk / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(objects.read(name, 1 << 26) or b"")
    run = store.find_run(disk)
    assert run.name == told["run"]
    assert store.read_cell(store.cell_paths(run)[0]).status == "VALID"

    ended(harness(tmp_path, "report", "--results", str(disk), "--out", "from-disk"))
    assert digests(tmp_path / "first") == digests(tmp_path / "from-disk")  # the run's own is made from the mirror
    elsewhere = another_home(tmp_path / "elsewhere", cache)
    of_url = harness(
        tmp_path, "export", "latest", "--format", "parquet", "--results", URL, "--out", "1", home=elsewhere
    )
    of_disk = harness(tmp_path, "export", "latest", "--format", "parquet", "--results", str(disk), "--out", "2")
    ended(of_url)
    ended(of_disk)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    (mirrored,) = (elsewhere / "results").glob("*/*/run.json")
    assert digests(mirrored.parent / "cells") == digests(run / "cells")


def test_a_killed_controllers_run_is_finished_from_another_home(
    s3: FaultyLine, farm: Farm, cache: Path, tmp_path: Path
) -> None:
    s3.share = 0.1
    place = farm.places["bad"]
    place.python(LONG)
    words = run_words(tmp_path, farm.entry("bad", runtimes=["litert"]), "--threads", "1,2,3")
    process = harness(tmp_path, *words)
    until(lambda: (place.bin / "waiting").exists() and (place.bin / "waiting").stat().st_size == 2)
    objects = Objects(URL)
    until(lambda: any("/cells/" in name for name in objects.all()))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (run,) = objects.folders()
    (first,) = [name for name in objects.all() if "/cells/" in name]
    measured = objects.read(first, 1 << 26)

    place.python("time.sleep(0.1)")
    elsewhere = another_home(tmp_path / "elsewhere", cache)
    again = ["run", "--models", str(MODELS), "--results", URL, "--resume", run, "--json"]
    _, said = ended(harness(tmp_path, *again, home=elsewhere), 1)
    assert f"{URL}/{run}: " in said
    assert "works on it, claimed until" in said
    name = f"{run}/claim.json"
    old = json.loads(objects.read(name, 1 << 16) or b"") | {"expires": time.time() - 1}
    objects.write(name, json.dumps(old).encode())  # as after a quarter of an hour
    out, said = ended(harness(tmp_path, *again, home=elsewhere))
    assert "taking over run" in said
    assert json.loads(out)["statuses"] == {"VALID": 3}
    assert objects.read(first, 1 << 26) == measured
    assert objects.state(name) is None
    assert len([name for name in objects.all() if "/cells/" in name]) == 3
    out, _ = ended(harness(tmp_path, "export", run, "--results", URL))  # where it was begun
    assert len(out.splitlines()) == 4
