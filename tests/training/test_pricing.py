"""Estimated cycles as the cost of channels: what is asked, what is kept, and what pruning makes of it."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

from harness.cli import app as cli  # noqa: E402
from harness.core.errors import BuildError, EstimateError, UsageError  # noqa: E402
from harness.data.splits import split  # noqa: E402
from harness.modelfile import read  # noqa: E402
from harness.records.prices import PRICED_VARIANTS, Origin, PricedVariant, PriceList, Work  # noqa: E402
from harness.run import examine  # noqa: E402
from harness.training import pipeline as building  # noqa: E402
from harness.training.compress import pipeline, plan, pricing, works  # noqa: E402
from harness.training.compress.budget import AS_REGISTERED, Budget, CycleTarget, Targets  # noqa: E402
from harness.training.compress.graph import trace  # noqa: E402
from harness.training.export.probes import probe  # noqa: E402
from harness.training.networks import registry  # noqa: E402
from harness.training.networks.macs import count_macs  # noqa: E402
from harness.training.options import BuildOptions  # noqa: E402
from tests.support.datasets import small_dataset  # noqa: E402
from tests.support.networks import tiny  # noqa: E402

ORIGIN = Origin(
    board="raspberry-pi-4",
    runtime="litert 2.3.0",
    core="Cortex-A72",
    model="cortex-a72",
    llvm="19.1.7",
    qemu="7.2.22",
    cache_line_cycles=8,
    memory_line_cycles=24,
)
WORKS = [
    Work(kind="CONV_2D", size=(9, 7), kernel=(3, 3)),
    Work(kind="CONV_2D", size=(9, 7), kernel=(3, 3), strides=(2, 2), padding="valid"),
    Work(kind="CONV_2D", size=(9, 7)),
    Work(kind="DEPTHWISE_CONV_2D", size=(9, 7), kernel=(5, 5), strides=(2, 2)),
    Work(kind="FULLY_CONNECTED", size=(1, 1)),
    Work(kind="ADD", size=(9, 7)),
    Work(kind="MAX_POOL_2D", size=(9, 7), kernel=(2, 2), strides=(2, 2)),
]


@dataclass
class Counting:
    """Two cycles for each multiply-accumulate that a file has, and a hundred for the operator itself."""

    folder: Path
    origin: Origin = ORIGIN
    asked: list[int] = field(default_factory=list)

    def cycles(self, files: Sequence[bytes]) -> Generator[float]:
        self.asked.append(len(files))
        for content in files:
            path = self.folder / "probe.tflite"
            path.write_bytes(content)
            yield 2.0 * (read(path).macs or 0) + 100.0


def prices_of(model: Any, folder: Path, variant: PricedVariant = "fp32") -> PriceList:
    folder.mkdir(exist_ok=True)
    return pricing.price_list(Counting(folder), variant, works.wanted(model, trace(model)), folder / "prices")


@pytest.mark.parametrize("variant", PRICED_VARIANTS)
@pytest.mark.parametrize("work", WORKS, ids=lambda work: f"{work.kind}-{work.kernel[0]}-{work.padding}")
def test_a_probe_runs_and_makes_what_the_layer_makes(work: Work, variant: PricedVariant) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=probe(work, 5, 6, variant), num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.ones(detail["shape"], detail["dtype"]))
    interpreter.invoke()
    assert len(interpreter.get_input_details()) == (2 if work.kind == "ADD" else 1)
    (made,) = interpreter.get_output_details()
    assert made["dtype"] == (np.int8 if variant == "int8" else np.float32)
    assert [int(length) for length in made["shape"]] == expected(work)


def expected(work: Work) -> list[int]:
    """The output's shape, as Keras has it."""
    inputs = keras.Input((*work.size, 5 if work.kind == "CONV_2D" else 6))
    window: dict[str, Any] = {"strides": work.strides, "padding": work.padding}
    made = {
        "CONV_2D": lambda: keras.layers.Conv2D(6, work.kernel, **window),
        "DEPTHWISE_CONV_2D": lambda: keras.layers.DepthwiseConv2D(work.kernel, **window),
        "MAX_POOL_2D": lambda: keras.layers.MaxPooling2D(work.kernel, **window),
        "ADD": lambda: keras.layers.ReLU(),
    }
    if work.kind == "FULLY_CONNECTED":
        return [1, 6]
    return [1, *made[work.kind]()(inputs).shape[1:]]


def test_prices_that_are_multiply_accumulates_lead_where_these_lead(tmp_path: Path) -> None:
    """Two cycles for each: what is interpolated between probes is what a layer computes."""
    model = tiny()
    channels = trace(model)
    prices = prices_of(model, tmp_path)
    by_cycles, by_macs = plan.CostModel(model, channels, cycles=prices), plan.CostModel(model, channels)
    priced = [layer for layer in model.layers if works.work_of(layer) is not None]
    assert {type(layer).__name__ for layer in priced} == {"Conv2D", "Add", "MaxPooling2D", "Dense"}
    for share in (1.0, 0.5, 0.25):
        widths = [max(2, int(len(members) * share)) for members in by_macs.families]
        assert by_cycles.cost(widths) == pytest.approx(2 * by_macs.cost(widths) + 100 * len(priced))


