"""Tables about where artifacts come from: networks with both accuracies, files with hashes, steps of the chain."""

from __future__ import annotations

from harness.core.safetext import clean
from harness.records.manifest import Artifact, CrossCheck, Manifest
from harness.report.gather import ReportData
from harness.report.table import Table
from harness.results.columns import Value


def used(data: ReportData) -> list[Manifest]:
    """Manifests of the networks that are in the results, by name."""
    names = set(data.cells.model)
    return [manifest for name, manifest in sorted(data.manifests.items()) if name in names]


def networks_table(data: ReportData) -> Table:
    """One row a network: what it costs, what it was trained on, and its accuracy under either split."""
    columns = (
        ("network", "Network"), ("citation", "Source"), ("parameters", "Parameters"), ("macs", "MACs"),
        ("data", "Data"), ("synthetic", "Synthetic data"), ("scheme", "Split"),
        ("subject_overlap", "Test images of people also in training"),
        ("seed", "Seed"), ("profile", "Profile"),
        ("accuracy_percent", "Accuracy on that split, most precise artifact (%)"),
        ("random_percent", "Random split, cross-check (%)"),
        ("subject_percent", "Subject-disjoint split, cross-check (%)"),
        ("libraries", "Built with"),
    )  # fmt: skip
    rows = []
    for manifest in used(data):
        split = manifest.split
        best = precise(manifest)
        rows.append((
            manifest.name, clean(manifest.citation, 300), manifest.parameters, manifest.macs, clean(split.dataset, 80),
            split.synthetic, split.scheme, split.subject_overlap, manifest.seed, manifest.profile,
            best.accuracy * 100 if best else None, cross(manifest, "random"), cross(manifest, "subject"),
            ", ".join(f"{clean(k, 40)} {clean(v, 40)}" for k, v in sorted(manifest.libraries.items())),
        ))  # fmt: skip
    note = (
        "A random split puts frames of one sequence on both sides, so it flatters; subject-disjoint is the honest one."
    )
    return Table("networks", "Networks", columns, tuple(rows), note)


def precise(manifest: Manifest) -> Artifact | None:
    """The artifact least was taken from: fp32 where there is one."""
    ranks = ("fp32", "fp16", "dynamic", "int8")
    return min(manifest.artifacts, key=lambda a: (ranks.index(a.variant), a.format != "tflite"), default=None)


def cross(manifest: Manifest, scheme: str) -> str | None:
    """Mean and range of the cross-check under that scheme; None where there is none."""
    found = [check for check in manifest.cross_checks if check.scheme == scheme and check.accuracies]
    return "; ".join(_cross(check) for check in found) or None


def _cross(check: CrossCheck) -> str:
    values = [value * 100 for value in check.accuracies]
    spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
    return f"{sum(values) / len(values):.1f}{spread}, {len(values)} trainings, {clean(check.profile, 20)}"


def artifacts_table(data: ReportData) -> Table:
    """One row a file: its hash, size, how it was quantised, and whether it is what ran."""
    columns = (
        ("network", "Network"), ("file", "File"), ("sha256", "SHA-256"), ("bytes", "Bytes"),
        ("gzip_bytes", "Bytes after gzip"),
        ("input", "Input"), ("quantisation", "Quantisation"), ("accuracy_percent", "Accuracy when built (%)"),
        ("runtime", "Measured with"), ("keras_same_top1", "Same top answer as Keras"), ("keras_images", "of images"),
        ("keras_max_difference", "Largest difference of a probability"), ("ran", "Ran here"),
    )  # fmt: skip
    ran = set(data.cells.model_sha256)
    rows: list[tuple[Value, ...]] = []
    listed = set()
    for manifest in used(data):
        for a in manifest.artifacts:
            listed.add(a.sha256)
            shape = "x".join(map(str, a.input.shape))
            rows.append((manifest.name, a.filename, a.sha256, a.bytes, a.gzip_bytes, f"{a.input.dtype} {shape}",
                         clean(a.quantisation, 120), a.accuracy * 100, clean(a.accuracy_runtime, 60),
                         *_agreement(a), a.sha256 in ran))  # fmt: skip
    for _, cell in data.cells[~data.cells.model_sha256.isin(listed)].drop_duplicates("model_sha256").iterrows():
        known = (str(cell.model), str(cell.kind), clean(cell.model_sha256, 64), int(cell.model_bytes))
        rows.append((*known, None, None, "no manifest names it", *[None] * 5, True))
    return Table("artifacts", "Artifacts", columns, tuple(rows))


def _agreement(artifact: Artifact) -> tuple[Value, Value, Value]:
    """How the file's answers compare with the Keras model's it was made from."""
    found = artifact.agreement
    return (found.same_top1, found.images, found.max_difference) if found else (None, None, None)


def steps_table(data: ReportData) -> Table:
    """One row a step of each network's chain."""
    columns = (
        ("network", "Network"), ("step", "Step"), ("kind", "Kind"), ("detail", "Detail"),
        ("parameters", "Parameters"), ("macs", "MACs"), ("bytes", "Bytes"),
        ("validation_accuracy_percent", "Accuracy, validation (%)"),
        ("accuracy_percent", "Accuracy, test (%)"), ("seconds", "Seconds"),
    )  # fmt: skip
    rows = [
        (manifest.name, number, step.kind, clean(step.detail, 300), step.parameters, step.macs, step.bytes,
         _percent(step.validation_accuracy), _percent(step.accuracy), step.seconds)
        for manifest in used(data)
        for number, step in enumerate(manifest.chain, 1)
    ]  # fmt: skip
    return Table("steps", "Steps of compression", columns, tuple(rows))


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100
