"""The shipped runner, run here by hand: its job, and the Pythons and packages it may be run with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from platform import libc_ver
from typing import Any

import numpy as np

from benchmarks.made import runtimes
from harness.core.errors import ProvisionError
from harness.core.files import sha256_file
from harness.records import manifest as manifests
from harness.records.order import Order, Passes, Sources, WarmUp
from harness.remote.runner_file import runner_file
from harness.run.conversion import converted
from harness.run.inventory import Shipped
from harness.runtimes import wheels
from harness.runtimes.registry import RUNTIMES
from tests.conftest import MODELS
from tests.support.pythons import OLD_PYTHONS

#: This machine.
HERE = wheels.platform_of("3.11", os.uname().machine, 64, " ".join(libc_ver()), None)


@dataclass(frozen=True)
class Interpreter:
    """A Python on this machine, and folders with a runtime for it."""

    python: Path
    packages: tuple[str, ...]


@cache
def interpreter(runtime: str) -> Interpreter | None:
    """The newest Python here that the runtime is published for, with its wheels unpacked; None if there is none."""
    base = Path(str(getattr(sys, "_base_executable", sys.executable)))
    pythons = {"{}.{}".format(*sys.version_info[:2]): base, "3.7": OLD_PYTHONS["3.7"], "3.6": OLD_PYTHONS["3.6"]}
    for version, python in pythons.items():
        try:
            bundle = wheels.choose(runtime, replace(HERE, python=version))
        except ProvisionError:
            continue
        if python is None:
            continue
        return Interpreter(python, runtimes.fetched(bundle))
    return None


@dataclass(frozen=True)
class Network:
    """A network in the form that a runtime reads, and the variant of its artifact."""

    file: Path
    variant: str


def network(name: str) -> Network | None:
    """A small shipped network that a runtime takes, converted if it needs that."""
    runtime = RUNTIMES[name]
    for variant, model in (("int8", "mobilenet-v3-small"), ("fp32", "resvgg19-pruned")):
        manifest = manifests.load(MODELS, model)
        for fmt in runtime.formats:
            path, artifact = MODELS / model / f"{variant}.{fmt}", manifest.artifact(variant, fmt)
            if variant in runtime.variants and artifact is not None and path.is_file():
                shipped = converted(Shipped(manifest, artifact, path), name, "cpu", lambda _: None)
                return Network(shipped.path, variant)
    return None


def order(folder: Path, model: Path, runtime: str, packages: tuple[str, ...], *, variant: str = "int8") -> Order:
    """One pass over two black images."""
    images = folder / "images.npy"
    np.save(images, np.zeros((2, 48, 48, 1), np.uint8))
    return Order(
        cell="c",
        model=str(model),
        model_sha256=sha256_file(model),
        inputs=str(images),
        inputs_sha256=sha256_file(images),
        variant=variant,
        runtime=runtime,
        packages=packages,
        delegate="cpu",
        threads=1,
        classes=7,
        quantised_output=variant == "int8",
        quantised_input=(1.0, -128) if variant == "int8" else None,
        warmup=WarmUp(min_runs=1, min_ns=0, max_runs=1),
        passes=Passes(min_runs=1, min_ns=0, max_ns=1),
        sources=Sources(),
    )


def answer(folder: Path, python: Path, given: Order, **change: Any) -> dict[str, Any]:
    """What the runner says."""
    (folder / "job.json").write_text(replace(given, **change).to_json(), encoding="utf-8")
    files = ["--job", str(folder / "job.json"), "--result", str(folder / "result.json")]
    subprocess.run([str(python), "-s", str(runner_file()), *files], check=False, timeout=300, capture_output=True)
    found = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found
