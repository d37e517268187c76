"""The plan of a run: which cells each device gets, in which order, and what is left out."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from harness.config.devices import Device, Fleet
from harness.core.errors import StoreError, TransportError
from harness.data.spec import SYNTHETIC, DataSpec, from_stored
from harness.data.synthetic.strangers import strangers
from harness.records.cell import Reason, RunInfo, cell_id
from harness.records.samples import UNSEEN
from harness.remote.login import settings_of
from harness.remote.target import ssh_target
from harness.run.inventory import Shipped
from harness.runtimes.registry import possible, reading

#: Networks with more multiply-accumulates are left out on emulated boards unless requested by name: an emulator takes
#: seconds for each ten million, and all emulated boards share this machine.
HEAVY_MACS = 8_000_000
#: Default number of rounds on the wall clock: Student's t is 2.8 with five rounds, and 12.7 with two.
WALL_ROUNDS = 5
#: The variants of a network that an emulated board runs where none was requested: the widest and the narrowest numbers.
SHOWN_VARIANTS = ("fp32", "int8")


#: What a run's cells are measured on: the artifacts' own test images, or strangers.
SplitName = Literal["test", "unseen"]


@dataclass(frozen=True)
class Options:
    """The requests of the command line. Empty tuples mean everything."""

    models: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()
    only: tuple[str, ...] = ()
    quick: bool = False
    data: Annotated[DataSpec, BeforeValidator(from_stored)] = SYNTHETIC
    seed: int = 0
    mlperf: bool = False
    profile_ops: bool = False
    estimate: bool = False
    rounds: int | None = None
    precision: float | None = None
    budget_s: float = 600.0
    split: SplitName = "test"


@dataclass(frozen=True)
class CellJob:
    """One cell to measure. ``samples`` is the number of images; None means the whole split. ``unseen``: strangers
    instead of the test images.
    """

    cell: str
    device: Device
    shipped: Shipped
    runtime: str
    delegate: str
    threads: int
    samples: int | None
    unseen: bool = False


@dataclass
class Plan:
    """Jobs by device name; what is left out on purpose, with the reason; rounds of each cell by device name."""

    jobs: dict[str, list[CellJob]] = field(default_factory=dict)
    skipped: list[Reason] = field(default_factory=list)
    rounds: dict[str, int] = field(default_factory=dict)

    @property
    def cells(self) -> tuple[str, ...]:
        return tuple(job.cell for jobs in self.jobs.values() for job in jobs)


def make(fleet: Fleet, shipped: Sequence[Shipped], options: Options, *, everything: bool = False) -> Plan:
    """Cross devices with artifacts, runtimes, delegates and threads; the order on each device is shuffled (seeded),
    so that a drift over time does not favour one network.

    Args:
        everything: leave out nothing because it is slow.
    """
    plan = Plan()
    skipped: dict[str, list[str]] = {}
    for device in fleet.devices:
        here = [item for item in shipped if device.models is None or item.manifest.name in device.models]
        left_out = _too_much(device, here, options) if device.emulate and not everything else {}
        # a network, a thread count... that was named twice is still one cell
        jobs = list({
            job.cell: job for item in here if item.label not in left_out for job in _jobs(device, item, options)
        }.values())  # fmt: skip
        random.Random(f"{options.seed}:{device.name}").shuffle(jobs)  # noqa: S311 - an order, not a secret
        plan.jobs[device.name] = jobs
        plan.rounds[device.name] = rounds_of(device, options)
        others = dict.fromkeys(item.manifest.name for item in shipped if item not in here)
        for text in [*(f"{name}: not in the device's 'models'" for name in others), *_reasons_left_out(left_out)]:
            skipped.setdefault(text, []).append(device.name)
    plan.skipped = [Reason(code="left-out", text=f"{', '.join(names)}: {text}") for text, names in skipped.items()]
    return plan


@dataclass(frozen=True)
class _LeftOut:
    """What an emulated board leaves out: its ``name`` for a person, the reason, and the ``option`` that requests it."""

    name: str
    why: str
    option: str


def _too_much(device: Device, here: Sequence[Shipped], options: Options) -> dict[str, _LeftOut]:
    """What an emulated board leaves out, by the artifact's label.

    Emulation is slow: a demo with everything on three boards took 13 minutes of processor time. A network that was
    requested by name, here or in devices.yaml, runs in all its variants.
    """
    asked = {*options.models, *(device.models or ())}
    light = {item.manifest.name for item in here if (item.manifest.macs or 0) <= HEAVY_MACS}
    left_out: dict[str, _LeftOut] = {}
    for item in here:
        name, artifact = item.manifest.name, item.artifact
        if name in asked:
            continue
        if name not in light:
            left_out[item.label] = _LeftOut(name, f"over {HEAVY_MACS / 1e6:.0f} M MACs", "--model")
        elif item.manifest.pruned_from in light:
            left_out[item.label] = _LeftOut(name, "the network it was pruned from is run", "--model")
        elif not options.variants and artifact.variant not in SHOWN_VARIANTS:
            left_out[item.label] = _LeftOut(item.label, "of each network fp32 and int8 are run", "--variant")
        elif not options.variants and not device.runtimes and artifact.format == "onnx" and _as_tflite(item, here):
            left_out[item.label] = _LeftOut(item.label, "its .tflite is run", "--model")
    return left_out


def _as_tflite(item: Shipped, here: Sequence[Shipped]) -> bool:
    """Whether the same variant of the same network also exists for TFLite."""
    mine = (item.manifest.name, item.artifact.variant, "tflite")
    return mine in {(other.manifest.name, other.artifact.variant, other.artifact.format) for other in here}


def _reasons_left_out(left_out: Mapping[str, _LeftOut]) -> list[str]:
    """One line for each reason, with all artifacts that it holds for."""
    lines = []
    for why, option in dict.fromkeys((one.why, one.option) for one in left_out.values()):
        names = list(dict.fromkeys(one.name for one in left_out.values() if (one.why, one.option) == (why, option)))
        asking = ",".join(dict.fromkeys(_asked_by(name, option) for name in names))
        lines.append(f"{', '.join(names)}: {why}, and emulation is slow; ask for it with {option} {asking}")
    return lines


def _asked_by(name: str, option: str) -> str:
    """The argument of the option that requests a network or an artifact (``network/variant.format``)."""
    network, _, file = name.partition("/")
    return file.partition(".")[0] if option == "--variant" else network


def _jobs(device: Device, item: Shipped, options: Options) -> list[CellJob]:
    """The jobs of an artifact: on each requested runtime that reads it, else on the first that does."""
    able = reading(item.artifact.format)
    runtimes = [name for name in able if name in device.runtimes] if device.runtimes else able[:1]
    samples = 20 if options.quick else None
    if isinstance(device.samples, int):
        samples = min(device.samples, samples or device.samples)
    split = _split_name(item, options) + (f"-n{samples}" if samples else "")
    return [
        CellJob(
            cell=_name(device, item, runtime=runtime, delegate=delegate, threads=threads, split=split),
            device=device,
            shipped=item,
            runtime=runtime,
            delegate=delegate,
            threads=threads,
            samples=samples,
            unseen=options.split == UNSEEN,
        )
        for runtime in runtimes
        for delegate in device.delegates
        if possible(delegate, item.artifact.format)
        for threads in (options.threads or device.threads)
    ]


def _split_name(item: Shipped, options: Options) -> str:
    """The images' part of a cell's name: the scheme of the split and the start of its hash."""
    if options.split == UNSEEN:
        return f"{UNSEEN}-{strangers().sha256[:8]}"
    record = item.manifest.split
    assert record is not None
    return f"{record.scheme}-{record.sha256[:8]}"


def _name(device: Device, item: Shipped, *, runtime: str, delegate: str, threads: int, split: str) -> str:
    return cell_id(
        device=device.name,
        model=item.manifest.name,
        variant=item.artifact.variant,
        fmt=item.artifact.format,
        runtime=runtime,
        delegate=delegate,
        threads=threads,
        split=split,
    )


def for_runtime(job: CellJob, runtime: str) -> CellJob:
    """The same job on another runtime, and named after it."""
    if runtime == job.runtime:
        return job
    name = _name(
        job.device,
        job.shipped,
        runtime=runtime,
        delegate=job.delegate,
        threads=job.threads,
        split=job.cell.rsplit("+", 1)[1],
    )
    return replace(job, cell=name, runtime=runtime)


def groups(devices: Sequence[Device]) -> list[list[list[Device]]]:
    """Groups of devices that may run side by side without disturbing each other's clock.

    Boards on the network are independent; a board that is listed twice (under two names) is measured once after the
    other. Emulated boards use this machine's processors, which would disturb the wall clock of a local device. So local
    devices are measured first, one at a time, and the emulated ones after them.
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
    """A device's address by the settings in effect: an alias and an address are the same board."""
    try:
        return settings_of(ssh_target(device)).place
    except TransportError:  # reported when the device's turn comes
        return (str(device.host).lower(), device.port, device.proxy_jump)


def stored_options(info: RunInfo) -> Options:
    """The options that a run was started with. Resuming finishes that run, whatever the command line now says.

    Raises:
        StoreError: run.json was changed by hand.
    """
    try:
        return TypeAdapter(Options).validate_python({"rounds": 1} | info.options)  # older runs had only one
    except ValidationError as error:
        raise StoreError(f"run {info.run}: its options are not a run's: {error.errors()[0]['msg']}") from error


def rounds_of(device: Device, options: Options) -> int:
    """How many processes measure each cell of a device.

    The command line takes precedence over devices.yaml. On the instruction clock processes don't differ, and MLPerf's
    rules require one long run, so both have one round unless more are requested.
    """
    if asked := options.rounds or device.rounds:
        return asked
    return WALL_ROUNDS if device.effective_clock == "wall" and not options.mlperf else 1


def plain_options(options: Options) -> dict[str, object]:
    """The options in JSON form."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(options).items()}
