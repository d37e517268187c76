"""Which clusters ``--on`` takes, and what is said of one that can't be used."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cluster import alike
from harness.cluster.connect import check_address, connected, local_workers
from harness.core.errors import ClusterError, MissingExtraError, UsageError


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ("", "neither local:N nor a scheduler's address"),
        ("local", "from 1 to 256 workers"),
        ("local:", "from 1 to 256 workers"),
        ("local:0", "from 1 to 256 workers"),
        ("local:-1", "from 1 to 256 workers"),
        ("local:257", "from 1 to 256 workers"),
        ("local:\u0664", "from 1 to 256 workers"),
        ("local:99999999999999999999", "from 1 to 256 workers"),
        ("http://host:8786", "neither local:N nor a scheduler's address"),
        ("host:8786", "neither local:N nor a scheduler's address"),
        ("tcp://host", "a port is missing"),
        ("tcp://:8786", "a host is missing"),
        ("tcp://host:port", "port"),
        ("tcp://[::1", "IPv6"),
        ("tcp://host:8786/path", "more than a host and a port"),
        ("tcp://me:secret@host:8786", "more than a host and a port"),
    ],
)
def test_what_is_no_cluster_is_refused_before_anything_starts(on: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        check_address(on)
    assert caught.value.exit_code == 2


def test_addresses_that_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    for on in ("local:1", "local:256", "tcp://host:8786", "tls://10.0.0.1:1", "tcp://[::1]:8786"):
        check_address(on)
    assert local_workers("local:12") == 12
    assert local_workers("tcp://local:12") is None


def test_a_missing_extra_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "distributed" else find(name))
    with pytest.raises(MissingExtraError, match=r"distributed.*pip install -e '\.\[cluster\]'"):
        check_address("local:2")


def test_importing_the_room_imports_no_dask() -> None:
    code = "import sys, harness.cluster.connect; sys.exit(bool({'dask', 'distributed'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_versions_that_differ_are_named() -> None:
    mine = alike.versions(("numpy", "no-such-package"))
    assert set(mine) == {"Python", "harness", "numpy", "no-such-package"}
    assert mine["no-such-package"] == "absent"
    assert alike.versions(tuple(mine)) == mine
    assert alike.differing(mine, mine) == ""
    assert alike.differing(mine, mine | {"numpy": "0.1"}) == f"numpy 0.1, and here it is {mine['numpy']}"
    assert "harness absent" in alike.differing(mine, {"Python": mine["Python"]})


pytest.importorskip("distributed")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_workers_of_a_cluster_that_was_started_are_processes_on_loopback() -> None:
    said: list[str] = []
    with connected("local:2", said.append) as client:
        pids = client.run(os.getpid)
        assert len(set(pids.values()) | {os.getpid()}) == 3
        assert all(address.startswith("tls://127.0.0.1:") for address in pids)
        assert set(client.nthreads().values()) == {1}
        assert client.submit(sum, [1, 2]).result() == 3
        assert set(client.run(lambda: os.environ.get("OMP_NUM_THREADS")).values()) == {
            os.environ.get("OMP_NUM_THREADS")
        }
        scratch = set(client.run(lambda dask_worker: dask_worker.local_directory).values())
        (line,) = said
        (link,) = re.findall(r"http://127\.0\.0\.1:\d+/status", line)
        with urllib.request.urlopen(link.replace("/status", "/health"), timeout=10) as answer:
            assert answer.status == 200
    assert not any(Path(folder).exists() for folder in scratch)
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler without workers, in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    process = subprocess.Popen([sys.executable, *words], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def refusal(on: str) -> ClusterError:
    with pytest.raises(ClusterError) as caught, connected(on, print):
        pass
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_cluster_that_cannot_be_used_is_refused_in_one_line(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.cluster.connect.CONNECT_S", 1.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        nobody = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        assert f"--on {nobody}: can't be joined" in refusal(nobody).message
    assert "can't be joined" in refusal(scheduler.replace("tcp", "tls")).message, "no certificate is configured"
    monkeypatch.setattr("harness.cluster.connect.CONNECT_S", 20.0)
    assert "no worker is there" in refusal(scheduler).message


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_worker_with_other_versions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0") as cluster:
        monkeypatch.setattr(alike, "__version__", "9.9.9")
        assert "harness" in refusal(cluster.scheduler_address).message
