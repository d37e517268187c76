"""What a run will do: which artifacts there are, and which cells each device gets."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from harness.config.devices import Device, Fleet
from harness.core.errors import ArtifactError, MissingModelError, StoreError, TransportError, UsageError
from harness.core.files import sha256_file
from harness.data.spec import SYNTHETIC, DataSpec, from_stored
from harness.records import manifest as manifests
from harness.records.cell import Reason, RunInfo, cell_id
from harness.records.manifest import Artifact, Manifest
from harness.remote.login import settings_of
from harness.remote.target import ssh_target
from harness.training.networks.registry import NETWORKS

#: More multiply-accumulates than these are left out on emulated boards unless asked for by name: an emulator takes
#: seconds for each ten million, and all emulated boards share this machine.
HEAVY_MACS = 8_000_000
#: What an emulated board shows of a network where no variant was asked for: the largest and the smallest numbers.
SHOWN_VARIANTS = ("fp32", "int8")


@dataclass(frozen=True)
class Options:
    """What the command line asked for. Empty tuples mean everything."""

    models: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()
    only: tuple[str, ...] = ()
    quick: bool = False
    data: Annotated[DataSpec, BeforeValidator(from_stored)] = SYNTHETIC
    seed: int = 0
    mlperf: bool = False
    profile_ops: bool = False


@dataclass(frozen=True)
class Shipped:
    """An artifact that is really here, with its manifest."""

    manifest: Manifest
    artifact: Artifact
    path: Path

    @property
    def label(self) -> str:
        return f"{self.manifest.name}/{self.artifact.filename}"


@dataclass(frozen=True)
class Job:
    """One cell to measure."""

    cell: str
    device: Device
    shipped: Shipped
    runtime: str
    delegate: str
    threads: int
    samples: int | None


@dataclass
class Plan:
    """Jobs by device name, and what is left out on purpose, with the reason."""

    jobs: dict[str, list[Job]] = field(default_factory=dict)
    skipped: list[Reason] = field(default_factory=list)

    @property
    def cells(self) -> tuple[str, ...]:
        return tuple(job.cell for jobs in self.jobs.values() for job in jobs)


def inventory(
    models: Path, wanted: Sequence[str], variants: Sequence[str], left_out: list[Reason] | None = None
) -> list[Shipped]:
    """The artifacts that are here and are what their manifests say.

    Args:
        wanted: networks asked for by name; all when empty. One that is damaged is an error only where it was asked for
            or nothing else is left.
        left_out: gets a reason for everything that is damaged and nobody asked for.

    Raises:
        MissingModelError: a model or variant asked for is not here; the fix is the command that builds it.
        ArtifactError: a manifest can't be read, or a file is not the one its manifest names.
    """
    known = manifests.names(models)
    if strange := tuple(name for name in wanted if name not in known):
        there = f"there: {', '.join(known) or 'none'}"
        raise MissingModelError(f"model '{strange[0]}' is not in {models}/ ({there})", names=strange)
    if not known:
        raise MissingModelError(f"no model in {models}/", names=())
    found: list[Shipped] = []
    damaged: list[ArtifactError] = []
    for name in wanted or known:
        here, wrong = _here(models, name, variants)
        if wanted and wrong:
            raise wrong[0]
        if wanted and not here:
            raise MissingModelError(f"model '{name}' is here in no variant asked for", names=(name,))
        found += here
        damaged += wrong
    if not found:
        raise damaged[0] if damaged else UsageError(f"no artifact in {models}/ fits", fix="harness build")
    _same_split(found)
    if left_out is not None:
        left_out += [Reason(code=error.code, text=str(error)[:4000]) for error in damaged]
    return found


def _here(models: Path, name: str, variants: Sequence[str]) -> tuple[list[Shipped], list[ArtifactError]]:
    """A network's artifacts that are here, and what is wrong with the others."""
    try:
        record = manifests.load(models, name)
    except ArtifactError as error:
        return [], [error]
    here, wrong = [], []
    for artifact in record.artifacts:
        path = models / name / artifact.filename
        if not path.is_file() or (variants and artifact.variant not in variants):
            continue
        try:
            same = sha256_file(path) == artifact.sha256
        except OSError as error:
            wrong.append(ArtifactError(f"{path}: can't be read: {error.strerror}", fix=f"harness build {name}"))
            continue
        if same:
            here.append(Shipped(record, artifact, path))
        else:
            text = f"{path}: is not the file its manifest names (SHA-256 differs)"
            wrong.append(ArtifactError(text, fix=f"harness build {name}"))
    return here, wrong


