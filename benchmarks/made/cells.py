"""Fabricated cells, runs and manifests. Nothing here was measured; the numbers only have a realistic form."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.boards.registry import FAMILIES
from harness.records.cell import (
    Canary,
    Cell,
    DeviceInfo,
    ModelInfo,
    Reason,
    Round,
    RunInfo,
    RuntimeInfo,
    SplitInfo,
    cell_id,
)
from harness.records.manifest import (
    Agreement,
    Artifact,
    CrossCheck,
    Manifest,
    SplitRecord,
    Step,
    TensorSpec,
    Trial,
    Zeroed,
)
from harness.results import store

CLASSES = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
LABELS = tuple(i % 7 for i in range(99))
NETWORKS = (
    "resvgg19", "resvgg19-pruned", "mobilenet-v1", "mobilenet-v2", "mobilenet-v3-small", "mobilenet-v3-large",
    "squeezenet", "shufflenet-v2", "ghostnet", "efficientnet-lite0", "mnasnet",
)  # fmt: skip
PRUNED_RIVALS = tuple(f"{name}-pruned" for name in NETWORKS[2:] if name != "shufflenet-v2")


def sha(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def device(name: str = "pi4", board: str = "raspberry-pi-4", *, emulated: bool = True, **changes: Any) -> DeviceInfo:
    family = FAMILIES.get(board)
    fields: dict[str, Any] = {
        "name": name, "board": board, "emulated": emulated, "local": board == "generic",
        "clock": "instructions" if emulated else "wall", "cpu": family.cpu if family else None,
        "cpu_part": family.cpu_part if family else None, "cores": 4, "features": ("fp", "asimd", "crc32"),
        "memory_bytes": 1 << 30, "machine": "aarch64", "os": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "6.1.0-test", "libc": "glibc 2.36", "python": "3.11.2",
    }  # fmt: skip
    return DeviceInfo(**(fields | changes))


def make_cell(
    model: str = "mobilenet-v2",
    variant: str = "int8",
    dev: DeviceInfo | None = None,
    *,
    run: str = "test-run",
    threads: int = 1,
    median_ms: float = 10.0,
    noise: float = 0.02,
    accuracy: float = 0.9,
    passes: int = 1,
    status: str = "VALID",
    seed: int = 0,
    fmt: str = "tflite",
    bytes_: int = 500_000,
    macs: int = 10_000_000,
    parameters: int = 400_000,
    **changes: Any,
) -> Cell:
    """A schema-valid cell. ``median_ms`` is milliseconds, or million instructions on an emulated board."""
    dev = dev or device()
    rng = random.Random(repr((model, variant, dev.name, threads, seed)))
    latency = tuple(
        max(1, int(median_ms * 1e6 * (1 + (0 if dev.clock == "instructions" else abs(rng.gauss(0, noise))))))
        + (rng.randrange(40) if dev.clock == "instructions" else 0)
        for _ in range(99 * passes)
    )
    wrong = set(random.Random(repr((model, variant))).sample(range(99), round(99 * (1 - accuracy))))
    predictions = tuple((label + 1) % 7 if i in wrong else label for i, label in enumerate(LABELS))
    failed = status == "FAILED"
    fields: dict[str, Any] = {
        "run": run,
        "cell": cell_id(
            device=dev.name, model=model, variant=variant, fmt=fmt, runtime="litert", delegate="cpu", threads=threads,
            split="random-0123abcd",
        ),
        "status": status,
        "reasons": () if status == "VALID" else (Reason(code="throttled", text="made up: the board throttled"),),
        "device": dev,
        "model": ModelInfo(name=model, variant=variant, format=fmt, sha256=sha(model, variant, fmt),
                           parameters=parameters, macs=macs, bytes=bytes_),
        "split": SplitInfo(dataset="synthetic-ckplus", synthetic=True, scheme="random", seed=0, n=99,
                           sha256=sha("split"), subject_overlap=60, classes=CLASSES, labels=LABELS),
        "runtime": RuntimeInfo(name="litert", version="2.3.0", delegate="cpu", delegate_applied="xnnpack",
                               delegate_verified=not failed, nodes_delegated=60, nodes_total=60, threads=threads),
        "load_ns": 4_000_000, "first_inference_ns": 20_000_000, "warmup_ns": latency[:5],
        "latency_ns": () if failed else latency, "predictions": () if failed else predictions,
        "accuracy": None if failed else 1 - len(wrong) / 99, "peak_rss_bytes": None if failed else 60_000_000 + bytes_,
        "evidence": {"before": {"temperature_c": 40.0}, "during": [], "after": {"temperature_c": 50.0}},
        "started": "2026-11-22T20:00:00Z", "ended": "2026-11-22T20:01:00Z", "harness": "0.1.0",
    }  # fmt: skip
    return Cell(**(fields | changes))


def make_run(
    results: Path, cells: list[Cell], *, name: str = "test-run", started: str = "2026-11-22T20:00:00Z", **changes: Any
) -> Path:
    """Store ``cells`` as a run; returns its folder."""
    fields: dict[str, Any] = {
        "run": name, "started": started, "harness": "0.1.0",
        "devices": tuple(dict.fromkeys(c.device.name for c in cells)), "planned": tuple(c.cell for c in cells),
    }  # fmt: skip
    folder = store.create_run(results, RunInfo(**(fields | changes)))
    for cell in cells:
        store.write_cell(folder, cell)
    return folder


def networks(count: int) -> list[str]:
    """``count`` names of networks: those of the project, rivals pruned by us, then invented ones."""
    return [*NETWORKS, *PRUNED_RIVALS, *(f"made-up-network-{i:02d}" for i in range(count))][:count]


def boards(count: int) -> list[DeviceInfo]:
    """Emulated Pi 4, Nano and Coral, then real boards, then more emulated ones."""
    first = [
        device("pi4"),
        device("nano", "jetson-nano"),
        device("here", "generic", emulated=False, cpu="AMD EPYC", machine="x86_64"),
        device("coral", "coral-dev"),
        device("pi5", "raspberry-pi-5"),
        device("pi4-desk", "raspberry-pi-4", emulated=False),
    ]
    more = [device(f"lab-board-{i}", "raspberry-pi-5", emulated=bool(i % 3)) for i in range(count)]
    return [*first, *more][:count]


def matrix(
    n_networks: int | list[str], n_boards: int, variants: tuple[str, ...] = ("fp32", "int8"), **changes: Any
) -> list[Cell]:
    """A whole fabricated run: every network (so many, or these) in every variant on every board."""
    cells = []
    for number, name in enumerate(networks(n_networks) if isinstance(n_networks, int) else n_networks):
        rng = random.Random(name.removesuffix("-pruned"))
        cost, accuracy = 0.4 * 1.6 ** (rng.random() * 9), 0.8 + 0.19 * rng.random()
        if name == "resvgg19":
            cost = 300.0
        elif name.endswith("-pruned"):
            cost, accuracy = (0.3 if name == "resvgg19-pruned" else cost * 0.2 + 0.1), accuracy - 0.03
        size = int(cost * 400_000 + 60_000)
        for b, dev in enumerate(boards(n_boards)):
            for variant in variants:
                int8 = variant == "int8"
                cells.append(
                    make_cell(
                        name, variant, dev, median_ms=cost * (1 + 0.3 * (b % 4)) * (0.6 if int8 else 1),
                        accuracy=accuracy - (0.02 if int8 else 0), bytes_=size // (4 if int8 else 1), seed=number,
                        macs=int(cost * 1e7), parameters=size // 4, **changes,
                    )
                )  # fmt: skip
    return cells


def make_manifest(name: str = "resvgg19-pruned", *, cross: bool = True) -> Manifest:
    """A manifest with a whole chain of steps; all numbers are fabricated."""
    spec = TensorSpec(shape=(1, 48, 48, 1), dtype="int8", scale=0.004, zero_point=-128)
    steps = (
        ("trained", "20 epochs", 20_000_000, 900_000_000, 80_000_000, 0.97),
        ("pruned", "to 1/4 width", 1_300_000, 60_000_000, 5_200_000, 0.90),
        ("tuned", "5 epochs", 1_300_000, 60_000_000, 5_200_000, 0.96),
        ("pruned", "to 1/8 width", 330_000, 15_000_000, 1_300_000, 0.85),
        ("tuned", "5 epochs", 330_000, 15_000_000, 1_300_000, 0.95),
        ("quantised", "int8", 330_000, 15_000_000, 370_000, 0.94),
    )
    return Manifest(
        name=name, title=name, citation="made up for a test", classes=CLASSES, parameters=330_000, macs=15_000_000,
        seed=0, profile="full",
        split=SplitRecord(dataset="synthetic-ckplus", dataset_sha256=sha("data"), synthetic=True, scheme="random",
                          seed=0, fold=0, folds=1, n_train=783, n_validation=99, n_test=99, subject_overlap=60,
                          sha256=sha("split")),
        chain=tuple(Step(kind=k, detail=d, parameters=p, macs=m, bytes=b, accuracy=a, validation_accuracy=a,  # type: ignore[arg-type]
                         seconds=1.0) for k, d, p, m, b, a in steps),
        artifacts=tuple(Artifact(variant=v, format="tflite", sha256=sha(name, v, "tflite"), bytes=b,  # type: ignore[arg-type]
                                 gzip_bytes=b // 2, inputs=(spec,), outputs=(spec,), quantisation=q, accuracy=a,
                                 accuracy_runtime="litert 2.3.0",
                                 agreement=Agreement(same_top1=98, images=99, max_difference=0.031))
                        for v, b, q, a in (("fp32", 1_300_000, "none", 0.95), ("int8", 370_000, "per-channel", 0.94))),
        confusion=tuple(tuple(13 if r == c else int((r + c) % 5 == 0) for c in range(7)) for r in range(7)),
        cross_checks=(
            CrossCheck(
                scheme="subject", folds=5, profile="quick",
                trials=tuple(Trial(seed=s, fold=0, accuracy=a, n_test=99) for s, a in ((0, 0.81), (1, 0.79))),
            ),
            CrossCheck(
                scheme="random", folds=1, profile="full",
                trials=tuple(Trial(seed=s, fold=0, accuracy=a, n_test=99) for s, a in enumerate((0.96, 0.95, 0.97))),
            ),
        )
        if cross else (),
        zeroed=tuple(Zeroed(filename="fp32.tflite", share=s, bytes=1_300_000, gzip_bytes=g, validation_accuracy=a,
                            accuracy=a, latency_ratio=1.01)
                     for s, g, a in ((0.0, 650_000, 0.95), (0.5, 410_000, 0.95), (0.9, 130_000, 0.7))),
        libraries={"tensorflow": "2.21.0"}, created="2026-11-22T20:00:00Z",
    )  # fmt: skip


def in_rounds(cell: Cell, count: int = 5, *, apart: float = 0.0, canary: Sequence[float] = (), seed: int = 0) -> Cell:
    """The cell as if measured in ``count`` rounds of one pass each.

    Args:
        apart: the standard deviation of the rounds' speeds, as a share.
        canary: duration of both loops in each round, in milliseconds; not stored when empty.
    """
    rng = random.Random(seed)
    per_round = cell.latency_ns[: cell.split.n]
    latency, rounds = [], []
    for number in range(count):
        factor = 1 + apart * rng.gauss(0, 1)
        latency += [max(1, round(ns * factor)) for ns in per_round]
        took = round(canary[number] * 1e6) if canary else 0
        loops = Canary(compute=took, memory=took) if canary else None
        rounds.append(
            Round(started=cell.started, ended=cell.ended, samples=len(per_round), warmups=len(cell.warmup_ns),
                  load_ns=cell.load_ns, first_inference_ns=cell.first_inference_ns,
                  peak_rss_bytes=cell.peak_rss_bytes, before=loops, after=loops)
        )  # fmt: skip
    changes = {"latency_ns": tuple(latency), "warmup_ns": cell.warmup_ns * count, "rounds": tuple(rounds)}
    return cell.model_copy(update=changes)
