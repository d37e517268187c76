"""Trains a Keras model, keeps the best epoch by validation, and resumes exactly after being killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from harness.core.files import sha256_bytes
from harness.data.dataset import Dataset, Split
from harness.training.arrays import Index, Model, Pixels
from harness.training.networks.macs import count_macs
from harness.training.train import stored
from harness.training.train.checkpoint import Checkpoint
from harness.training.train.epochs import Epoch, InStep, TrainingSet, ahead, as_input, augmented
from harness.training.train.recipe import Recipe
from harness.training.train.steps import TaughtStudent, answers, jit_for, whole_batches


@dataclass(frozen=True, kw_only=True)
class Training:
    """The inputs of one training.

    Attributes:
        dataset: where images and labels are.
        split: its training part is learnt, its validation part chooses the best epoch; its test part isn't used.
        recipe: the training's parameters.
        seed: of variations, order and dropout.
        folder: for its state.
        progress: receives one line per epoch.
        epochs: source of each epoch's images and targets; None means augmented images with true labels.
        best_by_loss: the best epoch is the one with the lowest validation loss, not the highest accuracy: over the many
            epochs of a distillation, some epoch gets a few more images right by chance.
    """

    dataset: Dataset
    split: Split
    recipe: Recipe
    seed: int
    folder: Path
    progress: Callable[[str], None]
    epochs: Epoch | InStep | None = None
    best_by_loss: bool = False

    def source(self) -> Epoch | InStep:
        """Images and targets of each epoch."""
        return self.epochs or augmented(TrainingSet(self.dataset, self.split, self.seed))

    def image_weights(self) -> npt.NDArray[np.float32]:
        """Weight of each training image in the loss, by its class."""
        labels = self.dataset.labels[self.split.train]
        return class_weights(labels, len(self.dataset.classes), self.recipe.balance)[labels]

    def key(self, model: Model) -> str:
        """Distinguishes states of this training from those of another recipe, seed, split or network."""
        shapes = [tuple(w.shape) for w in model.weights]
        return sha256_bytes(repr((asdict(self.recipe), self.seed, self.split.sha256, shapes)).encode())


@dataclass(frozen=True)
class Outcome:
    """The outcome of a training: the best epoch (from 0), its validation score, all epochs' scores, and the time."""

    best_epoch: int
    validation_accuracy: float
    history: tuple[dict[str, float], ...]
    seconds: float


def class_weights(labels: Index, classes: int, balance: float) -> npt.NDArray[np.float32]:
    """Weight per class: inverse frequency to the power ``balance``, with a mean of 1 over the images."""
    counts = np.bincount(labels, minlength=classes)
    weights = np.where(counts > 0, np.maximum(counts, 1).astype(np.float64) ** -balance, 0.0)
    return np.asarray(weights / weights[labels].mean(), dtype=np.float32)


def train(model: Model, training: Training) -> Outcome:
    """Train in place; the model ends with the weights of its best validation epoch.

    The state is stored once a minute, after an epoch. After the process was killed, the same call continues there and
    ends with the same weights.

    Args:
        model: built, not compiled.

    Raises:
        BuildError: the state can't be written.
    """
    with stored.reserved(training.folder, training.progress):
        return _train(model, training)


def _train(model: Model, training: Training) -> Outcome:
    recipe, split, dataset = training.recipe, training.split, training.dataset
    source, weights = training.source(), training.image_weights()
    learner, material = _learner(model, source)
    _compile(learner, model, recipe, -(-len(split.train) // recipe.batch))
    state = Checkpoint(training.folder, model, training.key(model), best_by_loss=training.best_by_loss)
    state.load(training.progress)
    validation, truth = as_input(dataset.images[split.validation]), dataset.labels[split.validation]
    for number, images, targets in ahead(material, range(state.next_epoch, recipe.epochs)):
        if number - state.best_epoch > recipe.patience:
            break
        _reseed(model, training.seed, number)
        order = np.random.default_rng([training.seed, number, 2]).permutation(len(images))
        order = order[: whole_batches(len(images), recipe.batch)]
        fitted = learner.fit(
            images[order],
            targets[order],
            sample_weight=weights[order],
            batch_size=recipe.batch,
            shuffle=False,
            verbose=0,
        )
        accuracy, loss = score(model, validation, truth)
        state.add(accuracy, loss, train_loss=float(fitted.history["loss"][-1]))
        training.progress(_line(model, recipe, state))
    state.store()
    state.restore_best()
    return Outcome(state.best_epoch, state.best, tuple(state.history), state.seconds)


def _line(model: Model, recipe: Recipe, state: Checkpoint) -> str:
    """A line for people about the epoch that was just trained."""
    newest = state.history[-1]
    return (
        f"{model.name} epoch {len(state.history)}/{recipe.epochs} loss {newest['train_loss']:.3f} "
        f"validation {newest['accuracy']:.4f} best {state.best:.4f} {state.seconds:.0f} s"
    )


def score(model: Model, images: Pixels, truth: Index) -> tuple[float, float]:
    """Accuracy and mean cross-entropy (nats) on images (N, h, w, c)."""
    p = answers(model, images).astype(np.float64)
    likely = p[np.arange(len(truth)), truth]
    return float((p.argmax(1) == truth).mean()), float(-np.log(np.maximum(likely, 1e-12)).mean())


def _learner(model: Model, source: Epoch | InStep) -> tuple[Model, Epoch]:
    """The model that is fitted so that this one learns, and the source of its epochs."""
    if isinstance(source, InStep):
        return TaughtStudent(model, source.teacher, source.trust), source.unanswered
    return model, source


def _compile(learner: Model, model: Model, recipe: Recipe, steps: int) -> None:
    optimizer, jit = optimizer_for(recipe, steps), jit_for(count_macs(model))
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.smoothing)
    model.compile(optimizer, loss, jit_compile=jit)
    if isinstance(learner, TaughtStudent):
        learner.compile(optimizer, learner.taught(loss), jit_compile=jit)


def optimizer_for(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """A recipe's optimizer, for epochs of so many steps."""
    total = max(1, steps * recipe.epochs)
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.rate * 0.02,
        decay_steps=max(1, round(total * (1 - recipe.warmup))),
        warmup_target=recipe.rate,
        warmup_steps=max(1, round(total * recipe.warmup)),
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.decay, global_clipnorm=5.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _reseed(model: Model, seed: int, epoch: int) -> None:
    """Set dropout's random state from the epoch, so that a resumed run draws the same numbers as a whole one."""
    for layer in model.layers:
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign(np.array([(seed * 100_003 + epoch) % (1 << 32), 0], dtype="uint32"))
