"""Makes golden outputs: the shipped runner, the same file and the same inputs, on this machine's processor."""

from __future__ import annotations

import statistics
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.errors import ArtifactError, HarnessError, ProvisionError, RunnerError, StoreError
from harness.core.paths import cache_dir
from harness.records.answer import OutputsAnswer, RunnerResult, parse_answer
from harness.records.manifest import Artifact
from harness.records.order import InputTensor, KeptOutputs, Order, Passes, Sources, WarmUp
from harness.remote.base import Command, Connection
from harness.remote.local import LocalConnection
from harness.remote.probe import Probe, probe, send, stored
from harness.remote.runner_file import runner_file
from harness.run.golden.fetch import fetched, result_of
from harness.run.golden.file import GoldenHead, GoldenOutputs, load, save
from harness.run.golden.outputs import Outputs, check
from harness.run.testset import TestSet
from harness.runtimes import registry, wheels
from harness.runtimes.wheels import Bundle

#: How long one file may take, in seconds.
LIMIT_S = 1200.0
#: The base interpreter, as for a local device: the runtime must be the pinned one.
PYTHON = str(getattr(sys, "_base_executable", sys.executable))


@dataclass(frozen=True)
class Asked:
    """A file with the inputs that it is to answer."""

    path: Path
    artifact: Artifact
    test: TestSet
    classes: int

    @property
    def key(self) -> tuple[str, str]:
        """Of golden outputs: the hashes of both files."""
        return self.artifact.sha256, self.test.file_sha256


@dataclass
class Referee:
    """Makes golden outputs on this machine, and keeps them in the cache. It may be used by several threads.

    Attributes:
        say: receives what a person may want to know.
        opened: receives each connection, so that it can be closed while something waits on it.
    """

    say: Callable[[str], None]
    opened: Callable[[Connection], object]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _board: tuple[Connection, Probe] | None = None
    _packages: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def golden(self, asked: Asked) -> GoldenOutputs:
        """The golden outputs of a file, made if they are not in the cache.

        Raises:
            HarnessError: this machine can't run the file; the message says why.
        """
        connection, seen = self._reached()
        bundle = nearest(asked.artifact.format, seen)
        place = (
            cache_dir() / "golden" / f"{'-'.join(part[:32] for part in asked.key)}-{bundle.runtime}-{bundle.version}"
        )
        try:
            return load(place)
        except (ArtifactError, StoreError):
            golden = self._made(asked, connection, bundle)
            save(place, golden)
            return golden

    def ready(self, fmt: str, runtime: str | None = None) -> tuple[str, tuple[str, ...]]:
        """The named runtime, or else the one that reads a format here, and its folders.

        Raises:
            ProvisionError: there is none, or it can't be fetched.
        """
        connection, seen = self._reached()
        bundle = nearest(fmt, seen) if runtime is None else wheels.choose(runtime, seen.platform)
        return bundle.runtime, self._runtime(connection, bundle)

    def _reached(self) -> tuple[Connection, Probe]:
        with self._lock:
            if self._board is None:
                connection = LocalConnection("this machine", cache_dir() / "golden" / "store", python=PYTHON)
                self.opened(connection)
                self._board = connection, probe(connection)
            return self._board

    def _runtime(self, connection: Connection, bundle: Bundle) -> tuple[str, ...]:
        """The folders of a runtime, which is unpacked if it is not there yet."""
        with self._lock:
            if bundle.runtime not in self._packages:
                files = dict(zip(bundle.wheels, wheels.fetch(bundle, progress=self.say), strict=True))
                present = stored(connection, [f"wheel:{wheel.sha256}" for wheel in files])
                for wheel, path in files.items():
                    if f"wheel:{wheel.sha256}" not in present:
                        send(connection, f"wheel:{wheel.sha256}", path)
                folders = tuple(f"{connection.root}/wheels/{wheel.sha256}" for wheel in bundle.wheels)
                self._packages[bundle.runtime] = folders
            return self._packages[bundle.runtime]

    def _made(self, asked: Asked, connection: Connection, bundle: Bundle) -> GoldenOutputs:
        # a local connection runs one program at a time
        own = LocalConnection(connection.label, Path(connection.root), python=PYTHON)
        self.opened(own)
        packages = self._runtime(connection, bundle)
        name = "-".join(part[:16] for part in asked.key)
        result = f"{own.root}/results/{name}-{threading.get_ident()}.json"
        given = order(asked, bundle.runtime, packages, name=name, outputs=KeptOutputs(f"{result}.outputs"))
        done = own.run(
            Command(
                ["python3", "-s", str(runner_file()), "--job", "-", "--result", result],
                timeout_s=LIMIT_S,
                stdin=(given.to_json() + "\n").encode(),
                hold_stdin=True,
                env={"PYTHONHASHSEED": "0"},
            )
        )
        answer = parse_answer(result_of(own, result, done), name)
        if not isinstance(answer, RunnerResult):
            raise RunnerError(f"this machine can't run it: {answer.text[:500]}")
        return _golden(asked, bundle, answer, lambda about: fetched(own, f"{result}.outputs", about))


