"""Trains a Keras model, keeps the best epoch by validation, and goes on after a kill as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from harness.core.files import sha256_bytes, write_atomic
from harness.data.dataset import Dataset, Split
from harness.training.networks.macs import count_macs
from harness.training.train import stored
from harness.training.train.augment import augment
from harness.training.train.recipe import LARGE_MACS, Recipe

Targets = npt.NDArray[np.float32]
#: seconds of training that a kill may cost
CHECKPOINT_S = 60.0
#: gives the images (N, 48, 48, 1) float32 and targets (N, classes) float32 of one epoch
Epoch = Callable[[int], tuple[npt.NDArray[np.float32], Targets]]


@dataclass(frozen=True)
class Outcome:
    """What training led to: the best epoch (from 0), its validation score, all epochs' scores, and the time."""

    best_epoch: int
    validation_accuracy: float
    history: tuple[dict[str, float], ...]
    seconds: float


def one_hot(labels: npt.NDArray[np.int64], classes: int) -> Targets:
    """Targets of known labels, shape (N, classes)."""
    return np.eye(classes, dtype=np.float32)[labels]


def as_input(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """uint8 (N, 48, 48) as networks take it: float32 (N, 48, 48, 1), 0..255."""
    return images.astype(np.float32)[..., None]


def class_weights(labels: npt.NDArray[np.int64], classes: int, balance: float) -> npt.NDArray[np.float32]:
    """Weight per class: inverse frequency to the power ``balance``, with a mean of 1 over the images."""
    counts = np.bincount(labels, minlength=classes)
    weights = np.where(counts > 0, np.maximum(counts, 1).astype(np.float64) ** -balance, 0.0)
    return np.asarray(weights / weights[labels].mean(), dtype=np.float32)


def augmented(dataset: Dataset, index: npt.NDArray[np.int64], seed: int) -> Epoch:
    """Training images of a split with true labels, varied anew in each epoch; an epoch depends on its number alone."""

    def epoch(number: int) -> tuple[npt.NDArray[np.float32], Targets]:
        rng = np.random.default_rng([seed, number, 1])
        return augment(dataset.images[index], rng), one_hot(dataset.labels[index], len(dataset.classes))

    return epoch


def train(
    model: Any,
    dataset: Dataset,
    split: Split,
    recipe: Recipe,
    *,
    seed: int,
    folder: Path,
    progress: Callable[[str], None],
    epochs: Epoch | None = None,
    surest: bool = False,
) -> Outcome:
    """Train in place; the model ends with the weights of its best validation epoch.

    The state is stored under ``folder`` once a minute, after an epoch; the same call after a kill continues there and
    ends with the same weights. The test part of the split is not looked at.

    Args:
        model: built, not compiled.
        epochs: where each epoch's images and targets come from; by default augmented images with true labels.
        surest: the best epoch is the one with the lowest validation loss, not the highest accuracy: over the many
            epochs of a distillation some epoch gets a few images right by luck.
        progress: gets one line per epoch.
    """
    source = epochs or augmented(dataset, split.train, seed)
    weights = class_weights(dataset.labels[split.train], len(dataset.classes), recipe.balance)
    per_image = weights[dataset.labels[split.train]]
    steps = -(-len(per_image) // recipe.batch)
    _compile(model, recipe, steps)
    state = _State(folder, model, recipe, seed, split.sha256, surest)
    state.load(progress)
    checked = as_input(dataset.images[split.validation])
    truth = dataset.labels[split.validation]
    started = time.monotonic()
    for number in range(state.next_epoch, recipe.epochs):
        if number - state.best_epoch > recipe.patience:
            break
        images, targets = source(number)
        _reseed(model, seed, number)
        order = np.random.default_rng([seed, number, 2]).permutation(len(images))
        fitted = model.fit(
            images[order],
            targets[order],
            sample_weight=per_image[order],
            batch_size=recipe.batch,
            shuffle=False,
            verbose=0,
        )
        accuracy, loss = score(model, checked, truth)
        state.add(number, accuracy, loss, float(fitted.history["loss"][-1]), started)
        progress(
            f"{model.name} epoch {number + 1}/{recipe.epochs} loss {state.history[-1]['train_loss']:.3f} "
            f"validation {accuracy:.4f} best {state.best:.4f} {state.seconds:.0f} s"
        )
    state.store()
    state.restore_best()
    return Outcome(state.best_epoch, state.best, tuple(state.history), state.seconds)


def score(model: Any, images: npt.NDArray[np.float32], truth: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Accuracy and mean cross-entropy (nats) on images (N, 48, 48, 1)."""
    p = np.asarray(model.predict(images, batch_size=64, verbose=0), dtype=np.float64)
    likely = p[np.arange(len(truth)), truth]
    return float((p.argmax(1) == truth).mean()), float(-np.log(np.maximum(likely, 1e-12)).mean())


def _compile(model: Any, recipe: Recipe, steps: int) -> None:
    total = max(1, steps * recipe.epochs)
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.rate * 0.02,
        decay_steps=max(1, round(total * (1 - recipe.warmup))),
        warmup_target=recipe.rate,
        warmup_steps=max(1, round(total * recipe.warmup)),
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.decay, global_clipnorm=5.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    # measured on 2 cores: XLA makes resvgg19 a third faster, and MobileNets (depthwise) four times slower
    jit = count_macs(model) > LARGE_MACS
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(label_smoothing=recipe.smoothing), jit_compile=jit)


def _reseed(model: Any, seed: int, epoch: int) -> None:
    """Dropout's random state as a function of the epoch, so that a resumed run draws what the whole run would."""
    for layer in model.layers:
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign(np.array([(seed * 100_003 + epoch) % (1 << 32), 0], dtype="uint32"))


class _Kept(BaseModel):
    """``state.json``: where a training is, and its newest complete checkpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")

    key: str
    checkpoint: Literal["checkpoint-0.npz", "checkpoint-1.npz"]
    history: list[dict[str, float]]
    best_epoch: int
    best: float
    best_loss: float
    seconds: float


def _read_kept(path: Path) -> _Kept:
    return _Kept.model_validate_json(path.read_bytes())


class _State:
    """Progress of one training, on disk after each epoch: state.json names the newest complete checkpoint."""

    def __init__(self, folder: Path, model: Any, recipe: Recipe, seed: int, split: str, surest: bool) -> None:
        self.folder, self.model, self.surest = folder, model, surest
        shapes = [tuple(w.shape) for w in model.weights]
        self.key = sha256_bytes(repr((asdict(recipe), seed, split, shapes)).encode())
        self.history: list[dict[str, float]] = []
        self.next_epoch, self.best_epoch = 0, 0
        self.best, self.best_loss, self.seconds = -1.0, float("inf"), 0.0
        self._earlier = 0.0
        self._newest = ""
        self._best: list[Any] | None = None
        self._best_stored = False
        self._epochs_stored = 0
        self._stored = time.monotonic()

    def load(self, say: Callable[[str], None]) -> None:
        """Go on where an earlier call was; where its state is damaged, start over and ``say`` so."""
        kept = stored.found(self.folder / "state.json", _read_kept, say)
        if kept is None or kept.key != self.key:  # another recipe, seed or split: start over
            return
        self.model.optimizer.build(self.model.trainable_variables)
        arrays = stored.found(self.folder / kept.checkpoint, self._read_arrays, say)
        best = stored.found(self.folder / "best.weights.h5", self._read_best, say)
        if arrays is None or best is None:
            say(f"{self.model.name}: what was trained before can't be gone on with; training from its first epoch")
            return
        for variable, array in zip(self._variables(), arrays, strict=True):
            variable.assign(array)
        self.history = kept.history
        self.next_epoch, self.best_epoch = len(self.history), kept.best_epoch
        self.best, self.best_loss = kept.best, kept.best_loss
        self.seconds = self._earlier = kept.seconds
        self._newest, self._epochs_stored = kept.checkpoint, len(self.history)

    def _read_arrays(self, path: Path) -> list[npt.NDArray[Any]]:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = [arrays[f"v{k}"] for k in range(len(self._variables()))]
        for array, variable in zip(found, self._variables(), strict=True):
            if array.shape != tuple(variable.shape):
                raise ValueError(f"an array of shape {array.shape} where {tuple(variable.shape)} belongs")
        return found

    def _read_best(self, path: Path) -> list[Any]:
        """The weights in a file. The model stays as it is, and its optimizer, whose state Keras reads there, too."""
        own = [np.array(variable) for variable in self._variables()]
        try:
            self.model.load_weights(path)
            return list(self.model.get_weights())
        finally:
            for variable, array in zip(self._variables(), own, strict=True):
                variable.assign(array)

    def add(self, epoch: int, accuracy: float, loss: float, train_loss: float, started: float) -> None:
        self.history.append({"accuracy": accuracy, "loss": loss, "train_loss": train_loss})
        self.seconds = self._earlier + time.monotonic() - started
        # on 89 images several epochs tie: then the surer one is the better one
        better = loss < self.best_loss if self.surest else (accuracy, -loss) > (self.best, -self.best_loss)
        if better:
            self.best, self.best_loss, self.best_epoch = accuracy, loss, epoch
            self._best, self._best_stored = self.model.get_weights(), False
        # a large network's state is hundreds of megabytes: written each epoch, it took longer than the epoch
        if time.monotonic() - self._stored >= CHECKPOINT_S:
            self.store()

    def restore_best(self) -> None:
        """Give the model the weights of its best epoch."""
        if self._best is None:
            self.model.load_weights(self.folder / "best.weights.h5")
        else:
            self.model.set_weights(self._best)

    def _variables(self) -> list[Any]:
        return [*self.model.weights, *self.model.optimizer.variables]

    def store(self) -> None:
        """Write the state. The best weights go first: cut off after them, the epochs since are trained again, to the
        same end."""
        if self._epochs_stored == len(self.history):
            return
        if self._best is not None and not self._best_stored:
            current = self.model.get_weights()
            self.model.set_weights(self._best)
            stored.keep(self.folder / "best.weights.h5", self.model.save_weights)
            self.model.set_weights(current)
            self._best_stored = True
        # two checkpoints take turns, so that a kill while one is written leaves the other whole
        name: Literal["checkpoint-0.npz", "checkpoint-1.npz"]
        name = "checkpoint-1.npz" if self._newest == "checkpoint-0.npz" else "checkpoint-0.npz"
        arrays: dict[str, Any] = {f"v{k}": np.asarray(v) for k, v in enumerate(self._variables())}
        stored.keep(self.folder / name, lambda path: np.savez(path, **arrays))
        kept = _Kept(
            key=self.key,
            checkpoint=name,
            history=self.history,
            best_epoch=self.best_epoch,
            best=self.best,
            best_loss=self.best_loss,
            seconds=self.seconds,
        )
        write_atomic(self.folder / "state.json", kept.model_dump_json())
        self._newest, self._stored, self._epochs_stored = name, time.monotonic(), len(self.history)
