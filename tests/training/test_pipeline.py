"""The pipeline: what is refused before anything starts, what is written, what is kept out of git."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli import app as cli
from harness.core.errors import MissingExtraError, UsageError
from harness.data import splits
from harness.data.findings import DataFindings
from harness.data.spec import SYNTHETIC
from harness.records import manifest
from harness.records.manifest import Artifact, CrossCheck, Manifest, SplitRecord, TensorSpec, Trial
from harness.training import manifest_merge, pipeline
from harness.training.compress.budget import Targets
from harness.training.job import TrainingJob
from harness.training.networks import registry
from harness.training.options import BuildOptions
from harness.training.train.recipe import Recipe
from tests.support.datasets import small_dataset
from tools import models_gitignore

ROOT = Path(__file__).parents[2]


def run(models: Path, cache: Path, *names: str, **options: Any) -> list[Manifest]:
    given: dict[str, Any] = {"data": SYNTHETIC, "split": "random", "profile": "quick", "seed": 0, "folds": 2}
    wanted = BuildOptions(names=names, models=models, **{**given, **options})
    return pipeline.build(wanted, cache=cache, progress=lambda line: None)


def job_of(scheme: str = "random", fold: int = 0, folds: int = 10, *, seed: int = 0, **changes: Any) -> TrainingJob:
    data = small_dataset()
    job = TrainingJob(
        network=registry.get("squeezenet"),
        dataset=data,
        split=splits.split(data, scheme, seed, fold=fold, folds=folds),
        profile="quick",
        seed=seed,
        models=Path(),
        cache=Path(),
        progress=lambda line: None,
    )
    return replace(job, **changes)


def test_unknown_network_is_refused_first(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="resvgg19"):
        run(tmp_path, tmp_path, "resnet")


def test_folds_that_are_not_there_are_refused_first(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fold 7 is not among 0 to 4"):
        run(tmp_path, tmp_path, "squeezenet", split="subject", folds=5, only_folds=(1, 7))
    with pytest.raises(UsageError, match="only a subject-disjoint split has folds"):
        run(tmp_path, tmp_path, "squeezenet", only_folds=(0,))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": -1}, "seed -1: a whole number from 0 to 4294967295"),
        ({"seed": 1 << 32}, "seed 4294967296"),
        ({"seed": (1 << 32) - 1, "repeats": 2}, "that of the last repeat, too"),
        ({"folds": 0}, "folds 0"),
        ({"folds": 0, "split": "subject"}, "folds 0: at least 2"),
        ({"folds": -3, "split": "subject"}, "folds -3: at least 2"),
        ({"folds": 1, "split": "subject"}, "folds 1: at least 2"),
        ({"folds": 118, "split": "subject"}, "at most 117"),
        ({"repeats": 0}, "repeats 0"),
        ({"repeats": 10**9}, "repeats 1000000000"),
        ({"split": "person"}, "one of random, subject"),
        ({"profile": "slow"}, "quick or full"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_before_training(
    options: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "make", lambda job: pytest.fail("it trains"))
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        run(tmp_path / "models", tmp_path / "cache", "squeezenet", **options)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("seed", [0, 123_456, (1 << 32) - 1])
def test_a_seed_of_any_size_comes_as_far_as_training(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TrainingError(Exception):
        pass

    def make(job: TrainingJob) -> Any:
        assert job.seed == job.split.seed == seed
        raise TrainingError

    monkeypatch.setattr(pipeline, "make", make)
    with pytest.raises(TrainingError):
        run(tmp_path / "models", tmp_path / "cache", "squeezenet", seed=seed)


@pytest.mark.parametrize("where", ["models", "cache"])
def test_folders_that_take_no_files_are_named_before_training(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "make", lambda job: pytest.fail("it trains"))
    (tmp_path / "file").write_text("x")
    places = {"models": tmp_path / "models", "cache": tmp_path / "cache", where: tmp_path / "file" / "below"}
    with pytest.raises(UsageError, match="is no folder"):
        run(places["models"], places["cache"], "squeezenet")
    assert not (tmp_path / "models").exists(), "nothing is made before that is known"


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("squeezenet-pruned", {"targets": Targets(bytes=float("inf"))}, "above 0 and finite"),
        ("squeezenet", {"repeats": 0}, "repeats 0: at least 1"),
        ("squeezenet", {"targets": Targets(macs=1e6)}, "squeezenet isn't pruned"),
        ("squeezenet-pruned", {"targets": Targets(macs=-1)}, "target macs must be above 0"),
        ("squeezenet-pruned", {"targets": Targets(method="magic")}, "taylor, bn, l1 or slimming"),
        ("squeezenet-pruned", {"targets": Targets(latency_ratio=0.9, reference="x")}, "network 'x' is unknown"),
        ("squeezenet-pruned", {"targets": Targets(latency_ratio=0.9)}, "harness build mobilenet-v3-small"),
    ],
)
def test_targets_without_sense_are_refused_first(name: str, options: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        run(tmp_path, tmp_path, name, **options)


def test_the_command_line_s_options_reach_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[BuildOptions] = []
    monkeypatch.setattr(pipeline, "build", lambda options, **more: asked.append(options) or [])
    words = "build resvgg19-pruned --repeats 3 --target-macs 1.5e6 --target-bytes 4e4 --target-latency-ratio 0.9"
    more = "--reference mnasnet --max-accuracy-drop 0.02 --importance l1"
    done = CliRunner().invoke(cli.app, [*words.split(), *more.split()])
    assert done.exit_code == 0, done.output
    assert asked[0].repeats == 3
    assert asked[0].targets == Targets(1.5e6, 4e4, 0.9, 0.02, "l1", "mnasnet")
    CliRunner().invoke(cli.app, ["build", "resvgg19-pruned"])
    assert asked[1] == BuildOptions(names=("resvgg19-pruned",)), "the record's defaults are the command line's"
    assert not asked[1].targets.given()


def test_trainings_of_other_seeds_have_folders_of_their_own() -> None:
    for scheme, fold in (("random", 0), ("subject", 2)):
        job = job_of(scheme, fold, 5, seed=4, profile="full", cache=Path("cache"))
        assert job.folder() == Path(f"cache/squeezenet/{scheme}-4-{fold}-full"), "as it always was"
        assert replace(job, seed=5).folder() == Path(f"cache/squeezenet/{scheme}-4-{fold}-full-seed5")


def test_trials_of_another_size_or_random_split_are_not_kept(tmp_path: Path) -> None:
    data = small_dataset()
    job = job_of(models=tmp_path, progress=print)
    assert manifest_merge.kept_checks(job, 1000) == ()
    trial = (Trial(seed=0, fold=0, accuracy=0.7, n_test=9),)
    checks = [CrossCheck(scheme=s, folds=2, profile="quick", trials=trial) for s in ("random", "subject")]
    before = record("squeezenet", data.sha256).model_copy(update={"macs": 1000, "cross_checks": tuple(checks)})
    manifest.save(tmp_path, before)
    assert manifest_merge.kept_checks(job, 1050) == (checks[1],)
    assert manifest_merge.kept_checks(job, 1500) == ()
    same = before.split.model_copy(update={"sha256": job.split.sha256})
    manifest.save(tmp_path, before.model_copy(update={"split": same}))
    assert manifest_merge.kept_checks(job, 1000) == tuple(checks)


def test_folds_trained_at_other_times_come_together() -> None:
    first, second = (
        (Trial(seed=0, fold=fold, accuracy=accuracy, n_test=98),) for fold, accuracy in ((3, 0.7), (1, 0.8))
    )
    data = small_dataset()
    base = record("tiny", data.sha256)
    jobs = [job_of("subject", fold, 4) for fold in (3, 1)]
    once = base.model_copy(update={"cross_checks": manifest_merge.merged(base, jobs[0], first)})
    (check,) = manifest_merge.merged(once, jobs[1], second)
    assert [(trial.fold, trial.accuracy) for trial in check.trials] == [(1, 0.8), (3, 0.7)]
    other = record("tiny", "f" * 64).model_copy(update={"cross_checks": once.cross_checks})
    (check,) = manifest_merge.merged(other, jobs[1], second)
    assert [trial.fold for trial in check.trials] == [1], "folds of other data are not these"


def test_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find(name))
    with pytest.raises(MissingExtraError, match=r"tf2onnx.*pip install -e '\.\[train\]'"):
        pipeline.ensure_extra()


def test_importing_the_pipeline_does_not_import_tensorflow() -> None:
    code = "import sys, harness.training.pipeline; sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def record(name: str, dataset_sha256: str = "0" * 64, artifacts: tuple[Artifact, ...] = ()) -> Manifest:
    split = SplitRecord(
        dataset="synthetic", dataset_sha256=dataset_sha256, synthetic=True, scheme="random", seed=0, fold=0, folds=1,
        n_train=1, n_validation=1, n_test=1, subject_overlap=None, sha256="0" * 64,
    )  # fmt: skip
    return Manifest(
        name=name, title=name, citation="", classes=("a",), parameters=1, macs=1, seed=0, profile="quick", split=split,
        chain=(), artifacts=artifacts, libraries={}, created="",
    )  # fmt: skip


def stored(models: Path, name: str, sizes: dict[tuple[str, str], int]) -> None:
    spec = TensorSpec(shape=(1, 48, 48, 1), dtype="float32")
    artifacts = tuple(
        Artifact.model_validate(
            {
                "variant": variant, "format": fmt, "sha256": "0" * 64, "bytes": size, "input": spec, "output": spec,
                "quantisation": "none", "accuracy": 1.0, "accuracy_runtime": "none",
            }
        )
        for (variant, fmt), size in sizes.items()
    )  # fmt: skip
    manifest.save(models, record(name, artifacts=artifacts))


def test_only_small_files_and_int8_are_for_git(tmp_path: Path) -> None:
    sizes = {("int8", "tflite"): 9_000_000, ("fp32", "tflite"): 1_999_999, ("fp32", "onnx"): 2_000_000}
    stored(tmp_path, "small", {**sizes, ("fp16", "onnx"): 5})
    stored(tmp_path, "resvgg19-pruned", {**sizes, ("fp16", "tflite"): 5, ("fp16", "onnx"): 5})
    stored(tmp_path, "mnasnet-pruned", sizes)
    stored(tmp_path, "vgg19", {("int8", "tflite"): 20_000_000})
    (tmp_path / ".gitignore").write_text(models_gitignore.gitignore(tmp_path))
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    def ignored(path: str) -> bool:
        return subprocess.run(["git", "-C", str(tmp_path), "check-ignore", "-q", path], check=False).returncode == 0

    assert not ignored("small/manifest.json")
    assert not ignored("small/int8.tflite")
    assert not ignored("small/fp32.tflite")
    assert not ignored("resvgg19-pruned/fp32.tflite")
    assert not ignored("resvgg19-pruned/fp16.tflite"), "no form of ours is the fastest on every processor"
    assert ignored("resvgg19-pruned/fp16.onnx")
    assert not ignored("mnasnet-pruned/int8.tflite")
    assert ignored("mnasnet-pruned/fp32.tflite"), "of a rival's pruned form one file says enough"
    assert ignored("small/fp32.onnx")
    assert ignored("small/fp16.onnx")
    assert ignored("vgg19/int8.tflite")


def test_the_repository_s_models_are_kept_out_of_git_as_the_tool_says() -> None:
    models = ROOT / "models"
    assert (models / ".gitignore").read_text(encoding="utf-8") == models_gitignore.gitignore(models)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network, data set and budget small enough to go through the whole pipeline in seconds."""
    for module in ("tensorflow", "ai_edge_litert", "onnx", "tf2onnx"):
        pytest.importorskip(module)
    from harness.training.compress import distil

    widths = (("widths", ((8, 8), (8, 8))), ("name", "tiny"))
    extra = (
        registry.Network("tiny", "Tiny", "nobody", "resvgg19", widths),
        registry.Network(
            "tiny-pruned", "Tiny, pruned", "nobody", "resvgg19", widths, "tiny", registry.Pruning(keep=0.5, epochs=(1,))
        ),
    )
    monkeypatch.setattr(registry, "NETWORKS", extra)
    monkeypatch.setattr(
        pipeline, "load_with_findings", lambda spec: (small_dataset(), DataFindings(path="small", form=None))
    )
    monkeypatch.setattr("harness.training.train.recipe.recipe_for", lambda profile, macs, images: Recipe(epochs=2))
    monkeypatch.setattr(distil, "SETS", 1)


