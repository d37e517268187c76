"""Fixtures that several test files share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.made.checkout import MODELS, REPOSITORY
from benchmarks.made.sshd import SSHD
from harness.core.paths import cache_dir
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
    monkeypatch.setenv("HARNESS_CACHE", str(own))
    return own


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A real SSH server on loopback."""
    if SSHD is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no sshd here: apt-get install openssh-server")
    server = Sshd(tmp_path / "sshd")
    try:
        yield server
    finally:
        server.stop()


#: Files whose tests measure, or look at what else runs on this machine: company would change what they see.
ALONE = {
    "doctor/test_examine", "emulate/test_boards", "emulate/test_qemu", "ondevice/test_runner_failures",
    "ondevice/test_runner_profile", "remote/test_lease", "remote/test_transport", "repository/test_benchmarks",
    "run/test_faults", "run/test_faults_board", "run/test_faults_network", "run/test_fleet", "run/test_interrupted",
    "run/test_loopback", "run/test_measure", "run/test_qemu", "run/test_resume", "run/test_robust",
    "run/verdict/test_qemu", "run/verdict/test_real", "runtimes/test_onboard", "strange/test_fleet",
    "strange/test_guide",
}  # fmt: skip
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What boots a board or goes on for minutes is slow, whether it says so or not: ``-m "not slow"`` is quick."""
    for item in items:
        if (
            item.path.relative_to(HERE).with_suffix("").as_posix() in ALONE
            or item.get_closest_marker("qemu") is not None
        ):
            item.add_marker(pytest.mark.alone)
        if item.get_closest_marker("slow") is None and any(item.get_closest_marker(m) for m in ("soak", "qemu")):
            item.add_marker(pytest.mark.slow)