def test_what_was_examined_is_kept_and_only_what_is_new_is_asked(tmp_path: Path) -> None:
    model, examiner = tiny(), Counting(tmp_path)
    wanted = works.wanted(model, trace(model))
    first = pricing.price_list(examiner, "fp32", wanted, tmp_path / "prices")
    assert pricing.price_list(examiner, "fp32", wanted, tmp_path / "prices") == first
    assert len(examiner.asked) == 1
    more = works.Wanted(Work(kind="CONV_2D", size=(7, 7)), into=3, out=None)
    both = pricing.price_list(examiner, "fp32", [*wanted, more], tmp_path / "prices")
    assert examiner.asked[1:] == [len(pricing.OUT)]
    assert both.prices[:-1] == first.prices
    other = replace(examiner, origin=ORIGIN.model_copy(update={"llvm": "20.1.0"}))
    pricing.price_list(other, "fp32", wanted, tmp_path / "prices")
    assert other.asked[-1] == examiner.asked[0], "prices of another LLVM are other prices"
    for path in (tmp_path / "prices").iterdir():
        path.write_text("{")
    pricing.price_list(examiner, "fp32", wanted, tmp_path / "prices")
    assert examiner.asked[-1] == examiner.asked[0], "a damaged file is made anew"


def test_channels_that_pruning_does_not_change_are_not_varied() -> None:
    model = tiny()
    found = {(each.work.kind, each.work.size): each for each in works.wanted(model, trace(model))}
    first = found["CONV_2D", (48, 48)]
    assert (first.into, first.out) in [(1, None), (None, None)]
    assert found["FULLY_CONNECTED", (1, 1)].out == 7
    assert found["ADD", (24, 24)] == works.Wanted(Work(kind="ADD", size=(24, 24)), into=1, out=None)


def test_a_list_without_a_layer_s_price_is_refused_by_name(tmp_path: Path) -> None:
    model = tiny()
    prices = prices_of(model, tmp_path)
    fewer = prices.model_copy(update={"prices": prices.prices[1:]})
    with pytest.raises(BuildError, match=r"cycles@raspberry-pi-4/fp32 has no price of layer '"):
        plan.CostModel(model, trace(model), cycles=fewer)


@pytest.mark.slow
@pytest.mark.parametrize("name", [network.name for network in registry.NETWORKS if network.pruned_from])
def test_each_network_that_is_pruned_has_prices(name: str, tmp_path: Path) -> None:
    model = registry.get(str(registry.get(name).pruned_from)).build()
    channels = trace(model)
    wanted = works.wanted(model, channels)
    assert wanted
    few = [replace(each, into=each.into or 2, out=each.out or 2) for each in wanted]
    prices = pricing.price_list(Counting(tmp_path), "int8", few, tmp_path / "prices")
    assert plan.CostModel(model, channels, cycles=prices).whole() > 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cycles@raspberry-pi-4", CycleTarget("raspberry-pi-4")),
        ("cycles@coral-dev/int8", CycleTarget("coral-dev", "int8")),
        ("cycles@coral-dev/int8=8e5", CycleTarget("coral-dev", "int8", 8e5)),
        ("cycles@pi=5", CycleTarget("pi", "fp32", 5.0)),
    ],
)
def test_a_target_names_board_variant_and_cycles(text: str, found: CycleTarget) -> None:
    assert CycleTarget.parse(text) == found


@pytest.mark.parametrize(
    "text", ["", "cycles", "cycles@", "macs@pi", "cycles@pi/fp16", "cycles@pi/", "cycles@pi=many", "cycles@pi="]
)
def test_a_target_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--target"):
        CycleTarget.parse(text)


def test_cycles_take_the_place_of_the_registered_size(tmp_path: Path) -> None:
    prices, small = prices_of(tiny(), tmp_path), registry.Pruning(keep=0.25, epochs=(5, 6), lanes=8)
    as_many = Targets(cycles=CycleTarget("raspberry-pi-4")).budget(small, 1000, prices)
    assert (as_many.macs, as_many.cycles, as_many.lanes) == (250, None, 8)
    fewer = Targets(cycles=CycleTarget("raspberry-pi-4", most=9e5)).budget(small, 1000, prices)
    assert (fewer.macs, fewer.cycles) == (None, 9e5)
    both = Targets(bytes=5e4, cycles=CycleTarget("raspberry-pi-4")).budget(small, 1000, prices)
    assert (both.macs, both.cycles, both.bytes) == (None, None, 5e4)


