"""The smallest manifest: one artifact, two test images."""

from __future__ import annotations

from harness.records.manifest import Artifact, Manifest, SplitRecord, TensorSpec

TENSOR = TensorSpec(shape=(1, 7), dtype="float32")
ARTIFACT = Artifact(
    variant="int8", format="tflite", sha256="1" * 64, bytes=1, inputs=(TENSOR,), outputs=(TENSOR,), quantisation="",
    accuracy=1, accuracy_runtime="",
)  # fmt: skip
SPLIT = SplitRecord(
    dataset="synthetic", dataset_sha256="0" * 64, synthetic=True, scheme="random", seed=0, fold=0, folds=1, n_train=1,
    n_validation=1, n_test=2, subject_overlap=0, sha256="0" * 64,
)  # fmt: skip
MANIFEST = Manifest(
    name="net", title="", citation="", classes=("a",), parameters=1, macs=1, seed=0, profile="full", split=SPLIT,
    chain=(), artifacts=(ARTIFACT,), libraries={}, created="",
)  # fmt: skip