@pytest.mark.usefixtures("tiny")
@pytest.mark.train
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_the_whole_pipeline(tmp_path: Path) -> None:
    plain, pruned = run(tmp_path / "models", tmp_path / "cache", "tiny", "tiny-pruned")
    assert [step.kind for step in plain.chain] == ["trained", "quantised"]
    assert [step.kind for step in pruned.chain] == ["trained", "pruned", "tuned", "quantised"]
    assert pruned.macs < plain.macs * 0.6
    assert len(plain.artifacts) == 7
    for made in (plain, pruned):
        assert manifest.load(tmp_path / "models", made.name) == made
        for artifact in made.artifacts:
            assert (tmp_path / "models" / made.name / artifact.filename).stat().st_size == artifact.bytes
    assert plain.confusion is not None
    assert sum(map(sum, plain.confusion)) == plain.split.n_test

    (checked,) = run(tmp_path / "models", tmp_path / "cache", "tiny", split="subject", folds=2)
    assert checked.artifacts == plain.artifacts
    assert checked.split.scheme == "random"
    assert [(c.scheme, c.folds, len(c.accuracies)) for c in checked.cross_checks] == [("subject", 2, 2)]

    again = run(tmp_path / "models", tmp_path / "cache", "tiny", split="subject", folds=2, only_folds=(1,))[0]
    assert again.cross_checks == checked.cross_checks  # a fold trained again takes its own place
    assert sum(trial.n_test for trial in again.cross_checks[0].trials) == len(small_dataset().labels)

    (again,) = run(tmp_path / "models", tmp_path / "cache", "tiny")
    assert again.cross_checks == checked.cross_checks
    assert [a.accuracy for a in again.artifacts] == [a.accuracy for a in plain.artifacts]
    for artifact in again.artifacts:
        assert artifact.agreement is not None
        assert artifact.agreement.images == again.split.n_test


