"""Accuracy on strangers: measured with the real runtimes, put into manifests, and nothing else of them changed."""

from __future__ import annotations

import difflib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.cli import app as cli
from harness.core import clusters
from harness.core.errors import ArtifactError, UsageError
from harness.data import splits
from harness.data.synthetic.generator import generate
from harness.data.synthetic.strangers import SEEDS
from harness.records import manifest as manifests
from harness.records.manifest import Unseen
from harness.records.manifest_edit import put_unseen, read, text
from harness.training import unseen
from harness.training.export import runtimes
from harness.training.job import TrainingJob
from harness.training.networks import registry
from tests.conftest import MODELS
from tests.support.datasets import small_dataset

PRUNED = "resvgg19-pruned"
FILES = [
    (name, artifact)
    for name in manifests.names(MODELS)
    for artifact in manifests.load(MODELS, name).artifacts
    if (MODELS / name / artifact.filename).exists()
]


@pytest.fixture
def models(tmp_path: Path, cache: Path) -> Path:
    """A folder with one network that has few files."""
    shutil.copytree(MODELS / "squeezenet-pruned", tmp_path / "models" / "squeezenet-pruned")
    return tmp_path / "models"


@pytest.fixture(scope="module")
def few() -> unseen.People:
    return unseen.People.of((201,))


def without_unseen(path: Path) -> None:
    content = json.loads(path.read_text())
    for artifact in content["artifacts"]:
        artifact.pop("unseen", None)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("name", manifests.names(MODELS))
def test_a_manifest_that_is_read_and_written_is_the_same_bytes(name: str) -> None:
    content = (MODELS / name / "manifest.json").read_text(encoding="utf-8")
    assert text(read(content)) + "\n" == content


def test_the_accuracy_is_added_and_every_other_line_stays(models: Path) -> None:
    path = models / "squeezenet-pruned" / "manifest.json"
    record = manifests.load(models, "squeezenet-pruned")
    score = Unseen(n=981, persons=118, seeds=(7,), accuracy=0.5, low=0.4, high=0.6)
    (int8,) = [artifact for artifact in record.artifacts if artifact.filename == "int8.tflite"]
    before = path.read_text()
    assert put_unseen(models, "squeezenet-pruned", {int8.sha256: score}).artifact("int8", "tflite") == int8.model_copy(
        update={"unseen": score}
    )
    changed = [line for line in difflib.ndiff(before.splitlines(), path.read_text().splitlines()) if line[0] in "+-"]
    assert len(changed) <= 16
    assert all("seeds" in line or line[1:].strip(' "{}[],') for line in changed)
    assert manifests.load(models, "squeezenet-pruned").model_copy(update={"artifacts": ()}) == record.model_copy(
        update={"artifacts": ()}
    )
    written = path.read_bytes()
    put_unseen(models, "squeezenet-pruned", {int8.sha256: score})
    assert path.read_bytes() == written


@pytest.mark.parametrize(("name", "artifact"), FILES, ids=lambda value: getattr(value, "filename", value))
def test_every_shipped_file_has_an_accuracy_on_the_same_strangers(name: str, artifact: manifests.Artifact) -> None:
    found = artifact.unseen
    assert found is not None, f"harness build --unseen {name}"
    assert (found.n, found.persons, found.seeds) == (2943, 354, SEEDS)
    assert found.low < found.accuracy < found.high


def test_the_recorded_accuracy_is_what_the_runtime_gives(cache: Path) -> None:
    people = unseen.People.of()
    record = manifests.load(MODELS, PRUNED)
    for filename in ("int8.tflite", "int8.onnx"):
        (artifact,) = [each for each in record.artifacts if each.filename == filename]
        found = unseen.unseen(MODELS / PRUNED / filename, people)
        assert artifact.unseen is not None
        assert (found.n, found.persons, found.seeds) == (2943, 354, SEEDS)
        assert found.accuracy == artifact.unseen.accuracy
        assert (found.low, found.high) == pytest.approx((artifact.unseen.low, artifact.unseen.high))


