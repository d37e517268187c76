"""Tables about the origin of artifacts: networks with both accuracies, files with hashes, steps of the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.safetext import clean
from harness.records.manifest import VARIANTS, Agreement, Artifact, CrossCheck, Manifest, Step, TensorSpec
from harness.report.gather import ReportData
from harness.report.table import MISSING, Table, tabulate
from harness.results.columns import Column
from harness.results.quality import faces


def used(data: ReportData) -> list[Manifest]:
    """Manifests of the networks in the results, by name."""
    names = set(data.cells.model)
    return [manifest for name, manifest in sorted(data.manifests.items()) if name in names]


def looks(data: ReportData) -> list[str]:
    """The measured networks that were trained for a quick look, by name: no number of theirs is a claim."""
    return [manifest.name for manifest in used(data) if manifest.profile == "quick"]


def dataset_of(manifest: Manifest | None) -> str | None:
    """The name of the data set that judges a network; None where there is none."""
    return clean(manifest.split.dataset, 80) if manifest and manifest.split else None


def percent_of(artifact: Artifact | None) -> float | None:
    """An artifact's accuracy in percent; None where nothing judged it."""
    return artifact.accuracy * 100 if artifact and artifact.accuracy is not None else None


_NETWORK_COLUMNS: tuple[Column[Manifest], ...] = (
    Column("network", "Network", lambda manifest: manifest.name),
    Column("citation", "Source", lambda manifest: clean(manifest.citation, 300)),
    Column("parameters", "Parameters", lambda manifest: manifest.parameters),
    Column("macs", "MACs", lambda manifest: manifest.macs),
    Column("data", "Data", dataset_of),
    Column("synthetic", "Synthetic data", lambda manifest: manifest.split.synthetic if manifest.split else None),
    Column("scheme", "Split", lambda manifest: manifest.split.scheme if manifest.split else None),
    Column(
        "subject_overlap",
        "Test images of people also in training",
        lambda manifest: manifest.split.subject_overlap if manifest.split else None,
    ),
    Column("seed", "Seed", lambda manifest: manifest.seed),
    Column("profile", "Profile", lambda manifest: manifest.profile),
    Column(
        "accuracy_percent",
        "Accuracy on that split, most precise artifact (%)",
        lambda manifest: percent_of(precise(manifest)),
    ),
    Column("random_percent", "Random split, cross-check (%)", lambda manifest: cross(manifest, "random")),
    Column("subject_percent", "Subject-disjoint split, cross-check (%)", lambda manifest: cross(manifest, "subject")),
    Column(
        "libraries",
        "Built with",
        lambda manifest: ", ".join(f"{clean(k, 40)} {clean(v, 40)}" for k, v in sorted(manifest.libraries.items())),
    ),
)


#: Columns that only networks for faces have.
_OF_FACES = frozenset({"subject_overlap", "random_percent", "subject_percent"})
_UNCOUNTED: Column[Manifest] = Column(
    "macs_missing", "Why there are no MACs", lambda manifest: clean(manifest.macs_missing, 300) or None
)


def networks_table(data: ReportData) -> Table:
    """One row a network: its cost, its training data, and its accuracy under either split."""
    note = (
        "A random split puts frames of one sequence on both sides, so it flatters; subject-disjoint is the honest one."
    )
    found = used(data)
    of_faces = _of_faces(data, found)
    columns = [column for column in _NETWORK_COLUMNS if of_faces or column.name not in _OF_FACES]
    uncounted = any(manifest.macs is None or manifest.parameters is None for manifest in found)
    if any(manifest.macs_missing for manifest in found):
        columns.append(_UNCOUNTED)
    return tabulate(
        columns,
        found,
        name="networks",
        title="Networks",
        note=note if of_faces else "",
        missing=MISSING if uncounted else "",
    )


def _of_faces(data: ReportData, found: Sequence[Manifest]) -> bool:
    """Whether any of the networks, or of the cells where there are none, is for faces."""
    if not found:
        return data.cells.empty or bool(data.cells.faces.any())
    return any(manifest.split and faces(manifest.task, manifest.split.scheme) for manifest in found)


def precise(manifest: Manifest) -> Artifact | None:
    """The most precise artifact: fp32 where there is one."""
    return min(manifest.artifacts, key=precision, default=None)


def precision(artifact: Artifact) -> tuple[int, bool]:
    """A key that sorts artifacts from the most precise one on; TFLite comes before ONNX."""
    return VARIANTS.index(artifact.variant), artifact.format != "tflite"


def cross(manifest: Manifest, scheme: str) -> str | None:
    """Mean and range of the cross-check under that scheme; None where there is none."""
    found = [check for check in manifest.cross_checks if check.scheme == scheme and check.accuracies]
    return "; ".join(_cross(check) for check in found) or None


def _cross(check: CrossCheck) -> str:
    values = [value * 100 for value in check.accuracies]
    spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
    return f"{sum(values) / len(values):.1f}{spread}, {len(values)} trainings, {clean(check.profile, 20)}"