@pytest.mark.usefixtures("tiny")
@pytest.mark.train
@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_repeats_share_the_split_and_the_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.training.export import zeroed

    monkeypatch.setattr(zeroed, "NETWORKS", ("tiny-pruned",))
    monkeypatch.setattr(zeroed, "SHARES", (0.5,))
    (made,) = run(tmp_path / "models", tmp_path / "cache", "tiny-pruned", repeats=2)
    assert manifest.load(tmp_path / "models", "tiny-pruned") == made
    assert made.seed == 0
    (check,) = made.cross_checks
    assert (check.scheme, check.folds, check.seeds) == ("random", 1, (0, 1))
    assert {trial.n_test for trial in check.trials} == {made.split.n_test}
    assert check.trials[0].accuracy == made.chain[-2].accuracy
    assert {p.name for p in (tmp_path / "cache" / "tiny").iterdir()} == {"random-0-0-quick"}
    assert {p.name for p in (tmp_path / "cache" / "tiny-pruned").iterdir()} == {
        "random-0-0-quick", "random-0-0-quick-seed1",
    }  # fmt: skip
    assert [(row.filename, row.bytes) for row in made.zeroed] == [("int8.tflite", made.artifacts[-2].bytes)]

    (both,) = run(tmp_path / "models", tmp_path / "cache", "tiny-pruned", split="subject", only_folds=(1,), repeats=2)
    assert both.artifacts == made.artifacts
    assert [(c.scheme, [(t.seed, t.fold) for t in c.trials]) for c in both.cross_checks] == [
        ("random", [(0, 0), (1, 0)]), ("subject", [(0, 1), (1, 1)]),
    ]  # fmt: skip


