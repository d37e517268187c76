"""Releases of runtimes: found by pip in a folder that stands for the index, fixed in a lock file, verified since."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.core.errors import ProvisionError
from harness.runtimes import releases as module
from harness.runtimes.lockfile import lock_path
from harness.runtimes.releases import Releases
from harness.runtimes.requested import Requested
from harness.runtimes.wheels import Platform, fetch, table
from tests.support.wheels import made_wheel, only_index

BOOKWORM = Platform("3.11", "aarch64", (2, 36))
WANTED = Requested("litert", "2.9.0")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    only_index(tmp_path / "index", monkeypatch)
    for version in ("2.8.0", "2.9.0"):
        made_wheel(tmp_path / "index", "ai_edge_litert", version, requires=("numpy>=1.23.2", "tqdm"))
    return tmp_path / "index"


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    return Releases.of(str(tmp_path / "lab.yaml"))


def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> Path:
        raise AssertionError("pip was asked")

    monkeypatch.setattr(module.pip, "download", never)


def test_the_first_use_fixes_the_hashes(index: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = releases.bundle(WANTED, BOOKWORM)
    assert releases.lock.name == "lab.lock.json"
    assert [wheel.file.split("-")[:2] for wheel in bundle.wheels] == [["ai_edge_litert", "2.9.0"], ["numpy", "1.26.4"]]
    assert (bundle.version, bundle.glibc, bundle.pinned_in) == ("2.9.0", (2, 27), "lab.lock.json")
    stored = json.loads(releases.lock.read_text())
    assert stored["rows"][0]["wheels"][0]["sha256"] == bundle.wheels[0].sha256
    assert "http" not in releases.lock.read_text()
    assert str(index) not in releases.lock.read_text()
    no_pip(monkeypatch)
    assert releases.bundle(WANTED, BOOKWORM) == bundle


def test_numpy_is_the_harnesss_own_where_the_release_takes_it(index: Path, releases: Releases) -> None:
    own = next(
        w
        for row in table()
        if (row.python, row.machine) == ("3.11", "aarch64")
        for w in row.wheels
        if "numpy" in w.file
    )
    assert releases.bundle(WANTED, BOOKWORM).wheels[1] == own


def test_numpy_is_what_the_wheels_own_metadata_takes(index: Path, releases: Releases) -> None:
    made_wheel(
        index,
        "ai_edge_litert",
        "3.0.0",
        requires=("numpy>=2.1; python_version >= '3.9'", "numpy<1; python_version < '3'"),
    )
    for version in ("1.26.4", "2.0.0", "2.2.0"):
        made_wheel(index, "numpy", version)
    assert releases.bundle(Requested("litert", "3.0.0"), BOOKWORM).wheels[1].file.startswith("numpy-2.2.0-")


def test_numpy_1_goes_before_numpy_2(index: Path, releases: Releases) -> None:
    """tflite-runtime 2.14 does not say that it can't be loaded with numpy 2."""
    tags = "cp312-cp312-manylinux_2_27_aarch64"
    made_wheel(index, "tflite_runtime", "2.90.0", tags=tags, requires=("numpy (>=1.23.2)",))
    for version in ("1.26.4", "2.2.0"):
        made_wheel(index, "numpy", version, tags=tags)
    platform = Platform("3.12", "aarch64", (2, 39))
    assert releases.bundle(Requested("tflite", "2.90.0"), platform).wheels[1].file.startswith("numpy-1.26.4-")


def test_a_machine_without_a_wheel_of_numpy_needs_its_own(index: Path, releases: Releases) -> None:
    made_wheel(index, "ai_edge_litert", "2.9.0", tags="cp311-cp311-linux_armv7l", requires=("numpy",))
    with pytest.raises(ProvisionError, match="needs numpy on the board"):
        releases.bundle(WANTED, Platform("3.11", "armv7l", (2, 36)))
    bundle = releases.bundle(WANTED, Platform("3.11", "armv7l", (2, 36), numpy="1.24.2"))
    assert (len(bundle.wheels), bundle.system) == (1, ("numpy",))


def test_a_release_that_is_not_there_names_those_that_are(index: Path, releases: Releases) -> None:
    with pytest.raises(ProvisionError) as caught:
        releases.bundle(Requested("litert", "7.7.7"), BOOKWORM)
    assert str(caught.value) == (
        "litert==7.7.7: has no wheel for Python 3.11 on aarch64 with glibc 2.36 (these releases have one: 2.8.0, 2.9.0)"
    )
    assert not releases.lock.exists()


