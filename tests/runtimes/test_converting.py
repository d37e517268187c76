"""Running a converter: its limits, and what the cache keeps of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from harness.runtimes import converting
from harness.runtimes.converting import NotConvertedError, Recipe, kept, ran, taken
from harness.runtimes.record import Source, Tensor

PROGRAM = Recipe("program", "1", ("fp16=0",))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"network")
    tensor = Tensor("x", (1, 4), "float32")
    return Source(path, "a" * 64, format="onnx", variant="fp32", inputs=(tensor,), outputs=(tensor,))


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_it_runs_in_its_own_folder_and_knows_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "42")
    log = ran(python("import os; print(os.getcwd(), sorted(os.environ))"), tmp_path)
    assert str(tmp_path) in log
    assert "SECRET_TOKEN" not in log
    assert "HARNESS_CACHE" not in log


def test_one_that_takes_too_long_is_ended_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converting, "LIMIT_S", 1)
    code = f"import subprocess, time; subprocess.Popen(['sh', '-c', 'sleep 3; touch {tmp_path}/alive']); time.sleep(60)"
    began = time.monotonic()
    with pytest.raises(NotConvertedError, match="more than 1 s") as caught:
        ran(python(code), tmp_path)
    assert not caught.value.lasting
    assert time.monotonic() - began < 20
    time.sleep(3.5)
    assert not (tmp_path / "alive").exists()


def test_the_end_of_a_run_ends_it(tmp_path: Path) -> None:
    with pytest.raises(NotConvertedError, match="run ended") as caught:
        ran(python("import time; time.sleep(60)"), tmp_path, stopped=lambda: True)
    assert not caught.value.lasting


def test_its_last_words_are_the_reason(tmp_path: Path) -> None:
    with pytest.raises(NotConvertedError, match="ended with status 3: reading; no such operator �If") as caught:
        ran(python(r"import sys; print('reading\nno such operator \x1bIf'); sys.exit(3)"), tmp_path)
    assert caught.value.lasting
    assert "reading" in caught.value.log
    with pytest.raises(NotConvertedError, match="ended by signal 11"):
        ran(python("import os; os.kill(os.getpid(), 11)"), tmp_path)


def test_memory_and_files_are_limited(tmp_path: Path) -> None:
    with pytest.raises(NotConvertedError, match="MemoryError"):
        ran(python(f"bytearray({converting.MEMORY})"), tmp_path)
    with pytest.raises(NotConvertedError):
        ran(python(f"open('big', 'wb').truncate({converting.FILE + 1})"), tmp_path)


def test_a_talkative_one_fills_no_memory(tmp_path: Path) -> None:
    assert len(ran(python("print('x' * (8 << 20))"), tmp_path)) <= 1 << 20


def test_what_it_wrote_is_a_plain_file_of_a_possible_size(tmp_path: Path) -> None:
    (tmp_path / "network").write_bytes(b"12345")
    assert taken(tmp_path / "network", 5) == b"12345"
    with pytest.raises(NotConvertedError, match="over 4"):
        taken(tmp_path / "network", 4)
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("link", "missing"):
        with pytest.raises(NotConvertedError, match="no network"):
            taken(tmp_path / name, 1 << 20)


def test_what_was_made_is_kept_by_file_release_and_options(source: Source, cache: Path) -> None:
    calls: list[Path] = []

    def make(folder: Path) -> tuple[bytes, str]:
        calls.append(folder)
        return b"made %d" % len(calls), "log"

    first = kept(source, PROGRAM, make)
    assert kept(source, PROGRAM, make) == first
    assert first.model is not None
    assert first.model.read_bytes() == b"made 1"
    assert not calls[0].exists()
    others = [Recipe("program", "2", PROGRAM.options), Recipe("program", "1", ("fp16=1",)), Recipe("other", "1")]
    assert len({kept(source, other, make).sha256 for other in others}) == 3
    assert len(calls) == 4


@pytest.mark.parametrize(("lasting", "calls"), [(True, 1), (False, 2)])
def test_a_failure_is_kept_if_it_would_be_the_same_again(
    lasting: bool, calls: int, source: Source, cache: Path
) -> None:
    made: list[int] = []

    def make(folder: Path) -> tuple[bytes, str]:
        made.append(1)
        raise NotConvertedError("no operator If", "the log", lasting=lasting)

    for _ in range(2):
        found = kept(source, PROGRAM, make)
        assert (found.model, found.why, found.log) == (None, "no operator If", "the log")
    assert len(made) == calls