@pytest.mark.usefixtures("tiny")
@pytest.mark.train
@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_target_in_bytes_is_met_by_the_file(tmp_path: Path) -> None:
    whole, first = run(tmp_path / "models", tmp_path / "cache", "tiny", "tiny-pruned")
    least, most = (made.artifact("int8", "tflite") for made in (first, whole))
    assert least is not None
    assert most is not None
    wanted = (least.bytes + most.bytes) / 2
    (made,) = run(tmp_path / "models", tmp_path / "cache", "tiny-pruned", targets=Targets(bytes=wanted))
    got = made.artifact("int8", "tflite")
    assert got is not None
    assert got.bytes <= wanted
    assert made.macs > first.macs, "nothing asked for so few"


@pytest.mark.train
@pytest.mark.soak
def test_a_quick_build_from_nothing_takes_ten_minutes_at_most(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "harness", "build", "mobilenet-v3-small", "--profile", "quick", "--models", "models"],
        cwd=tmp_path, env={**os.environ, "HARNESS_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert time.monotonic() - started < 600
    assert "mobilenet-v3-small/int8.tflite: accuracy" in done.stdout
    made = manifest.load(tmp_path / "models", "mobilenet-v3-small")
    assert made.profile == "quick"
    assert (made.artifact("int8", "tflite") or made.artifacts[0]).accuracy > 0.4, "a guess is right one time in four"