def _same_split(found: Sequence[Shipped]) -> None:
    """Networks are compared on the same test images or not at all."""
    first = found[0].manifest
    for shipped in found:
        if shipped.manifest.split.sha256 != first.split.sha256:
            raise UsageError(
                f"'{shipped.manifest.name}' and '{first.name}' were built with different splits",
                fix=f"harness build {shipped.manifest.name}, or choose with --model",
            )


def make(fleet: Fleet, shipped: Sequence[Shipped], options: Options, *, everything: bool = False) -> Plan:
    """Cross devices with artifacts, runtimes, delegates and threads; the order on each device is shuffled (seeded),
    so that a drift over time does not favour one network.

    Args:
        everything: leave nothing out for being slow.
    """
    plan = Plan()
    skipped: dict[str, list[str]] = {}
    for device in fleet.devices:
        here = [item for item in shipped if device.models is None or item.manifest.name in device.models]
        left = _too_much(device, here, options) if device.emulate and not everything else {}
        # a network, a thread count... that was named twice is still one cell
        jobs = list({
            job.cell: job for item in here if item.label not in left for job in _jobs(device, item, options)
        }.values())  # fmt: skip
        random.Random(f"{options.seed}:{device.name}").shuffle(jobs)  # noqa: S311 - an order, not a secret
        plan.jobs[device.name] = jobs
        unwanted = dict.fromkeys(item.manifest.name for item in shipped if item not in here)
        for text in [*(f"{name}: not in the device's 'models'" for name in unwanted), *_said(left)]:
            skipped.setdefault(text, []).append(device.name)
    plan.skipped = [Reason(code="left-out", text=f"{', '.join(names)}: {text}") for text, names in skipped.items()]
    return plan


def _too_much(device: Device, here: Sequence[Shipped], options: Options) -> dict[str, tuple[str, str, str]]:
    """What an emulated board leaves out: {artifact: (what to call it, why, the option that asks for it)}.

    Emulation is dear: a demo with everything on three boards took 13 minutes of processor time. A network that was
    asked for by name, here or in devices.yaml, is run whole.
    """
    asked = {*options.models, *(device.models or ())}
    light = {item.manifest.name for item in here if item.manifest.macs <= HEAVY_MACS}
    found: dict[str, tuple[str, str, str]] = {}
    for item in here:
        name, artifact = item.manifest.name, item.artifact
        if name in asked:
            continue
        if name not in light:
            found[item.label] = (name, f"over {HEAVY_MACS / 1e6:.0f} M MACs", "--model")
        elif pruned_from(name) in light:
            found[item.label] = (name, "the network it was pruned from is run", "--model")
        elif not options.variants and artifact.variant not in SHOWN_VARIANTS:
            found[item.label] = (item.label, "of each network fp32 and int8 are run", "--variant")
        elif not options.variants and not device.runtimes and artifact.format == "onnx" and _as_tflite(item, here):
            found[item.label] = (item.label, "its .tflite is run", "--model")
    return found


def _as_tflite(item: Shipped, here: Sequence[Shipped]) -> bool:
    """Whether the same variant of the same network is here for TFLite, too."""
    mine = (item.manifest.name, item.artifact.variant, "tflite")
    return mine in {(other.manifest.name, other.artifact.variant, other.artifact.format) for other in here}


def pruned_from(name: str) -> str | None:
    """The network that one of ours was pruned from; None for all others."""
    return next((network.pruned_from for network in NETWORKS if network.name == name), None)


