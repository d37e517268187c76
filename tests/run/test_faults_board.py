"""Faults of a board and of the runner on it; see test_faults.py."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.made import runtimes
from benchmarks.made.farm import Farm
from benchmarks.made.runs import execute, measured
from harness.run import timeouts as pace
from tests.support.faults_fixtures import THREE, Record, devices, farm, needs_root, note, short_pauses

__all__ = ["farm", "short_pauses"]  # fixtures


@pytest.mark.slow
def test_the_runner_hangs(farm: Farm, tmp_path: Path, record_property: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FLOOR_S", 3.0)
    farm.places["bad"].python("time.sleep(3600 if cells == 2 else 0.1)")
    started = time.monotonic()
    _, told = execute(devices(farm), tmp_path / "results", **THREE)
    assert told.how("bad")[1] == "FAILED timeout"
    assert [measured(cell) for cell in told.cells["bad"]] == [True, False, True]
    limit = told.said("bad").rpartition("within ")[2]
    left = subprocess.run(["pgrep", "-f", f"{farm.places['bad'].bin}/python3"], capture_output=True, check=False)
    assert not left.stdout, "the hung runner is still there"
    note(record_property, "runner hung", "a process that sleeps for an hour in the second cell",
         f"FAILED timeout after {limit.split()[0]} s (10 x the first cell, not the 120 s of an unknown board); it is "
         f"ended; the next cell is measured; {time.monotonic() - started:.0f} s in all")  # fmt: skip


@pytest.fixture
def real(farm: Farm, cache: Path) -> Farm:
    """The same boards with the real runner, and runtimes for it."""
    for place in farm.places.values():
        runtimes.give(place.root)
    return farm


@needs_root
@pytest.mark.slow
def test_the_oom_killer(real: Farm, tmp_path: Path, record_property: Record) -> None:
    if Path("/sys/fs/cgroup/memory").is_dir():
        group, limit, procs = Path("/sys/fs/cgroup/memory/harness-test"), "memory.limit_in_bytes", "cgroup.procs"
    else:
        group, limit, procs = Path("/sys/fs/cgroup/harness-test"), "memory.max", "cgroup.procs"
    try:
        group.mkdir(exist_ok=True)
        (group / limit).write_text(str(24 << 20))
    except OSError as error:
        pytest.skip(f"no memory control group: {error}")
    join = f"if '+t2+' in result: open('{group / procs}', 'w').write(str(os.getpid()))"
    try:
        real.places["bad"].python(runner=join, real=True)
        _, told = execute(devices(real, "bad"), tmp_path / "results", **THREE)
    finally:
        group.rmdir()
    # which attempt is the second depends on how quiet this machine is, so the fault is tied to the cell of 2 threads
    assert {c.runtime.threads for c in told.cells["bad"] if c.status == "FAILED"} == {2}, told.said("bad")
    assert "signal 9" in told.said("bad")
    assert "memory runs out" in told.said("bad")
    note(record_property, "runner killed by the OOM killer", "the real runner in a control group of 24 MiB: the kernel "
         "kills it", "FAILED runner, 'ended by signal 9 ... memory runs out'; the next cell is measured")  # fmt: skip


@needs_root
@pytest.mark.slow
def test_the_boards_disk_is_full(real: Farm, tmp_path: Path, record_property: Record) -> None:
    root = real.places["bad"].root
    results = root / "results"
    results.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(results)], check=True)
    try:
        full = (
            f"filler = {str(results / 'filler')!r}\n"
            "if '+t2+' in result: os.system('cat /dev/zero > %s 2>/dev/null' % filler)\n"
            "elif os.path.exists(filler): os.remove(filler)"
        )
        real.places["bad"].python(runner=full, real=True)
        _, told = execute(devices(real, "bad"), tmp_path / "results", **THREE)
    finally:
        subprocess.run(["umount", str(results)], check=True)
    # which attempt is the second depends on how quiet this machine is, so the fault is tied to the cell of 2 threads
    assert {c.runtime.threads for c in told.cells["bad"] if c.status == "FAILED"} == {2}, told.said("bad")
    assert "No space left" in told.said("bad")
    note(record_property, "board's disk full", "the folder of results on a 8 MiB tmpfs, filled before the second cell",
         "FAILED runner, 'No space left on device'; the next cell is measured once there is space")  # fmt: skip


STEP = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>
/* CLOCK_REALTIME jumps 3 years ahead after its first reading, which is the runner's state before the cell, and 300
   readings of the monotonic clock, which is in the middle of the inferences on a machine of any speed. */
int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    static long before, looks;
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(id, t);
    if (id == CLOCK_MONOTONIC && before) looks++;
    if (id == CLOCK_REALTIME && looks > 300) t->tv_sec += 3 * 365 * 86400;
    if (id == CLOCK_REALTIME) before = 1;
    return r;
}
"""


@pytest.mark.slow
def test_the_boards_clock_is_stepped(real: Farm, tmp_path: Path, record_property: Record) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    (tmp_path / "step.c").write_text(STEP)
    library = tmp_path / "step.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "step.c", "-ldl"], check=True)
    real.places["bad"].python(runner=f"if '+t2+' in result: os.environ['LD_PRELOAD'] = {str(library)!r}", real=True)
    _, told = execute(devices(real, "bad"), tmp_path / "results", **THREE)
    codes = {c.runtime.threads: {reason.code for reason in c.reasons} for c in told.cells["bad"]}
    (stepped,) = (c for c in told.cells["bad"] if c.runtime.threads == 2)
    assert stepped.status == "INVALID"
    assert [threads for threads, found in codes.items() if "clock-stepped" in found] == [2]
    assert max(stepped.latency_ns) < 10**10
    note(record_property, "board's clock stepped by years", "the real runner's CLOCK_REALTIME jumps 3 years within "
         "the cell, by a preloaded library (stepping it for real would step this machine's clock)",
         "INVALID clock-stepped; the times, of the monotonic clock, stay sane; other cells as ever")  # fmt: skip
