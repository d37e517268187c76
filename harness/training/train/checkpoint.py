"""The state of a training on disk: its weights, the optimizer's state and the scores so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from harness.core.files import write_atomic
from harness.training.arrays import Model, Variable, Weights
from harness.training.train import stored

#: seconds of training that may be lost when the process is killed
CHECKPOINT_S = 60.0
Name = Literal["checkpoint-0.npz", "checkpoint-1.npz"]
_STATE = "state.json"


class _StateFile(BaseModel):
    """``state.json``: the state of a training, and its newest complete checkpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")

    key: str
    checkpoint: Name
    history: list[dict[str, float]]
    best_epoch: int
    best: float
    best_loss: float
    seconds: float


def _read_state(path: Path) -> _StateFile:
    return _StateFile.model_validate_json(path.read_bytes())


def trained_epochs(folder: Path) -> int:
    """Epochs of the training whose state is stored in a folder; 0 where there is none, or it is damaged."""
    state = stored.found(folder / _STATE, _read_state, lambda _line: None)
    return len(state.history) if state else 0


class Checkpoint:
    """The progress of one training; state.json names the newest complete checkpoint.

    Args:
        folder: for the files.
        model: compiled.
        key: identifies the inputs of the training; files with another key are ignored.
        best_by_loss: the best epoch is the one with the lowest validation loss, not the highest accuracy.
    """

    def __init__(self, folder: Path, model: Model, key: str, *, best_by_loss: bool) -> None:
        self.folder, self.model, self.key = folder, model, key
        self.history: list[dict[str, float]] = []
        self.next_epoch, self.best_epoch = 0, 0
        self.best, self.best_loss, self.seconds = -1.0, float("inf"), 0.0
        self._best_by_loss = best_by_loss
        self._earlier = 0.0
        self._started = time.monotonic()
        self._newest = ""
        self._best: list[Weights] | None = None
        self._best_stored = False
        self._epochs_stored = 0
        self._stored = time.monotonic()

    def load(self, say: Callable[[str], None]) -> None:
        """Continue from the stored state; if it is damaged, start over and report that to ``say``."""
        self._load(say)
        self._started = time.monotonic()

    def _load(self, say: Callable[[str], None]) -> None:
        state = stored.found(self.folder / _STATE, _read_state, say)
        if state is None or state.key != self.key:  # another recipe, seed or split, so start over
            return
        self.model.optimizer.build(self.model.trainable_variables)
        arrays = stored.found(self.folder / state.checkpoint, self._read_arrays, say)
        best = stored.found(self.folder / "best.weights.h5", self._read_best, say)
        if arrays is None or best is None:
            say(f"{self.model.name}: what was trained before can't be gone on with; training from its first epoch")
            return
        for variable, array in zip(self._variables(), arrays, strict=True):
            variable.assign(array)
        self.history = state.history
        self.next_epoch, self.best_epoch = len(self.history), state.best_epoch
        self.best, self.best_loss = state.best, state.best_loss
        self.seconds = self._earlier = state.seconds
        self._newest, self._epochs_stored = state.checkpoint, len(self.history)

    def _read_arrays(self, path: Path) -> list[Weights]:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            values = [arrays[f"v{k}"] for k in range(len(self._variables()))]
        for array, variable in zip(values, self._variables(), strict=True):
            if array.shape != tuple(variable.shape):
                raise ValueError(f"an array of shape {array.shape} where {tuple(variable.shape)} belongs")
        return values

    def _read_best(self, path: Path) -> list[Weights]:
        """The weights in a file. The model and its optimizer, which Keras overwrites with the file's, are restored."""
        current = [np.array(variable) for variable in self._variables()]
        try:
            self.model.load_weights(path)
            return list(self.model.get_weights())
        finally:
            for variable, array in zip(self._variables(), current, strict=True):
                variable.assign(array)

    def add(self, accuracy: float, loss: float, train_loss: float) -> None:
        """Record the scores of the epoch that was just trained, and store the state when it is due.

        Args:
            accuracy: on validation images, a share.
            loss: mean cross-entropy on validation images, nats.
            train_loss: mean loss on the training images, nats.
        """
        epoch = len(self.history)
        self.history.append({"accuracy": accuracy, "loss": loss, "train_loss": train_loss})
        self.seconds = self._earlier + time.monotonic() - self._started
        # on 89 images several epochs tie; then the one with the lower loss is better
        better = (accuracy, -loss) > (self.best, -self.best_loss)
        if loss < self.best_loss if self._best_by_loss else better:
            self.best, self.best_loss, self.best_epoch = accuracy, loss, epoch
            self._best, self._best_stored = self.model.get_weights(), False
        # a large network's state has hundreds of megabytes: writing it each epoch took longer than the epoch
        if time.monotonic() - self._stored >= CHECKPOINT_S:
            self.store()

    def restore_best(self) -> None:
        """Give the model the weights of its best epoch."""
        if self._best is None:
            self.model.load_weights(self.folder / "best.weights.h5")
        else:
            self.model.set_weights(self._best)

    def _variables(self) -> list[Variable]:
        return [*self.model.weights, *self.model.optimizer.variables]

    def store(self) -> None:
        """Write the state. The best weights are written first: if the process is killed after that, the epochs since
        are trained again, with the same result.
        """
        if self._epochs_stored == len(self.history):
            return
        if self._best is not None and not self._best_stored:
            current = self.model.get_weights()
            self.model.set_weights(self._best)
            stored.keep(self.folder / "best.weights.h5", self.model.save_weights)
            self.model.set_weights(current)
            self._best_stored = True
        # two checkpoints alternate, so that one stays complete if the process is killed while the other is written
        name: Name = "checkpoint-1.npz" if self._newest == "checkpoint-0.npz" else "checkpoint-0.npz"
        arrays: dict[str, Any] = {f"v{k}": np.asarray(v) for k, v in enumerate(self._variables())}
        stored.keep(self.folder / name, lambda path: np.savez(path, **arrays))
        state = _StateFile(
            key=self.key,
            checkpoint=name,
            history=self.history,
            best_epoch=self.best_epoch,
            best=self.best,
            best_loss=self.best_loss,
            seconds=self.seconds,
        )
        write_atomic(self.folder / _STATE, state.model_dump_json())
        self._newest, self._stored, self._epochs_stored = name, time.monotonic(), len(self.history)
