"""Does what docs/adding-a-data-set.md says, in a copy of the harness: one file and one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.harness_copy import add_line, copied, python

pytestmark = pytest.mark.slow

FILE = '''
"""Stripes: wide ones and narrow ones, drawn by ten people."""

from __future__ import annotations

import numpy as np

from harness.data.dataset import Dataset
from harness.data.findings import DataFindings
from harness.data.size import SIDE
from harness.data.spec import DataSpec

CLASSES = ("wide", "narrow")


def open(spec: DataSpec) -> tuple[Dataset, DataFindings]:
    count = 60
    labels = np.arange(count, dtype=np.int64) % 2
    phases = np.arange(count)[:, None, None] + np.arange(SIDE)[None, :, None]
    stripes = (phases // np.where(labels, 2, 8)[:, None, None] % 2 * 255).astype(np.uint8)
    dataset = Dataset(
        name="stripes",
        synthetic=True,
        images=np.repeat(stripes, SIDE, axis=2),
        labels=labels,
        subjects=tuple(f"P{number % 10}" for number in range(count)),
        sequences=None,
        classes=CLASSES,
    )
    return dataset, DataFindings(path=str(spec), form="stripes", counts=dict.fromkeys(CLASSES, count // 2), found=count)
'''

#: The test images of its split as a run prepares them, told as JSON.
PREPARE = """
import json

import numpy as np

from harness.data import registry, splits
from harness.records.manifest import SplitRecord
from harness.run.images import prepare

spec = registry.choose("stripes")
dataset = registry.load(spec)
split = splits.split(dataset)
record = SplitRecord(
    dataset=dataset.name, dataset_sha256=dataset.sha256, synthetic=dataset.synthetic, scheme=split.scheme,
    seed=split.seed, fold=split.fold, folds=split.folds, n_train=len(split.train), n_validation=len(split.validation),
    n_test=len(split.test), subject_overlap=split.subject_overlap, sha256=split.sha256,
)
test = prepare(record, data=spec)
print(json.dumps({"shape": np.load(test.file).shape, "classes": test.info.classes, "dataset": test.info.dataset}))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the harness with the data set that the guide adds."""
    copy = copied(tmp_path / "copy")
    (copy / "harness/data/stripes.py").write_text(FILE.lstrip(), encoding="utf-8")
    add_line(
        copy / "harness/data/registry.py",
        after='        DataSource("synthetic", "drawn faces", "synthetic.generator", needs_path=False),',
        line='        DataSource("stripes", "stripes", "stripes", needs_path=False),',
    )
    return copy


def test_it_is_checked_and_prepared_for_a_run(copy: Path, cache: Path) -> None:
    checked = python(copy, "harness", "data", "check", "stripes", "--json")
    assert checked.returncode == 0, checked.stderr
    told = json.loads(checked.stdout)
    assert (told["form"], told["images"], told["usable"]) == ("stripes", 60, True)
    (copy / "prepare_stripes.py").write_text(PREPARE.lstrip(), encoding="utf-8")
    prepared = python(copy, "prepare_stripes")
    assert prepared.returncode == 0, prepared.stderr
    assert json.loads(prepared.stdout) == {
        "shape": [6, 48, 48, 1], "classes": ["wide", "narrow"], "dataset": "stripes",
    }  # fmt: skip


def test_it_passes_the_contract(copy: Path) -> None:
    """The same tests as for all others, which are not told of it."""
    done = python(copy, "pytest", "-q", "tests/contract/test_datasets.py", "-k", "stripes")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
