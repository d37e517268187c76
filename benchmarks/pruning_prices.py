"""Which price of channels ranks networks best: ``python -m benchmarks.pruning_prices [--board raspberry-pi-4]``.

Twelve untrained residual VGG19s of different widths, as pruning makes them, are priced in three ways: multiply-
accumulates, multiply-accumulates as kernels compute them (``lanes``), and the sum of their layers' estimated cycles
(``cycles``, a price list). Each price is held against what the whole networks take: milliseconds on this machine,
instructions counted and cycles estimated on an emulated board. Prints tables. Needs the [train] extra.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import table
from benchmarks.validate_estimates import quality
from harness.core.paths import cache_dir
from harness.records.prices import PRICED_VARIANTS, PricedVariant
from harness.run.examine import FileCycles, file_cycles
from harness.training.compress import drop_layer, plan, pricing, works
from harness.training.compress.graph import trace
from harness.training.export import tflite
from harness.training.networks import registry, resvgg19
from harness.training.networks.macs import count_macs

Key = tuple[str, str]
Widths = tuple[tuple[int, ...], ...]

_NARROW: Widths = ((2, 2), (4, 8), (8, 8, 8, 16), (8, 8, 8, 32), (8, 8, 16, 32))
_NARROWER: Widths = ((2, 2), (2, 8), (2, 4, 4, 16), (2, 8, 2, 40), (8, 8, 6, 40))
#: The widths of docs/compression.md, those of VGG19 divided by 8, 16 and 32, and two without block 1's second
#: convolution, as ``resvgg19-pruned`` is.
FORMS: tuple[tuple[Widths, tuple[str, ...]], ...] = (
    (((4, 4), (4, 8), (12, 12, 12, 12), (8, 8, 4, 28), (12, 8, 20, 28)), ()),
    (((2, 8), (4, 8), (8, 8, 8, 16), (8, 8, 8, 32), (8, 8, 16, 32)), ()),
    (_NARROW, ()),
    (((2, 2), (2, 4), (4, 4, 4, 8), (8, 8, 8, 8), (8, 8, 8, 8)), ()),
    (((2, 2), (2, 8), (8, 8, 2, 8), (6, 8, 8, 24), (8, 8, 20, 24)), ()),
    (((2, 4), (2, 8), (2, 4, 4, 16), (2, 8, 2, 40), (8, 8, 6, 40)), ()),
    (_NARROWER, ()),
    (_NARROWER, ("block1_2_conv",)),
    (_NARROW, ("block1_2_conv",)),
    (resvgg19.scaled(8), ()),
    (resvgg19.scaled(16), ()),
    (resvgg19.scaled(32), ()),
)
#: How long a network runs before the next one takes its turn on this machine, and how many turns each has.
TURN_NS, TURNS = 20_000_000, 40


@dataclass(frozen=True)
class Form:
    """One untrained network: its Keras model, and its files by variant."""

    name: str
    model: Any
    files: Mapping[str, bytes]


def forms() -> list[Form]:
    """The twelve networks."""
    import keras

    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (8, 48, 48), dtype=np.uint8)
    found = []
    for widths, without in FORMS:
        model = resvgg19.build(widths=widths)
        for layer in without:
            model = drop_layer.without(model, layer)
        words = " · ".join(",".join(map(str, block)) for block in widths)
        name = f"{words} without {', '.join(without)}" if without else words
        found.append(Form(name, model, {variant: exported(model, variant, images) for variant in PRICED_VARIANTS}))
    return found


def exported(model: Any, variant: PricedVariant, images: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """The model as a TFLite file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        tflite.export_tflite(model, path, variant, images)
        return path.read_bytes()


def here_ms(files: Sequence[bytes]) -> list[float]:
    """Milliseconds of one inference of each file on this machine, one thread.

    The files take turns; each value is the median of the turns' quickest inferences, since other programs here only
    make one slower.
    """
    calls = [inference(content) for content in files]
    quickest: list[list[int]] = [[] for _ in calls]
    for turn in range(TURNS + 1):
        for call, times in zip(calls, quickest, strict=True):
            best, until = 1 << 62, time.perf_counter_ns() + TURN_NS
            while time.perf_counter_ns() < until:
                started = time.perf_counter_ns()
                call()
                best = min(best, time.perf_counter_ns() - started)
            if turn:  # the first one warms up
                times.append(best)
    return [statistics.median(times) / 1e6 for times in quickest]


def inference(content: bytes) -> Callable[[], object]:
    """An inference of a file whose input is zeros."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    invoke: Callable[[], object] = interpreter.invoke
    return invoke


def priced(found: Sequence[Form], variant: PricedVariant, examiner: FileCycles) -> dict[str, dict[Key, float]]:
    """Each form's price, by the price's name."""
    parent = registry.get("resvgg19").build()
    wanted = works.wanted(parent, trace(parent))
    prices = pricing.price_list(examiner, variant, wanted, cache_dir() / "build" / "prices")
    by_price: dict[str, dict[Key, float]] = {"MACs": {}, "lanes": {}, "cycles": {}}
    for form in found:
        channels, key = trace(form.model), (form.name, variant)
        by_price["MACs"][key] = float(count_macs(form.model))
        by_price["lanes"][key] = plan.CostModel(form.model, channels, lanes=8).whole()
        by_price["cycles"][key] = plan.CostModel(form.model, channels, cycles=prices).whole()
    return by_price


def judged(variant: str, truths: Mapping[str, Mapping[Key, float]], prices: Mapping[str, Mapping[Key, float]]) -> None:
    """Print how well each price orders the networks by each truth."""
    rows = []
    for truth, measured in truths.items():
        for price, predicted in prices.items():
            each = quality(measured, predicted)
            wrong = (f"{each.wrong} of {each.pairs}", f"{each.apart_wrong} of {each.apart}")
            errors = (f"{each.median_error:.2f}x", f"{each.worst_error:.2f}x", f"{each.correlation:.2f}")
            rows.append((f"{variant}, {truth}", price, *wrong, *errors))
    head = ("what is ranked", "price", "pairs wrong", "wrong where the price is 1.3 apart")
    table((*head, "median error", "worst error", "rank correlation"), rows)
    print()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", default="raspberry-pi-4")
    options = parser.parse_args()
    examiner = file_cycles(options.board, lambda line: print(line, file=sys.stderr, flush=True))
    found = forms()
    every = [(form, variant) for variant in PRICED_VARIANTS for form in found]
    files = [form.files[variant] for form, variant in every]
    regions = list(examiner.regions(files))[1:]
    milliseconds = here_ms(files)
    for place, variant in enumerate(PRICED_VARIANTS):
        part = slice(place * len(found), (place + 1) * len(found))
        keys = [(form.name, variant) for form in found]
        truths: dict[str, dict[Key, float]] = {
            "this machine, ms": dict(zip(keys, milliseconds[part], strict=True)),
            f"{options.board}, M instructions": {
                key: region.instructions / 1e6 for key, region in zip(keys, regions[part], strict=True)
            },
            f"{options.board}, M cycles": {
                key: region.cycles / 1e6 for key, region in zip(keys, regions[part], strict=True)
            },
        }
        prices = priced(found, variant, examiner)
        head = ("widths", *truths, *(f"{name}, M" for name in prices))
        table(
            head,
            [
                (
                    key[0],
                    *(f"{values[key]:.3f}" for values in truths.values()),
                    *(f"{values[key] / 1e6:.3f}" for values in prices.values()),
                )
                for key in keys
            ],
        )
        print()
        judged(variant, truths, prices)
    print(examiner.origin.words)
    return 0


if __name__ == "__main__":
    sys.exit(main())
