"""What the doctor says of releases that are named: without asking the package index."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.boards.family import EMULATED_SYSTEMS
from harness.config.devices import load
from harness.doctor.fleet import check_fleet
from harness.doctor.releases import check_releases
from harness.modelfile.boards import platform_like
from harness.runtimes.releases import Releases
from harness.runtimes.requested import Requested
from harness.runtimes.wheels import table

OWN = next(row.version for row in table() if (row.runtime, row.python, row.machine) == ("litert", "3.11", "aarch64"))


def found(tmp_path: Path, *wanted: Requested) -> list[tuple[str, str]]:
    checks = check_releases(wanted, platform_like(EMULATED_SYSTEMS["arm64"]), Releases.of(str(tmp_path / "lab.yaml")))
    return [(check.severity, check.code) for check in checks]


def test_a_known_release_is_fine_and_another_is_noted(tmp_path: Path) -> None:
    wanted = Requested("litert", OWN), Requested("litert", "99.0.0"), Requested("onnxruntime")
    assert found(tmp_path, *wanted) == [("ok", "release"), ("note", "release-unknown")]


def test_a_damaged_lock_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "lab.lock.json").write_text("[]")
    assert found(tmp_path, Requested("litert", OWN)) == [("error", "config")]


@pytest.mark.parametrize("place", ["board: raspberry-pi-4, emulate: true", "board: generic, local: true"])
def test_a_list_that_names_releases_can_be_looked_at(place: str, tmp_path: Path, cache: Path) -> None:
    listed = tmp_path / "lab.yaml"
    listed.write_text(f"devices:\n- {{name: it, {place}, runtimes: [litert==99.0.0]}}\n")
    ((_, checks),) = check_fleet(load(listed)).boards
    assert "release-unknown" in {check.code for check in checks}
    assert not [check for check in checks if check.code == "runtime-missing"]
