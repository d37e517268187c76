"""The plan of a run: which cells each device gets, in which order, and what is left out."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.config.devices import Device, Fleet
from harness.core.errors import TransportError
from harness.records.cell import Reason, cell_id
from harness.records.samples import UNSEEN
from harness.remote.login import settings_of
from harness.remote.target import ssh_target
from harness.run import strangers
from harness.run.fit import unfit
from harness.run.inventory import Shipped
from harness.run.options import Options as Options
from harness.run.options import plain_options as plain_options
from harness.runtimes.registry import possible, reading
from harness.runtimes.requested import Requested

#: Networks with more multiply-accumulates are left out on emulated boards unless requested by name: an emulator takes
#: seconds for each ten million, and all emulated boards share this machine.
HEAVY_MACS = 8_000_000
#: Default number of rounds on the wall clock: Student's t is 2.8 with five rounds, and 12.7 with two.
WALL_ROUNDS = 5
#: The variants of a network that an emulated board runs where none was requested: the widest and the narrowest numbers.
SHOWN_VARIANTS = ("fp32", "int8")


#: What identifies a test set in a run: the number of images, where they are shared (None: the whole split); else the
#: key of a network's own inputs, their names and how many samples.
InputsKey = int | tuple[str, tuple[str, ...], int | None] | None


@dataclass(frozen=True)
class CellJob:
    """One cell to measure. ``samples`` is the number of samples; None means all. ``unseen``: strangers instead of the
    test images. ``release`` is that of the runtime, where one was asked for.
    """

    cell: str
    device: Device
    shipped: Shipped
    runtime: str
    delegate: str
    threads: int
    samples: int | None
    unseen: bool = False
    release: str | None = None

    @property
    def requested(self) -> Requested:
        """Its runtime, with the release where one was asked for."""
        return Requested(self.runtime, self.release)

    @property
    def inputs(self) -> InputsKey:
        """Its test set among those of the run."""
        own = self.shipped.own_inputs
        return self.samples if own is None else (own.key, own.names, self.samples)


@dataclass
class Plan:
    """Jobs by device name; what is left out on purpose, with the reason; rounds of each cell by device name; and notes
    for a person."""

    jobs: dict[str, list[CellJob]] = field(default_factory=dict)
    skipped: list[Reason] = field(default_factory=list)
    rounds: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

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
        here = [item for item in shipped if item.asked or device.models is None or item.manifest.name in device.models]
        left_out = _too_much(device, here, options) if device.emulate and not everything else {}
        # a network, a thread count... that was named twice is still one cell
        jobs = list({
            job.cell: job for item in here if item.label not in left_out for job in _jobs(device, item, options)
        }.values())  # fmt: skip
        jobs, unfit_ones = _fitting(jobs, options, plan)
        random.Random(f"{options.seed}:{device.name}").shuffle(jobs)  # noqa: S311 - an order, not a secret
        plan.jobs[device.name] = jobs
        plan.rounds[device.name] = rounds_of(device, options)
        others = dict.fromkeys(item.manifest.name for item in shipped if item not in here)
        for text in [
            *(f"{name}: not in the device's 'models'" for name in others),
            *_reasons_left_out(left_out),
            *unfit_ones,
        ]:
            skipped.setdefault(text, []).append(device.name)
    plan.skipped = [Reason(code="left-out", text=f"{', '.join(names)}: {text}") for text, names in skipped.items()]
    return plan


def _fitting(jobs: Sequence[CellJob], options: Options, plan: Plan) -> tuple[list[CellJob], list[str]]:
    """The jobs that a device can run, or that were asked for by name, and why each other one can't.

    What was asked for by name becomes a FAILED cell; the plan gets a note of it. Changes ``plan``.
    """
    kept: list[CellJob] = []
    reasons: list[str] = []
    for job in jobs:
        why = unfit(job.shipped, job.device, runtime=str(job.requested), delegate=job.delegate)
        if why is None or by_name(job, options):
            kept.append(job)
        if why is not None:
            text = f"{job.shipped.label}: {why}"
            (plan.notes if by_name(job, options) else reasons).append(
                f"{job.device.name} can't run {text}" if by_name(job, options) else text
            )
    return kept, reasons


def by_name(job: CellJob, options: Options) -> bool:
    """Whether a job's network was asked for by name."""
    name = job.shipped.manifest.name
    return job.shipped.asked or name in options.models or name in (job.device.models or ())


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
    asked = {*options.models, *(device.models or ()), *(item.manifest.name for item in here if item.asked)}
    light = {item.manifest.name for item in here if item.manifest.macs is not None and item.manifest.macs <= HEAVY_MACS}
    left_out: dict[str, _LeftOut] = {}
    for item in here:
        name, artifact = item.manifest.name, item.artifact
        if name in asked:
            continue
        if name not in light:
            many = "number of MACs not known" if item.manifest.macs is None else f"over {HEAVY_MACS / 1e6:.0f} M MACs"
            left_out[item.label] = _LeftOut(name, many, "--model")
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
    asked = [each for name in able for each in device.requested if each.name == name]
    wanted = asked if device.runtimes else list(map(Requested, able[:1]))
    samples = 20 if options.quick else None
    if isinstance(device.samples, int):
        samples = min(device.samples, samples or device.samples)
    unseen = options.split == UNSEEN and item.own_inputs is None
    split = (strangers.word() if unseen else _inputs_word(item)) + (f"-n{samples}" if samples else "")
    return [
        CellJob(
            cell=_name(device, item, runtime=runtime, delegate=delegate, threads=threads, split=split),
            device=device,
            shipped=item,
            runtime=runtime.name,
            release=runtime.release,
            delegate=delegate,
            threads=threads,
            samples=samples,
            unseen=unseen,
        )
        for runtime in wanted
        for delegate in device.delegates
        if possible(delegate, item.artifact.format)
        for threads in (options.threads or device.threads)
    ]


def _inputs_word(item: Shipped) -> str:
    """What an artifact is run with, as a word of the cell's name."""
    if item.own_inputs is not None:
        return item.own_inputs.key
    record = item.manifest.split
    return f"{record.scheme}-{record.sha256[:8]}" if record else "no-inputs"


def _name(device: Device, item: Shipped, *, runtime: Requested, delegate: str, threads: int, split: str) -> str:
    return cell_id(
        device=device.name,
        model=item.manifest.name,
        variant=item.artifact.variant,
        fmt=item.artifact.format,
        runtime=runtime.part,
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
        runtime=replace(job.requested, name=runtime),
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


def rounds_of(device: Device, options: Options) -> int:
    """How many processes measure each cell of a device.

    The command line takes precedence over devices.yaml. On the instruction clock processes don't differ, and MLPerf's
    rules require one long run, so both have one round unless more are requested.
    """
    if asked := options.rounds or device.rounds:
        return asked
    return WALL_ROUNDS if device.effective_clock == "wall" and not options.mlperf else 1
