"""The regions of ``benchmarks.validate_estimates``: networks of published tables, run on emulated boards.

A region is kept in the cache by what it depends on, so that a network is run again only when that has changed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import yaml

from benchmarks.common import BOARD
from benchmarks.networks_224 import network
from benchmarks.published import Key, Published
from harness.config import devices
from harness.core.files import sha256_bytes, sha256_file
from harness.core.paths import cache_dir
from harness.estimate.plugin import ensure_plugin
from harness.remote.base import Command, Connection
from harness.remote.connect import Reaching, connecting
from harness.remote.probe import probe, send
from harness.run.examine import deployed

#: The program on the board: one inference to warm up, then one region. It is sent after the text of regions.py.
DRIVER = """
import sys
sys.path[:0] = sys.argv[3:]
import numpy as np
from ai_edge_litert import interpreter as litert
kinds = litert.OpResolverType
kind = kinds.AUTO if sys.argv[2] == "xnnpack" else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
interpreter = litert.Interpreter(model_path=sys.argv[1], num_threads=1, experimental_op_resolver_type=kind)
interpreter.allocate_tensors()
tensor = interpreter.get_input_details()[0]
interpreter.set_tensor(tensor["index"], np.ones(tensor["shape"], tensor["dtype"]))
mark(Markers(), interpreter.invoke, 1)
"""


def kept(table: Published, key: Key) -> Path:
    """The file of a network's region: named by all that the region depends on."""
    plugin = ensure_plugin()
    model = network(*key, cache_dir() / "validation")
    on_board = "".join(_source(package, *names) for package, names in _ON_BOARD) + DRIVER
    caches = plugin.option(table.core, Path("/")).rpartition("caches=")[2]
    parts = (plugin.path.name, caches, table.board, table.kernels, sha256_file(model), on_board)
    return cache_dir() / "validation" / "regions" / sha256_bytes("\0".join(parts).encode())[:32]


_ON_BOARD = (("harness.ondevice", ("runner", "regions.py")), ("harness.runtimes", ("wheels.json",)))


def _source(package: str, *names: str) -> str:
    return resources.files(package).joinpath(*names).read_text(encoding="utf-8")


def run(table: Published, say: Callable[[str], None]) -> None:
    """Boot the table's board and run those of its networks whose regions are not kept."""
    missing = {key: path for key in table.milliseconds if not (path := kept(table, key)).exists()}
    if not missing:
        return
    folder = Path(tempfile.mkdtemp(prefix="validation-"))
    device = devices.parse(yaml.safe_dump({"devices": [{**BOARD, "board": table.board}]})).devices[0]
    try:
        with connecting(device, Reaching(say, plugin=ensure_plugin().option(table.core, folder))) as connect:
            connection = connect()
            packages = deployed(connection, probe(connection).platform)
            for number, (key, path) in enumerate(missing.items()):
                _run_one(connection, network(*key, cache_dir() / "validation"), packages, kernels=table.kernels)
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(folder / f"region-{number}", path)
                say(f"{key[0]} {key[1]} has run")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_one(connection: Connection, model: Path, packages: Sequence[str], *, kernels: str) -> None:
    """Run one network with marks around one inference."""
    digest = sha256_file(model)
    send(connection, f"object:{digest}", model)
    program = _source("harness.ondevice", "runner", "regions.py") + DRIVER
    argv = ["python3", "-s", "-", f"{connection.root}/objects/{digest}", kernels, *packages]
    connection.run(Command(argv, timeout_s=3600, stdin=program.encode())).check(model.name)