@dataclass(frozen=True)
class _File:
    """An artifact and its entry in the manifest; for a file that no manifest names, the description in its cell."""

    network: str
    name: str
    sha256: str
    bytes: int
    ran: bool
    quantisation: str
    manifest: Artifact | None = None

    @property
    def input(self) -> str | None:
        return tensors(self.manifest.inputs) if self.manifest else None

    @property
    def source(self) -> str | None:
        """The file name that its user gave it."""
        return clean(self.manifest.source, 120) if self.manifest and self.manifest.source else None

    @property
    def agreement(self) -> Agreement | None:
        """The agreement of the file's answers with those of the Keras model that it was made from."""
        return self.manifest.agreement if self.manifest else None


def tensors(specs: Sequence[TensorSpec]) -> str:
    """The types and sizes of tensors, in one line."""
    return "; ".join(f"{spec.dtype} {'x'.join(map(str, spec.shape)) or 'scalar'}" for spec in specs)


_SOURCE: Column[_File] = Column("source", "From the file", lambda file: file.source)
#: Columns of files that were made from a Keras model.
_OF_KERAS = frozenset({"keras_same_top1", "keras_images", "keras_max_difference"})

_FILE_COLUMNS: tuple[Column[_File], ...] = (
    Column("network", "Network", lambda file: file.network),
    Column("file", "File", lambda file: file.name),
    Column("sha256", "SHA-256", lambda file: file.sha256),
    Column("bytes", "Bytes", lambda file: file.bytes),
    Column("gzip_bytes", "Bytes after gzip", lambda file: file.manifest.gzip_bytes if file.manifest else None),
    Column("input", "Input", lambda file: file.input),
    Column("quantisation", "Quantisation", lambda file: file.quantisation),
    Column(
        "accuracy_percent",
        "Accuracy when built (%)",
        lambda file: percent_of(file.manifest),
    ),
    Column(
        "runtime",
        "Measured with",
        lambda file: (
            clean(file.manifest.accuracy_runtime, 60) if file.manifest and file.manifest.accuracy_runtime else None
        ),
    ),
    Column(
        "keras_same_top1", "Same top answer as Keras", lambda file: file.agreement.same_top1 if file.agreement else None
    ),
    Column("keras_images", "of images", lambda file: file.agreement.images if file.agreement else None),
    Column(
        "keras_max_difference",
        "Largest difference of a probability",
        lambda file: file.agreement.max_difference if file.agreement else None,
    ),
    Column("ran", "Ran here", lambda file: file.ran),
)


def _made_of(converted_by: object) -> str:
    """What is known of a file that no manifest names."""
    return f"made by {clean(converted_by, 100)}" if isinstance(converted_by, str) else "no manifest names it"


def artifacts_table(data: ReportData) -> Table:
    """One row a file: its hash, size, quantisation, and whether it is the file that ran."""
    ran = set(data.cells.model_sha256)
    files = [
        _File(
            network=manifest.name,
            name=artifact.filename,
            sha256=artifact.sha256,
            bytes=artifact.bytes,
            ran=artifact.sha256 in ran,
            quantisation=clean(artifact.quantisation, 120),
            manifest=artifact,
        )
        for manifest in used(data)
        for artifact in manifest.artifacts
    ]
    listed = {file.sha256 for file in files}
    files += [
        _File(
            network=str(cell.model),
            name=str(cell.kind),
            sha256=clean(cell.model_sha256, 64),
            bytes=int(cell.model_bytes),
            ran=True,
            quantisation=_made_of(cell.converted_by),
        )
        for _, cell in data.cells[~data.cells.model_sha256.isin(listed)].drop_duplicates("model_sha256").iterrows()
    ]
    keras = _of_faces(data, used(data)) or any(file.agreement for file in files)
    columns = [column for column in _FILE_COLUMNS if keras or column.name not in _OF_KERAS]
    if any(file.source for file in files):
        columns.append(_SOURCE)
    return tabulate(columns, files, name="artifacts", title="Artifacts")


@dataclass(frozen=True)
class _Numbered:
    """A step of a network's chain and its place, counted from 1."""

    network: str
    number: int
    step: Step


_STEP_COLUMNS: tuple[Column[_Numbered], ...] = (
    Column("network", "Network", lambda row: row.network),
    Column("step", "Step", lambda row: row.number),
    Column("kind", "Kind", lambda row: row.step.kind),
    Column("detail", "Detail", lambda row: clean(row.step.detail, 300)),
    Column("parameters", "Parameters", lambda row: row.step.parameters),
    Column("macs", "MACs", lambda row: row.step.macs),
    Column("bytes", "Bytes", lambda row: row.step.bytes),
    Column(
        "validation_accuracy_percent",
        "Accuracy, validation (%)",
        lambda row: _percent(row.step.validation_accuracy),
    ),
    Column("accuracy_percent", "Accuracy, test (%)", lambda row: _percent(row.step.accuracy)),
    Column("seconds", "Seconds", lambda row: row.step.seconds),
)


def steps_table(data: ReportData) -> Table:
    """One row a step of each network's chain."""
    rows = (
        _Numbered(manifest.name, number, step)
        for manifest in used(data)
        for number, step in enumerate(manifest.chain, 1)
    )
    return tabulate(_STEP_COLUMNS, rows, name="steps", title="Steps of compression")


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100