def nearest(fmt: str, seen: Probe) -> Bundle:
    """The pinned runtime that reads a format here.

    Raises:
        ProvisionError: none is published for this machine.
    """
    for runtime in registry.reading(fmt):
        try:
            return wheels.choose(runtime, seen.platform)
        except ProvisionError:
            continue
    raise ProvisionError(f"no runtime that reads .{fmt} is published for this machine")


def order(asked: Asked, runtime: str, packages: tuple[str, ...], *, name: str, outputs: KeptOutputs) -> Order:
    """One pass over images, or two over tensors, which show whether a network answers the same twice."""
    test = asked.test
    return Order(
        cell=name,
        model=str(asked.path.absolute()),
        model_sha256=asked.artifact.sha256,
        inputs=str(test.file),
        inputs_sha256=test.file_sha256,
        variant=asked.artifact.variant,
        runtime=runtime,
        packages=packages,
        delegate="cpu",
        threads=1,
        classes=asked.classes,
        quantised_output=asked.artifact.output.scale is not None,
        quantised_input=asked.artifact.quantised_input,
        warmup=WarmUp(min_runs=0, min_ns=0, max_runs=0),
        passes=Passes(min_runs=1 if test.tensors is None else test.info.n + 1, min_ns=0, max_ns=10**15),
        sources=Sources(),
        tensors=input_tensors(test),
        outputs=outputs,
    )


def input_tensors(test: TestSet) -> tuple[InputTensor, ...] | None:
    """The inputs for the runner's order; None where it gets images."""
    if test.tensors is None:
        return None
    return tuple(InputTensor(tensor.name, tensor.shape, tensor.dtype) for tensor in test.tensors)


def _golden(
    asked: Asked, bundle: Bundle, answer: RunnerResult, fetch: Callable[[OutputsAnswer], bytes]
) -> GoldenOutputs:
    about = answer.outputs
    if about is None or not about.samples:
        raise RunnerError("the outputs of one sample are too large to be kept")
    check(about)
    data = fetch(about)
    head = GoldenHead(
        runtime=bundle.runtime,
        version=answer.runtime_version,
        machine=answer.machine,
        model_sha256=asked.artifact.sha256,
        inputs_sha256=asked.test.file_sha256,
        stable=answer.predictions_stable,
        outputs_sha256=answer.outputs_sha256,
        outputs=about,
        latency_ns=round(statistics.median(answer.latency_ns)),
    )
    return GoldenOutputs(head, Outputs(about, data))


def missing(error: HarnessError) -> str:
    """Why there are no golden outputs, for a cell's evidence."""
    return f"no golden outputs: {error.message}"[:1000]