def _said(left: dict[str, tuple[str, str, str]]) -> list[str]:
    """A line for each reason, with all that it holds for."""
    lines = []
    for why, option in dict.fromkeys((why, option) for _, why, option in left.values()):
        names = list(dict.fromkeys(name for name, *rest in left.values() if rest == [why, option]))
        asking = ",".join(dict.fromkeys(_asked_by(name, option) for name in names))
        lines.append(f"{', '.join(names)}: {why}, and emulation is slow; ask for it with {option} {asking}")
    return lines


def _asked_by(name: str, option: str) -> str:
    """What to write behind the option for a network or an artifact (``network/variant.format``)."""
    network, _, file = name.partition("/")
    return file.partition(".")[0] if option == "--variant" else network


def _jobs(device: Device, item: Shipped, options: Options) -> list[Job]:
    """tflite files run on LiteRT, or on tflite-runtime where the board is too old; onnx files on ONNX Runtime."""
    family = ("litert", "tflite") if item.artifact.format == "tflite" else ("onnxruntime",)
    runtimes = [r for r in family if r in device.runtimes] if device.runtimes else [family[0]]
    samples = 20 if options.quick else None
    if isinstance(device.samples, int):
        samples = min(device.samples, samples or device.samples)
    record = item.manifest.split
    split = f"{record.scheme}-{record.sha256[:8]}" + (f"-n{samples}" if samples else "")
    return [
        Job(
            cell_id(
                device.name,
                item.manifest.name,
                item.artifact.variant,
                item.artifact.format,
                runtime,
                delegate,
                threads,
                split,
            ),
            device,
            item,
            runtime,
            delegate,
            threads,
            samples,
        )
        for runtime in runtimes
        for delegate in device.delegates
        if _possible(delegate, item.artifact.format)
        for threads in (options.threads or device.threads)
    ]


def for_runtime(job: Job, runtime: str) -> Job:
    """The same job on another runtime, and named for it."""
    if runtime == job.runtime:
        return job
    artifact, split = job.shipped.artifact, job.cell.rsplit("+", 1)[1]
    name = cell_id(
        job.device.name, job.shipped.manifest.name, artifact.variant, artifact.format, runtime, job.delegate,
        job.threads, split,
    )  # fmt: skip
    return replace(job, cell=name, runtime=runtime)


def _possible(delegate: str, fmt: str) -> bool:
    """The Edge TPU is TFLite's, CUDA and TensorRT are ONNX Runtime's here; the CPU is everyone's."""
    return delegate == "cpu" or (delegate == "edgetpu") == (fmt == "tflite")


def groups(devices: Sequence[Device]) -> list[list[list[Device]]]:
    """What may run side by side without one disturbing the other's clock.

    Boards on the network are independent; one that is listed twice (under two names) is measured once after the other.
    Emulated boards take this machine's processors, so a local device, whose wall clock would feel that, is measured
    first, each by itself, and the emulated ones after it.
    """
    places: dict[tuple[object, ...], list[list[Device]]] = {}
    for device in devices:
        if device.host:
            places.setdefault(_place(device), []).append([device])
    groups = list(places.values())
    local = [[device] for device in devices if device.local]
    emulated = [device for device in devices if device.emulate]
    here = [*local, *([emulated] if emulated else [])]
    return [*groups, here] if here else groups


def _place(device: Device) -> tuple[object, ...]:
    """Where a device is, by the settings that count for it: an alias and an address are the same board."""
    try:
        return settings_of(ssh_target(device)).place
    except TransportError:  # said when the device's turn comes
        return (str(device.host).lower(), device.port, device.proxy_jump)


def stored_options(info: RunInfo) -> Options:
    """What a run was started with: resuming finishes that, whatever the command line says now.

    Raises:
        StoreError: run.json was changed by hand.
    """
    try:
        return TypeAdapter(Options).validate_python(info.options)
    except ValidationError as error:
        raise StoreError(f"run {info.run}: its options are not a run's: {error.errors()[0]['msg']}") from error


def plain_options(options: Options) -> dict[str, object]:
    """As JSON has it."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(options).items()}
