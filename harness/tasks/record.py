"""The description of a split in the form that manifests store."""

from __future__ import annotations

from harness.data.dataset import Split
from harness.records.manifest import SplitRecord


def split_record(split: Split, *, dataset: str, sha256: str, synthetic: bool) -> SplitRecord:
    """Describe a split.

    Args:
        dataset, sha256, synthetic: name, hash and kind of the data that are divided.
    """
    return SplitRecord(
        dataset=dataset,
        dataset_sha256=sha256,
        synthetic=synthetic,
        scheme=split.scheme,
        seed=split.seed,
        fold=split.fold,
        folds=split.folds,
        n_train=len(split.train),
        n_validation=len(split.validation),
        n_test=len(split.test),
        subject_overlap=split.subject_overlap,
        sha256=split.sha256,
    )
