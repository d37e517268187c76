"""Fixtures that several test files share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.made import runtimes
from benchmarks.made.checkout import MODELS, REPOSITORY
from benchmarks.made.sshd import SSHD
from harness.core.paths import cache_dir
from harness.run import measure
from tests.support.sshd_fixtures import Sshd

__all__ = ["MODELS", "REPOSITORY"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for one test; only what is expensive and never changes is the user's."""
    real, own = cache_dir(), tmp_path / "cache"
    own.mkdir()
    for name in ("images", "wheels", "golden"):
        (real / name).mkdir(parents=True, exist_ok=True)
        (own / name).symlink_to(real / name)
    runtimes.give(own / "local" / "here")
    monkeypatch.setenv("HARNESS_CACHE", str(own))
    return own


@pytest.fixture
def short_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure for a tenth of the usual time, in runs by this process.

    A network of one operator answers some hundred thousand times in a second, and all these samples are sent, judged
    and stored; who looks at what becomes of the answers needs few.
    """
    for name in ("WARMUP_NS", "WARMUP_MOST_NS", "SERIES_NS"):
        monkeypatch.setattr(measure, name, getattr(measure, name) // 10)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A real SSH server on loopback."""
    if SSHD is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no sshd here: apt-get install openssh-server")
    server = Sshd(tmp_path / "sshd")
    runtimes.give(server.store)
    try:
        yield server
    finally:
        server.stop()


#: Files whose tests judge by the wall clock or load every core: company would change what they see, and they what
#: others see. An emulated board is no reason: its clock counts instructions.
ALONE = {"run/test_fleet", "run/verdict/test_qemu", "run/verdict/test_real", "strange/test_fleet"}
#: Files whose tests take seconds each and minutes together: a server, a run or a program of ours for each.
SLOW = {
    "cli/test_model_files", "cli/test_places", "cli/test_streams", "remote/test_hostile", "run/test_foreign_several",
    "run/test_interrupted", "run/test_releases", "run/test_resume", "run/test_robust", "strange/test_agents",
    "strange/test_asked", "strange/test_places", "strange/test_shells", "strange/test_users_files",
}  # fmt: skip
#: Files that take minutes, the longest first. They are started first, so that a session ends with short ones.
LONG = (
    "training/test_task_to_report", "repository/test_docs", "run/test_qemu", "training/test_compress",
    "training/test_train", "training/test_compress_budget", "strange/test_boards", "emulate/test_qemu",
    "report/test_figures", "strange/test_guide", "repository/test_benchmarks", "run/test_foreign",
    "strange/test_shells", "run/test_tasked", "training/test_pipeline", "run/test_robust", "run/test_faults",
    "run/test_interrupted", "cli/test_streams", "training/test_export", "training/test_networks",
)  # fmt: skip
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What boots a board or goes on for minutes is slow, whether it says so or not: ``-m "not slow"`` is quick."""
    order = {name: number for number, name in enumerate(LONG)}

    def name(item: pytest.Item) -> str:
        return item.path.relative_to(HERE).with_suffix("").as_posix()

    items.sort(key=lambda item: order.get(name(item), len(order)))
    for item in items:
        if name(item) in ALONE:
            item.add_marker(pytest.mark.alone)
        if item.get_closest_marker("slow") is None and (
            name(item) in SLOW or any(item.get_closest_marker(m) for m in ("soak", "qemu"))
        ):
            item.add_marker(pytest.mark.slow)
