"""Training steps on any backend of Keras (TensorFlow, JAX or PyTorch, by ``KERAS_BACKEND``).

Nothing here calls a backend: a step that Keras has no name for is a model with another output, loss or optimizer.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np

from harness.training.arrays import Layer, Model, Pixels, Probabilities, Tensor, Variable, Weights
from harness.training.networks.macs import count_macs
from harness.training.train.recipe import LARGE_MACS


def copy_of(model: Model) -> Model:
    """A separate functional model with the same weights."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def jit_for(macs: int) -> bool | str:
    """Keras's ``jit_compile`` for a network of ``macs`` multiply-accumulates per image."""
    if keras.backend.backend() != "tensorflow":
        return "auto"  # otherwise JAX would run one operation after the other
    # measured on 2 cores: XLA makes resvgg19 a third faster, and MobileNets (depthwise) four times slower
    return macs > LARGE_MACS


def answers(model: Model, images: Pixels, *, batch: int = 64) -> Probabilities:
    """A model's answers, float32 (N, classes), to images (N, 48, 48, 1).

    JAX and PyTorch compile a model anew for each shape, so the last batch is filled up for them.
    """
    missing = 0 if keras.backend.backend() == "tensorflow" else -len(images) % batch
    filled = np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)]) if missing else images
    return np.asarray(model.predict(filled, batch_size=batch, verbose=0), dtype=np.float32)[: len(images)]


def whole_batches(count: int, batch: int) -> int:
    """How many of ``count`` images an epoch uses: JAX and PyTorch leave the last incomplete batch out, since they
    would compile a second step for it. The order is drawn anew in each epoch, so all images take part."""
    return count if keras.backend.backend() == "tensorflow" or count < batch else count - count % batch


class TaughtStudent(keras.Model):  # type: ignore[misc]
    """A student and a teacher that answers the same images in the same step; only the student learns.

    Its output is the student's probabilities followed by the teacher's, (N, 2 * classes). The student shares its
    variables with this model; the teacher is a copy, since it must not be trained.

    Args:
        student: the model that is trained.
        teacher: the model that answers.
        trust: share of the target that is the teacher's answer; the rest is the true label.
    """

    def __init__(self, student: Model, teacher: Model, trust: float) -> None:
        super().__init__(name=student.name)
        self.student, self.teacher, self.trust = student, copy_of(teacher), trust
        self.teacher.trainable = False

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Both answers."""
        answers = keras.ops.stop_gradient(self.teacher(images, training=False))
        return keras.ops.concatenate([self.student(images, training=training), answers], axis=-1)

    def taught(self, loss: keras.losses.Loss) -> keras.losses.Loss:
        """Turn a loss of the student's probabilities into one of this model's output and the true labels."""

        def of_both(truth: Tensor, both: Tensor) -> Tensor:
            student, answers = keras.ops.split(both, 2, axis=-1)
            return loss.call(self.trust * answers + (1 - self.trust) * truth, student)

        return of_both


class _Inference(keras.Model):  # type: ignore[misc]
    """A model in inference mode, also while gradients are taken."""

    def __init__(self, model: Model) -> None:
        super().__init__(name="inference")
        self.model = model

    def call(self, images: Tensor) -> Tensor:
        return self.model(images, training=False)


class _Recorder(keras.optimizers.Optimizer):  # type: ignore[misc]
    """An optimizer that changes nothing and records the gradients that it receives."""

    def __init__(self) -> None:
        super().__init__(learning_rate=0.0, name="recorder")
        self.gradients: list[Variable] = []

    def build(self, variables: list[Variable]) -> None:
        """Create a variable for each variable's gradient."""
        if not self.built:
            super().build(variables)
            self.gradients = [self.add_variable_from_reference(v, name="gradient") for v in variables]

    def update_step(self, gradient: Tensor, variable: Variable, _rate: Tensor) -> None:
        """Record a gradient."""
        self.assign(self.gradients[self._get_variable_index(variable)], gradient)


def gradients(
    model: Model, layers: list[Layer], images: Pixels, targets: Probabilities, *, batch: int
) -> Iterator[list[list[Weights]]]:
    """Gradients of the mean cross-entropy in inference mode, for whole batches in order.

    Args:
        layers: the gradients are with respect to their trainable weights.
        images: float32 (N, h, w, c).
        targets: float32 (N, classes).

    Returns:
        For each batch and layer, one array per trainable weight.
    """
    copy, names = copy_of(model), {layer.name for layer in layers}
    for layer in copy.layers:
        layer.trainable = layer.name in names
    recorder = _Recorder()
    learner = _Inference(copy)
    learner.compile(recorder, keras.losses.CategoricalCrossentropy(), jit_compile=jit_for(count_macs(model)))
    for start in range(0, len(images) - batch + 1, batch):
        learner.train_on_batch(images[start : start + batch], targets[start : start + batch])
        by_path = {
            variable.path: np.array(gradient)
            for variable, gradient in zip(learner.trainable_variables, recorder.gradients, strict=True)
        }
        yield [[by_path[v.path] for v in copy.get_layer(layer.name).trainable_variables] for layer in layers]