@pytest.mark.parametrize(
    ("platform", "said"),
    [
        (Platform("3.11", "aarch64", (2, 26)), "no release has a wheel for Python 3.11 on aarch64 with glibc 2.26"),
        (Platform("3.12", "aarch64", (2, 36)), "no release has a wheel for Python 3.12"),
        (Platform("3.11", "x86_64", (2, 36)), "no release has a wheel for Python 3.11 on x86_64"),
        (Platform("3.11", "aarch64", None), "its wheels need glibc"),
    ],
)
def test_a_board_that_no_wheel_fits(index: Path, releases: Releases, platform: Platform, said: str) -> None:
    with pytest.raises(ProvisionError, match=said):
        releases.bundle(WANTED, platform)


def test_a_number_that_is_published_otherwise(index: Path, releases: Releases) -> None:
    """One release has one name, or one cell would be two."""
    with pytest.raises(ProvisionError, match=r"is published as 2\.9\.0"):
        releases.bundle(Requested("litert", "2.9"), BOOKWORM)
    assert not releases.lock.exists()


def test_a_board_with_an_older_c_library_gets_its_own_row(index: Path, releases: Releases) -> None:
    releases.bundle(WANTED, BOOKWORM)
    made_wheel(index, "ai_edge_litert", "2.9.0", tags="cp311-cp311-manylinux_2_17_aarch64", requires=("numpy",))
    old = releases.bundle(WANTED, Platform("3.11", "aarch64", (2, 26)))
    assert "manylinux_2_17" in old.wheels[0].file
    assert len(json.loads(releases.lock.read_text())["rows"]) == 2


def test_a_changed_wheel_is_refused(index: Path, releases: Releases, tmp_path: Path) -> None:
    bundle = releases.bundle(WANTED, BOOKWORM)
    made_wheel(index, "ai_edge_litert", "2.9.0", requires=("numpy>=1.23.2",), content="evil = True")
    shutil.rmtree(tmp_path / "cache")
    again = releases.bundle(WANTED, BOOKWORM)
    assert again == bundle
    with pytest.raises(ProvisionError) as caught:
        fetch(again)
    said = str(caught.value)
    assert "is not the pinned file (SHA-256 differs): lab.lock.json has " + bundle.wheels[0].sha256[:16] in said
    assert "which has" in said


def test_a_changed_wheel_in_the_cache_is_fetched_anew(index: Path, releases: Releases, tmp_path: Path) -> None:
    bundle = releases.bundle(WANTED, BOOKWORM)
    wheel = bundle.wheels[0]
    cached = tmp_path / "cache" / "wheels" / wheel.sha256 / wheel.file
    good = cached.read_bytes()
    cached.write_bytes(b"evil")
    alone = type(bundle)(**{**vars(bundle), "wheels": (wheel,)})
    assert fetch(alone) == [cached]
    assert cached.read_bytes() == good


@pytest.mark.parametrize("content", [b"no zip", b"PK\x03\x04" + b"\0" * 40])
def test_what_is_no_wheel_is_refused(index: Path, releases: Releases, content: bytes) -> None:
    (index / "ai_edge_litert-2.9.0-cp311-cp311-manylinux_2_27_aarch64.whl").write_bytes(content)
    with pytest.raises(ProvisionError):
        releases.bundle(WANTED, BOOKWORM)
    assert not releases.lock.exists()


def test_a_release_of_the_harnesss_own_table_needs_no_index(
    releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_pip(monkeypatch)
    row = next(row for row in table() if (row.runtime, row.python, row.machine) == ("litert", "3.11", "aarch64"))
    bundle = releases.bundle(Requested("litert", row.version), BOOKWORM)
    assert bundle == row
    assert json.loads(releases.lock.read_text())["rows"][0]["version"] == row.version


def test_without_a_release_nothing_is_locked(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    no_pip(monkeypatch)
    assert releases.bundle(Requested("onnxruntime"), BOOKWORM).runtime == "onnxruntime"
    assert not releases.lock.exists()


def test_a_damaged_lock_file_is_no_permission_to_start_anew(index: Path, releases: Releases) -> None:
    releases.lock.write_text("{")
    with pytest.raises(ProvisionError, match="is no lock file"):
        releases.bundle(WANTED, BOOKWORM)
    assert releases.lock.read_text() == "{"


def test_a_folder_that_can_t_be_written_is_told(index: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProvisionError, match="can't be"):
        Releases(tmp_path / "file" / "devices.lock.json").bundle(WANTED, BOOKWORM)


def test_each_list_has_its_lock() -> None:
    assert lock_path(Path("a/devices.yaml")) == Path("a/devices.lock.json")
    assert lock_path(Path("lab")) == Path("lab.lock.json")
    assert lock_path(Path("/dev/fd/63")) == lock_path(Path("/dev/stdin")) == Path("devices.lock.json")
