"""Builds on a Dask cluster: the same manifests as without, also where a worker is killed in the middle."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

dask = pytest.importorskip("dask")
pytest.importorskip("distributed")

from benchmarks.made.build_times import timeless  # noqa: E402
from harness.cli import app as cli  # noqa: E402
from harness.core.errors import BuildError, UsageError  # noqa: E402
from harness.data.findings import DataFindings  # noqa: E402
from harness.records import manifest  # noqa: E402
from harness.training import pipeline  # noqa: E402
from harness.training.compress.budget import Targets  # noqa: E402
from harness.training.networks import registry  # noqa: E402
from harness.training.options import BuildOptions  # noqa: E402
from harness.training.sweep import build as sweep  # noqa: E402
from harness.training.sweep.tasks import tasks_of  # noqa: E402
from tests.conftest import REPOSITORY  # noqa: E402
from tests.support import tiny_sweep  # noqa: E402
from tests.support.datasets import small_dataset  # noqa: E402

WARNINGS = ("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning", "ignore::ResourceWarning")


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    found = small_dataset(), DataFindings(path="small", form=None)
    monkeypatch.setattr(pipeline, "load_with_findings", lambda spec: found)


@pytest.fixture
def tiny(data: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Networks that take seconds, here and in workers."""
    for module in ("tensorflow", "ai_edge_litert", "onnx", "tf2onnx"):
        pytest.importorskip(module)
    tiny_sweep.patched(monkeypatch)
    with dask.config.set(tiny_sweep.PRELOAD):
        yield


def options(models: Path, *names: str, **more: Any) -> BuildOptions:
    return BuildOptions(names=names, models=models, profile="quick", **more)


def swept(models: Path, cache: Path, *names: str, say: Callable[[str], None], **more: Any) -> sweep.Swept:
    return sweep.build(options(models, *names, **more), on="local:2", cache=cache, progress=say)


class Killer:
    """Hears progress; kills a network's worker with SIGKILL at a line of it, as often as asked.

    Args:
        line: what the line begins with after the network's name.
    """

    def __init__(self, network: str, line: str, times: int) -> None:
        self.network, self.line, self.times = network, line, times
        self.lines: list[str] = []
        self.pid = 0

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        if begun := re.match(rf"{self.network}: begins on .*, process (\d+)$", line):
            self.pid = int(begun[1])
        if line.startswith(self.network + self.line) and self.times and self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.times, self.pid = self.times - 1, 0


@pytest.mark.usefixtures("tiny")
@pytest.mark.train
@pytest.mark.slow
@pytest.mark.filterwarnings(*WARNINGS)
def test_two_workers_build_what_one_process_builds_also_when_one_is_killed(tmp_path: Path) -> None:
    names = ("tiny", "other")
    pipeline.build(options(tmp_path / "alone", *names), cache=tmp_path / "cache-1", progress=lambda line: None)
    killer = Killer("tiny", " epoch 1/", 1)
    made = swept(tmp_path / "spread", tmp_path / "cache-2", *names, say=killer)
    made.check()
    said = killer.lines
    assert [record.name for record in made.manifests] == list(names)
    assert sum(line.startswith("tiny: begins on ") for line in said) == 2, said
    assert sum(line.startswith("tiny epoch 1/") for line in said) == 1, "what the dead worker stored counts"
    assert any(re.match(r"Dask's dashboard: http://127\.0\.0\.1:\d+/status", line) for line in said)
    for name, record in zip(names, made.manifests, strict=True):
        assert timeless(tmp_path / "alone", name) == timeless(tmp_path / "spread", name)
        assert manifest.load(tmp_path / "spread", name) == record
        for artifact in record.artifacts:
            files = [tmp_path / place / name / artifact.filename for place in ("alone", "spread")]
            assert files[0].read_bytes() == files[1].read_bytes()
    assert not list((tmp_path / "cache-2").glob(".sweep-*"))


