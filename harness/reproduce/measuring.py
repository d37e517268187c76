"""What a reproduction has measured of the files that it built, and the run that can be gone on with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.core.errors import ArtifactError, StoreError
from harness.records import manifest as manifests
from harness.records.manifest import Manifest
from harness.reproduce.places import Places
from harness.results import store


def run_to_resume(places: Places, names: Sequence[str]) -> str | None:
    """The newest run of the folder, if it is of just these networks and of the files that are there now; None where a
    new one is needed.
    """
    runs = store.list_runs(places.results)
    if not runs:
        return None
    try:
        asked = store.read_run(runs[-1]).options.get("models")
        now = {name: _files(manifests.load(places.models, name)) for name in names}
    except (StoreError, ArtifactError):
        return None
    measured = {name: _files(record) for name, record in store.read_manifests(runs[-1]).items()}
    same = isinstance(asked, list) and set(map(str, asked)) == set(names)
    return runs[-1].name if same and all(measured.get(name) == now[name] for name in names) else None


def cells_measured(places: Places, names: Sequence[str]) -> int:
    """The number of VALID cells of :func:`run_to_resume`."""
    run = run_to_resume(places, names)
    cells = store.readable_cells(places.results / run) if run else ()
    return sum(cell.status == "VALID" for cell in cells)


def _files(record: Manifest) -> Mapping[str, str]:
    return {artifact.filename: artifact.sha256 for artifact in record.artifacts}