def test_targets_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(UsageError, match="two costs"):
        Targets(macs=1e6, cycles=CycleTarget("raspberry-pi-4")).check()
    for most in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(UsageError, match="above 0 and finite"):
            Targets(cycles=CycleTarget("raspberry-pi-4", most=most)).check()
    with pytest.raises(UsageError, match="prices"):
        Budget(macs=None, cycles=5.0).check({})
    AS_REGISTERED.check()


def test_a_budget_without_prices_keeps_its_folder_and_prices_have_their_own(tmp_path: Path) -> None:
    budget, model = Budget(macs=1e6), tiny()
    prices = prices_of(model, tmp_path / "one")
    other = prices.model_copy(update={"origin": ORIGIN.model_copy(update={"llvm": "20"})})
    assert budget.key == repr(budget)
    budgets = [
        budget,
        *(replace(budget, prices=p, cycles=c) for p, c in itertools.product((prices, other), (1.0, 2.0))),
    ]
    assert len({pipeline._fingerprint([model], each) for each in budgets}) == 5


@pytest.mark.slow
@pytest.mark.parametrize("most", [None, 0.5])
def test_pruning_comes_down_to_the_cycles(most: float | None, tmp_path: Path) -> None:
    model, data = tiny(), small_dataset()
    prices = prices_of(model, tmp_path)
    whole = plan.CostModel(model, trace(model), cycles=prices).whole()
    cycles = None if most is None else whole * most
    macs = count_macs(model) / 2 if most is None else None
    budget = Budget(macs=macs, epochs=(1, 1), multiple=2, prices=prices, cycles=cycles)
    job = pipeline.PruningJob(
        dataset=data, split=split(data), profile="full", seed=0, folder=tmp_path, progress=lambda line: None,
        budget=budget,
    )  # fmt: skip
    smaller, steps = pipeline.prune(model, job)
    left = plan.CostModel(smaller, trace(smaller), cycles=prices).whole()
    assert 0.35 * whole < left <= (0.5 if most else 0.55) * whole
    assert steps[0].detail == (
        "taylor per estimated cycle (cycles@raspberry-pi-4/fp32: Cortex-A72, litert 2.3.0, LLVM 19.1.7, QEMU 7.2.22), "
        "round 1"
    )


@pytest.mark.slow
def test_cycles_that_can_not_be_reached_are_named(tmp_path: Path) -> None:
    model, data = tiny(), small_dataset()
    budget = Budget(macs=None, epochs=(1,), prices=prices_of(model, tmp_path), cycles=1000)
    job = pipeline.PruningJob(
        dataset=data, split=split(data), profile="full", seed=0, folder=tmp_path, progress=lambda line: None,
        budget=budget,
    )  # fmt: skip
    with pytest.raises(BuildError, match=r"estimated cycles [\d,]+ > 1,000"):
        pipeline.prune(model, job)


def test_what_was_examined_before_an_error_is_kept(tmp_path: Path) -> None:
    @dataclass
    class Breaking(Counting):
        left: int = 40

        def cycles(self, files: Sequence[bytes]) -> Generator[float]:
            for cost in super().cycles(files):
                if not self.left:
                    raise EstimateError("the board is gone")
                self.left -= 1
                yield cost

    wanted = works.wanted(tiny(), trace(tiny()))
    examiner = Breaking(tmp_path)
    with pytest.raises(EstimateError):
        pricing.price_list(examiner, "fp32", wanted, tmp_path / "prices")
    later = Counting(tmp_path)
    pricing.price_list(later, "fp32", wanted, tmp_path / "prices")
    assert examiner.asked[0] - 40 <= later.asked[0] < examiner.asked[0] - 20


def test_the_command_line_s_target_reaches_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[BuildOptions] = []
    monkeypatch.setattr(building, "build", lambda options, **more: asked.append(options) or [])
    monkeypatch.setattr(examine, "file_cycles", lambda board, say: board)
    words = "build resvgg19-pruned --target cycles@raspberry-pi-4/int8=8e5 --target-bytes 5e4"
    done = CliRunner().invoke(cli.app, words.split())
    assert done.exit_code == 0, done.output
    assert asked[0].targets == Targets(bytes=5e4, cycles=CycleTarget("raspberry-pi-4", "int8", 8e5))
    assert asked[0].examiner == "raspberry-pi-4"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--target macs@raspberry-pi-4", "names no cost and board"),
        ("--target cycles@raspberry-pi-44", "did you mean 'raspberry-pi-4'"),
        ("--target cycles@raspberry-pi-4 --target-macs 1e6", "two costs"),
        ("--target cycles@raspberry-pi-4=-5", "above 0 and finite"),
    ],
)
def test_a_wrong_target_is_bad_usage(words: str, said: str) -> None:
    done = CliRunner().invoke(cli.app, ["build", "resvgg19-pruned", *words.split()])
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)