@pytest.mark.usefixtures("tiny")
@pytest.mark.train
@pytest.mark.soak
@pytest.mark.filterwarnings(*WARNINGS)
def test_folds_and_seeds_come_together_as_they_do_alone(tmp_path: Path) -> None:
    """A pruned network's parent is trained once for each fold, although nobody asked for it."""
    more: dict[str, Any] = {"split": "subject", "folds": 2, "repeats": 2}
    pipeline.build(options(tmp_path / "alone", "tiny-pruned", **more), cache=tmp_path / "1", progress=lambda line: None)
    said: list[str] = []
    swept(tmp_path / "spread", tmp_path / "2", "tiny-pruned", say=said.append, **more).check()
    assert timeless(tmp_path / "alone", "tiny-pruned") == timeless(tmp_path / "spread", "tiny-pruned")
    assert sum(" begins on " in line and line.startswith("tiny,") for line in said) == 2


@pytest.mark.usefixtures("tiny")
@pytest.mark.train
@pytest.mark.soak
@pytest.mark.filterwarnings(*WARNINGS)
def test_a_task_whose_workers_all_die_fails_by_name_and_others_go_on(tmp_path: Path) -> None:
    killer = Killer("tiny", ": begins on ", 99)
    made = swept(tmp_path / "models", tmp_path / "cache", "tiny", "tiny-pruned", "other", say=killer)
    assert [record.name for record in made.manifests] == ["other"]
    with pytest.raises(BuildError, match=r"FAILED tiny: its worker died.*tiny-pruned: starts from tiny, which failed"):
        made.check()


@pytest.mark.usefixtures("data")
def test_who_waits_for_whom(tmp_path: Path) -> None:
    def planned(*names: str, **more: Any) -> list[tuple[str, str, int]]:
        asked = options(tmp_path, *names, **more)
        tasks = tasks_of(pipeline.planned(asked, cache=tmp_path / "cache", progress=lambda line: None))
        folders = {task.makes for task in tasks}
        assert all(folders.issuperset(task.needs) for task in tasks)
        return [(task.kind, task.title, len(task.needs)) for task in tasks]

    assert planned("squeezenet", "squeezenet-pruned") == [
        ("export", "squeezenet", 0), ("export", "squeezenet-pruned", 1),
    ]  # fmt: skip
    assert planned("squeezenet-pruned", repeats=2) == [
        ("train", "squeezenet", 0), ("export", "squeezenet-pruned", 1), ("trial", "squeezenet-pruned, seed 1", 1),
    ]  # fmt: skip
    assert planned("squeezenet-pruned", split="subject", folds=3, only_folds=(1,)) == [
        ("train", "squeezenet, fold 2 of 3", 0), ("export", "squeezenet-pruned, fold 2 of 3", 1),
    ]  # fmt: skip


@pytest.mark.usefixtures("data")
def test_a_teacher_is_waited_for_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pruned = registry.get("squeezenet-pruned")
    taught = replace(pruned, pruning=replace(pruned.pruning, teacher="mnasnet"))
    known = tuple(taught if network is pruned else network for network in registry.NETWORKS)
    monkeypatch.setattr(registry, "NETWORKS", known)
    plan = pipeline.planned(options(tmp_path, "squeezenet-pruned"), cache=tmp_path / "c", progress=lambda line: None)
    tasks = tasks_of(plan)
    assert [task.title for task in tasks] == ["squeezenet", "mnasnet", "squeezenet-pruned"]
    assert tasks[2].needs == (tasks[0].makes, tasks[1].makes)


def test_a_latency_beside_other_trainings_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave --on out"):
        swept(tmp_path, tmp_path, "squeezenet-pruned", say=print, targets=Targets(latency_ratio=0.5))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--on", "nowhere"], "neither local:N nor a scheduler's address"),
        (["--on", "local:0"], "from 1 to 256 workers"),
        (["--on", "local:2", "--unseen"], "leave --on out"),
    ],
)
def test_the_command_line_refuses_before_anything_is_touched(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    done = CliRunner().invoke(cli.app, ["build", "squeezenet", *words])
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.train
@pytest.mark.soak
@pytest.mark.alone
def test_four_networks_as_users_build_them() -> None:
    """Wall times are printed, not judged: two workers share the processors that one process has to itself."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.build_on"],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("the same |") == 2, done.stdout
