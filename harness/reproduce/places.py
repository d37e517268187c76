"""The folder of a reproduction: what lies where, that one process at a time works there, and what it was begun with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness import __version__
from harness.core.errors import LockTakenError, StoreError, UsageError
from harness.core.files import write_atomic
from harness.core.locks import Lock, take_lock
from harness.data.dataset import Dataset
from harness.records.base import Record, Text
from harness.records.golden import HEX64
from harness.records.manifest import names
from harness.results import jsonfile
from harness.training.pace import Pace

Profile = Literal["quick", "full"]
MAX_STATE_BYTES = 1 << 20
#: The one device that is measured. Whoever has boards measures the same models on them with ``harness run``.
DEVICES = "# What harness reproduce measures on.\ndevices:\n  - {name: here, board: generic, local: true}\n"


class Begun(Record):
    """``reproduce.json``: what a reproduction was begun with, and the machine's speed.

    Attributes:
        dataset, dataset_sha256, images: the data set.
        profile: ``quick`` or ``full``.
        harness: the version that began it.
        machine: whose ``pace`` it is; None where none was measured yet.
    """

    schema_version: Literal[1] = Field(default=1, alias="schema")
    dataset: Text
    dataset_sha256: str = Field(pattern=HEX64)
    images: int = Field(gt=0)
    profile: Profile
    harness: Text
    machine: Text = ""
    pace: Pace | None = None


@dataclass(frozen=True)
class Places:
    """The folder of a reproduction."""

    root: Path

    @property
    def models(self) -> Path:
        """Artifacts and manifests."""
        return self.root / "models"

    @property
    def results(self) -> Path:
        """Runs."""
        return self.root / "results"

    @property
    def reports(self) -> Path:
        """The report and the claims page."""
        return self.root / "reports"

    @property
    def training(self) -> Path:
        """Training states, which are of no use once all is done."""
        return self.root / "training"

    @property
    def devices(self) -> Path:
        """The device list."""
        return self.root / "devices.yaml"

    @property
    def state(self) -> Path:
        """What it was begun with."""
        return self.root / "reproduce.json"

    @contextlib.contextmanager
    def opened(self, dataset: Dataset, profile: Profile) -> Iterator[Begun]:
        """Reserve the folder for this process, and begin or continue; yields the state as stored.

        Raises:
            LockTakenError: another process works there.
            UsageError: it was begun with other data or another profile, or the folder holds networks of another origin.
            StoreError: it can't be written, or its state can't be read.
        """
        self.check(dataset, profile)
        lock = self._lock()
        try:
            begun = self.check(dataset, profile) or self._begin(dataset, profile)
            if not self.devices.exists():
                write_atomic(self.devices, DEVICES)
            yield begun
        finally:
            lock.close()

    def _lock(self) -> Lock:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            return take_lock(self.root / ".lock")
        except LockTakenError as error:
            raise LockTakenError(
                f"{self.root}: another harness reproduce works there", fix="wait for it, end it, or name another --out"
            ) from error
        except OSError as error:
            raise StoreError(f"{self.root}: can't be made: {error.strerror or error}") from error

    def _begin(self, dataset: Dataset, profile: Profile) -> Begun:
        begun = Begun(
            dataset=dataset.name,
            dataset_sha256=dataset.sha256,
            images=len(dataset.labels),
            profile=profile,
            harness=__version__,
        )
        self.keep(begun)
        return begun

    def keep(self, begun: Begun) -> None:
        """Store the state."""
        write_atomic(self.state, jsonfile.dump(begun))

    def check(self, dataset: Dataset, profile: str) -> Begun | None:
        """The state as stored, which must be of these data and this profile; None where nothing was begun.

        Raises:
            UsageError, StoreError: as :meth:`opened`.
        """
        if not self.state.exists():
            if others := names(self.models):
                raise UsageError(
                    f"--out {self.root}: {self.models} holds networks that no reproduction built, such as {others[0]}",
                    fix="name another folder",
                )
            return None
        content = jsonfile.migrated(self.state, jsonfile.read(self.state, MAX_STATE_BYTES), {})
        begun = jsonfile.validated(Begun, self.state, content)
        if begun.dataset_sha256 != dataset.sha256:
            raise UsageError(
                f"--out {self.root}: was begun with other data ({begun.dataset}, {begun.images} images; "
                f"now {dataset.name}, {len(dataset.labels)} images)",
                fix="name another folder, or the data it was begun with",
            )
        if begun.profile != profile:
            raise UsageError(
                f"--out {self.root}: was begun with --profile {begun.profile}",
                fix=f"--profile {begun.profile}, or name another folder",
            )
        return begun
