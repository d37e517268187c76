"""What is trained, from which copy, in which folder, and what counts as done."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import DataError, LockTakenError, StoreError, UsageError
from harness.core.files import sha256_bytes
from harness.data.dataset import Dataset
from harness.records import manifest as manifests
from harness.records.manifest import CrossCheck, Manifest, Trial
from harness.reproduce.places import Places
from harness.reproduce.stages import Experiment, Stage, chosen_folds, folds_of, networks, why_no_folds
from harness.tasks.record import split_record
from harness.training.networks import registry
from tests.support.datasets import small_dataset
from tests.support.manifests import MANIFEST


def experiment(folder: Path, data: Dataset | None = None, *named: str, folds: tuple[int, ...] = (0,)) -> Experiment:
    return Experiment(
        dataset=data or small_dataset(),
        profile="quick",
        networks=networks("quick", named),
        folds=folds,
        places=Places(folder),
        progress=print,
    )


def built(stage: Stage) -> Manifest:
    """A manifest as the stage's build writes it, with its one file."""
    job = stage.job
    folder = job.models / job.network.name
    folder.mkdir(parents=True)
    (folder / "int8.tflite").write_bytes(b"weights")
    data = job.dataset
    record = MANIFEST.model_copy(
        update={
            "name": job.network.name,
            "profile": job.profile,
            "split": split_record(job.split, dataset=data.name, sha256=data.sha256, synthetic=data.synthetic),
            "artifacts": tuple(a.model_copy(update={"sha256": sha256_bytes(b"weights")}) for a in MANIFEST.artifacts),
        }
    )
    manifests.save(job.models, record)
    return record


def test_the_whole_experiment_has_every_registered_network_but_plain_vgg19() -> None:
    names = [network.name for network in networks("full", ())]
    assert names == [name for name in registry.names() if name != "vgg19"]
    assert [network.name for network in networks("full", ("vgg19",))] == ["vgg19"]


def test_a_look_has_ours_and_the_fastest_rivals() -> None:
    names = [network.name for network in networks("quick", ())]
    assert names[:2] == ["resvgg19", "resvgg19-pruned"]
    assert "mobilenet-v3-small-pruned" in names
    assert len(names) == 5


def test_a_pruned_network_brings_what_it_is_pruned_from() -> None:
    assert [network.name for network in networks("full", ("squeezenet-pruned",))] == ["squeezenet", "squeezenet-pruned"]
    with pytest.raises(UsageError, match="network 'resnet' is unknown"):
        networks("full", ("resnet",))


def test_parents_come_first_and_both_splits_are_trained(tmp_path: Path) -> None:
    titles = [stage.title for stage in experiment(tmp_path).stages()]
    assert titles[0] == "resvgg19, random split"
    assert titles.index("mobilenet-v3-small, random split") < titles.index("mobilenet-v3-small-pruned, random split")
    assert titles[5:] == [
        "resvgg19, subject-disjoint split, fold 1 of 10",
        "resvgg19-pruned, subject-disjoint split, fold 1 of 10",
    ]


def test_a_full_run_trains_rivals_on_people_never_seen_too(tmp_path: Path) -> None:
    whole = replace(experiment(tmp_path), profile="full")
    subject = [stage for stage in whole.stages() if not stage.exports]
    assert [stage.job.network for stage in subject] == list(whole.networks)


def test_without_people_only_the_random_split_is_left(tmp_path: Path) -> None:
    data = replace(small_dataset(), subjects=None, sequences=None)
    assert folds_of(data) == 0
    assert chosen_folds(data, (0, 3)) == []
    assert "doesn't tell who is on its images" in why_no_folds(data)
    stages = experiment(tmp_path, data, folds=()).stages()
    assert all(stage.exports for stage in stages)


def test_few_people_make_few_folds() -> None:
    assert folds_of(small_dataset(people=5)) == 4
    assert folds_of(small_dataset(people=2)) == 0
    assert "2 people" in why_no_folds(small_dataset(people=2))
    assert why_no_folds(small_dataset()) == ""
    with pytest.raises(UsageError, match="fold 4 is not among 0 to 3"):
        chosen_folds(small_dataset(people=5), (4,))


def test_too_few_images_are_refused_before_training(tmp_path: Path) -> None:
    data = small_dataset(people=1, each=2)
    with pytest.raises(DataError, match="too few"):
        experiment(tmp_path, data, folds=()).stages()


def test_a_stage_is_done_where_its_files_are_those_of_its_manifest(tmp_path: Path) -> None:
    stage = experiment(tmp_path, None, "squeezenet").stages()[0]
    assert not stage.done()
    record = built(stage)
    assert stage.done()
    for change in ({"profile": "full"}, {"seed": 1}, {"split": None}):
        manifests.save(stage.job.models, record.model_copy(update=change))
        assert not stage.done(), change
    manifests.save(stage.job.models, record)
    (tmp_path / "models" / "squeezenet" / "int8.tflite").write_bytes(b"half")
    assert not stage.done()
    (tmp_path / "models" / "squeezenet" / "int8.tflite").unlink()
    assert not stage.done()
    (tmp_path / "models" / "squeezenet" / "manifest.json").write_text("{")
    assert not stage.done()


def test_a_fold_is_done_where_the_manifest_has_its_figure(tmp_path: Path) -> None:
    first, fold = experiment(tmp_path, None, "squeezenet").stages()
    record = built(first)
    assert not fold.done()
    trial = Trial(seed=0, fold=0, accuracy=0.5, n_test=9)
    check = CrossCheck(scheme="subject", folds=10, profile="quick", trials=(trial,))
    manifests.save(first.job.models, record.model_copy(update={"cross_checks": (check,)}))
    assert fold.done()
    other = check.model_copy(update={"profile": "full"})
    manifests.save(first.job.models, record.model_copy(update={"cross_checks": (other,)}))
    assert not fold.done()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    places, data = Places(tmp_path / "out"), small_dataset()
    with (
        places.opened(data, "quick"),
        pytest.raises(LockTakenError, match="another harness reproduce works there"),
        places.opened(data, "quick"),
    ):
        pass
    with places.opened(data, "quick") as begun:
        assert begun.images == len(data.labels)


def test_a_folder_of_other_data_or_another_profile_is_refused(tmp_path: Path) -> None:
    places = Places(tmp_path)
    with places.opened(small_dataset(), "quick"):
        pass
    with pytest.raises(UsageError, match="begun with other data"), places.opened(small_dataset(people=9), "quick"):
        pass
    with pytest.raises(UsageError, match="--profile quick"), places.opened(small_dataset(), "full"):
        pass


def test_networks_of_another_origin_are_left_alone(tmp_path: Path) -> None:
    manifests.save(tmp_path / "models", MANIFEST)
    with (
        pytest.raises(UsageError, match="networks that no reproduction built"),
        Places(tmp_path).opened(small_dataset(), "quick"),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["models"], "nothing was made"


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"schema": 2}', '{"schema": 1, "profile": "quick"}', "{}" + " " * (2 << 20)]
)
def test_a_state_that_is_none_is_an_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "reproduce.json").write_text(content)
    with pytest.raises(StoreError, match=r"reproduce\.json"), Places(tmp_path).opened(small_dataset(), "quick"):
        pass


def test_the_state_is_small_and_names_its_schema(tmp_path: Path) -> None:
    with Places(tmp_path).opened(small_dataset(), "quick"):
        pass
    assert json.loads((tmp_path / "reproduce.json").read_text())["schema"] == 1
    assert (tmp_path / "reproduce.json").stat().st_size < 1000