def test_the_interval_is_by_person_and_wider_than_by_image(cache: Path, few: unseen.People) -> None:
    path = MODELS / PRUNED / "int8.tflite"
    right = few.right(unseen.answers(path, few))
    found = unseen.unseen(path, few)
    by_person = clusters.proportion(right, few.persons)
    by_image = clusters.proportion(right, [str(number) for number in range(len(right))])
    assert (found.low, found.high) == (by_person.low, by_person.high)
    assert found.high - found.low > 1.2 * (by_image.high - by_image.low)


def test_answers_are_kept_and_a_damaged_file_is_made_anew(
    cache: Path, few: unseen.People, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = MODELS / PRUNED / "int8.tflite"
    first = unseen.answers(path, few)
    (kept,) = (cache / "answers").glob("*.npy")
    with monkeypatch.context() as patched:
        patched.setattr(runtimes, "probabilities", lambda *_: pytest.fail("it runs again"))
        assert np.array_equal(unseen.answers(path, few), first)
    kept.write_bytes(kept.read_bytes()[:50])
    assert np.array_equal(unseen.answers(path, few), first)
    np.save(kept, np.array([object()]), allow_pickle=True)
    assert np.array_equal(unseen.answers(path, few), first)


def test_one_command_measures_the_files_that_are_there(models: Path, cache: Path) -> None:
    path = models / "squeezenet-pruned" / "manifest.json"
    without_unseen(path)
    done = CliRunner().invoke(cli.app, ["build", "--unseen", "--models", str(models)])
    assert done.exit_code == 0, done.output
    assert "squeezenet-pruned/int8.tflite: accuracy 0.9062 on 2943 images of 354 strangers" in done.stdout
    assert "not here, so not measured: fp32.tflite" in done.stderr
    shipped = manifests.load(MODELS, "squeezenet-pruned").artifact("int8", "tflite")
    assert manifests.load(models, "squeezenet-pruned").artifact("int8", "tflite") == shipped


def test_options_of_a_training_are_refused_beside_it(models: Path) -> None:
    for words in (["--seed", "3"], ["--data", "x"], ["--split", "subject"], ["--profile", "quick"]):
        done = CliRunner().invoke(cli.app, ["build", "--unseen", "--models", str(models), *words])
        assert isinstance(done.exception, UsageError), words
        assert "trains nothing" in done.exception.message


def test_a_network_of_other_data_has_no_strangers(models: Path) -> None:
    path = models / "squeezenet-pruned" / "manifest.json"
    record = manifests.load(models, "squeezenet-pruned")
    assert record.split is not None
    other = record.split.model_copy(update={"dataset": "ckplus-981", "dataset_sha256": "0" * 64})
    manifests.save(models, record.model_copy(update={"split": other}))
    written = path.read_bytes()
    with pytest.raises(UsageError, match="no strangers"):
        unseen.measure(models, ("squeezenet-pruned",), progress=lambda line: None)
    assert path.read_bytes() == written


def test_a_file_that_is_not_the_manifests_is_refused(models: Path) -> None:
    (models / "squeezenet-pruned" / "int8.tflite").write_bytes(b"another")
    with pytest.raises(ArtifactError, match="SHA-256 differs"):
        unseen.measure(models, (), progress=lambda line: None)
    with pytest.raises(UsageError, match="no network"):
        unseen.measure(models / "empty", (), progress=lambda line: None)


def test_a_build_on_drawn_faces_measures_strangers_and_no_other_build_does(cache: Path) -> None:
    data = generate()
    job = TrainingJob(
        network=registry.get("squeezenet-pruned"),
        dataset=data,
        split=splits.split(data),
        profile="quick",
        seed=0,
        models=MODELS,
        cache=cache,
        progress=lambda line: None,
    )
    int8 = manifests.load(MODELS, "squeezenet-pruned").artifact("int8", "tflite")
    assert int8 is not None
    (found,) = unseen.with_unseen([int8], job)
    assert found.unseen is not None
    assert (found.unseen.n, found.unseen.seeds) == (981, SEEDS[:1])
    assert unseen.with_unseen([int8], replace(job, dataset=small_dataset())) == [int8]
