"""The way to a Dask cluster: one is started on this machine, or one that is there is joined.

Importing this module imports neither dask nor distributed, so the command line stays quick and works without the
[cluster] extra. Dask pickles what it sends, so whoever can reach a scheduler can run programs as its workers' user:
a cluster that is started here listens on the loopback interface alone, and asks for a certificate that exists in these
processes only.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.cluster.alike import check_alike
from harness.core.errors import ClusterError, MissingExtraError, UsageError

if TYPE_CHECKING:
    import distributed

Say = Callable[[str], None]
LOOPBACK = "127.0.0.1"
#: A process for each worker: more of them than this on one machine is a slip of the keyboard.
MAX_WORKERS = 256
#: Seconds for an answer of a scheduler. Dask's own 30 are long where an address has a typo.
CONNECT_S = 10.0
_FIX = "--on local:4, or --on tcp://HOST:8786"


def check_address(on: str) -> None:
    """Check what ``--on`` names, without asking anybody.

    Raises:
        UsageError: it is neither ``local:N`` nor the address of a scheduler.
        MissingExtraError: the [cluster] extra is not installed.
    """
    if local_workers(on) is None:
        _check_scheduler(on)
    if missing := [name for name in ("dask", "distributed") if importlib.util.find_spec(name) is None]:
        raise MissingExtraError(
            f"--on needs {', '.join(missing)}, which is not installed",
            fix=f"{Path(sys.executable).name} -m pip install -e '.[cluster]'",
        )


def local_workers(on: str) -> int | None:
    """The number of workers that ``local:N`` asks for; None for anything else.

    Raises:
        UsageError: N is no number of workers.
    """
    kind, colon, count = on.partition(":")
    if kind != "local" or on.startswith("local://"):
        return None
    if not (colon and count.isascii() and count.isdigit() and 1 <= int(count[:9]) <= MAX_WORKERS):
        raise UsageError(f"--on '{on}': from 1 to {MAX_WORKERS} workers", fix=_FIX)
    return int(count)


def _check_scheduler(on: str) -> None:
    try:
        parts = urlsplit(on)
        host, port = parts.hostname, parts.port
    except ValueError as error:  # a port that is no number, or half an IPv6 address
        raise UsageError(f"--on '{on}': {error}", fix=_FIX) from error
    if parts.scheme not in ("tcp", "tls"):
        raise UsageError(f"--on '{on}' is neither local:N nor a scheduler's address", fix=_FIX)
    if not host or not port:
        raise UsageError(f"--on '{on}': {'a port' if host else 'a host'} is missing", fix=_FIX)
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        raise UsageError(f"--on '{on}': more than a host and a port", fix=_FIX)


@contextlib.contextmanager
def connected(on: str, say: Say) -> Iterator[distributed.Client]:
    """A client of the cluster that ``--on`` names. One that was started for it ends with it, workers included.

    Args:
        on: ``local:N`` starts N worker processes of one thread each on this machine; ``tcp://HOST:PORT`` or
            ``tls://HOST:PORT`` is a scheduler that is there. Certificates are named by Dask's own configuration.
        say: receives the address of the dashboard.

    Raises:
        UsageError: ``on`` is neither.
        MissingExtraError: the [cluster] extra is not installed.
        ClusterError: it can't be started, nobody answers, or its workers have other versions than this machine.
    """
    check_address(on)
    count = local_workers(on)
    with _started(count) if count is not None else _joined(on) as client:
        check_alike(client)
        say(_dashboard(client))
        yield client


@contextlib.contextmanager
def _started(count: int) -> Iterator[distributed.Client]:
    """A client of a new cluster on this machine."""
    import dask.config
    from distributed import Client, LocalCluster

    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="harness-dask-", ignore_cleanup_errors=True))
        # Dask sets them to 1 for its workers. What runs there must compute as it does in a process of its own.
        unset = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"))
        stack.enter_context(dask.config.set({"distributed.nanny.pre-spawn-environ": unset}))
        try:
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    processes=True,
                    host=LOOPBACK,
                    dashboard_address=f"{LOOPBACK}:0",
                    worker_dashboard_address=None,
                    memory_limit=0,  # a share of the memory would end workers that run beside idle ones
                    local_directory=scratch,
                    security=True,
                )
            )
            client = stack.enter_context(Client(cluster, timeout=CONNECT_S, set_as_default=False))
        except (OSError, RuntimeError, ValueError) as error:
            raise ClusterError(f"--on local:{count}: can't be started: {_line(error)}") from error
        yield client


@contextlib.contextmanager
def _joined(address: str) -> Iterator[distributed.Client]:
    """A client of a cluster that is there."""
    from distributed import Client
    from distributed.versions import VersionMismatchWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)  # check_alike says which, and refuses
            client = Client(address, timeout=CONNECT_S, set_as_default=False)
    # without certificates Dask raises TypeError, where its configuration demands encryption RuntimeError
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        raise ClusterError(
            f"--on {address}: can't be joined: {_line(error)}",
            fix="is 'dask scheduler' running there, of the same version of Dask, and is the port open?",
        ) from error
    with client:
        if not client.nthreads():
            raise ClusterError(f"--on {address}: no worker is there", fix="dask worker ADDRESS --nthreads 1")
        yield client


def _dashboard(client: distributed.Client) -> str:
    link = client.dashboard_link or "no address"
    absent = importlib.util.find_spec("bokeh") is None
    return f"Dask's dashboard: {link}" + (" (its pictures need bokeh)" if absent else "")


def _line(error: BaseException) -> str:
    """A foreign error in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__
