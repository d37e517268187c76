"""What a run writes down of networks that it has whole and pruned: their nodes, so that a report can hold them together
without the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.core.errors import ModelFileError
from harness.modelfile import read
from harness.records.manifest import Artifact, Manifest, NodeMacs
from harness.report.pruned import parent
from harness.run.inventory import Shipped


def with_nodes(manifests: Mapping[str, Manifest], shipped: Iterable[Shipped]) -> dict[str, Manifest]:
    """The manifests, with the nodes of the TFLite files of each network that is there together with its pruned form.

    Args:
        shipped: the artifacts of the run.
    """
    files = {(each.manifest.name, each.artifact.sha256): each for each in shipped}
    names = {name for name, _ in files}
    pruned = {name for name in names if parent(name) != name and parent(name) in names}
    paired = pruned | {parent(name) for name in pruned}
    return {
        name: manifest
        if name not in paired
        else manifest.model_copy(
            update={"artifacts": tuple(_described(a, files.get((name, a.sha256))) for a in manifest.artifacts)}
        )
        for name, manifest in manifests.items()
    }


def _described(artifact: Artifact, shipped: Shipped | None) -> Artifact:
    if shipped is None or artifact.format != "tflite" or artifact.nodes:
        return artifact
    return artifact.model_copy(update={"nodes": _nodes(shipped)})


def _nodes(shipped: Shipped) -> tuple[NodeMacs, ...]:
    """The nodes of a file; none where it can't be read, which the runner reports."""
    if shipped.file is not None:
        return shipped.file.nodes
    try:
        return read(shipped.path).nodes
    except ModelFileError:
        return ()
