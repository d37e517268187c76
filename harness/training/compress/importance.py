"""The importance of each channel group to a network: batch-norm scale, L1 norm, or first-order Taylor.

To add an importance, write a function with the signature :data:`Score` and add one line to :data:`IMPORTANCES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.core.errors import UsageError
from harness.training.arrays import Layer, Model, Pixels, Probabilities
from harness.training.compress.graph import Channels
from harness.training.layers import normalisations, rule_of

#: importance by channel group
Scores = dict[int, float]
#: training images and their targets, called where an importance needs them
Sample = Callable[[], tuple[Pixels, Probabilities]]
Score = Callable[[Model, Channels, Sample], Scores]
#: images and targets of one pass over the training images, by the number of the pass
Epoch = Callable[[int], tuple[Pixels, Probabilities]]
#: images per gradient
BATCH = 16


def batch_norm_scale(model: Model, channels: Channels, _sample: Sample) -> Scores:
    """|gamma| summed over the batch normalisations of a group (Liu et al., "Learning Efficient Convolutional
    Networks through Network Slimming", ICCV 2017).

    It is meaningful after sparsity training (:func:`slim`), which pushes unneeded scales to zero.
    """
    return _collect(channels, _scaling(model), lambda layer: np.abs(np.asarray(layer.gamma)))


def l1(model: Model, channels: Channels, _sample: Sample) -> Scores:
    """L1 norm of a group's filters over its layer's mean (Li et al., "Pruning Filters for Efficient ConvNets", ICLR
    2017)."""

    def norm(layer: Layer) -> npt.NDArray[np.float64]:
        kernel = np.abs(np.asarray(layer.kernel, dtype=np.float64))
        sums = kernel.sum(axis=tuple(range(kernel.ndim - 1)))
        return np.asarray(sums / max(sums.mean(), 1e-12))

    return _collect(channels, [layer for layer in model.layers if rule_of(layer).kernel == "dense"], norm)


def taylor(model: Model, channels: Channels, sample: Sample) -> Scores:
    """First-order Taylor importance at batch-norm gates (Molchanov et al., "Importance Estimation for Neural Network
    Pruning", CVPR 2019): the squared change of the loss if a channel's normalised output went to zero.

    The model needs batch normalisation after the convolutions: for a convolution's own weights the result would be
    zero, since the normalisation undoes their scale.
    """
    from harness.training.train.steps import gradients

    images, targets = sample()
    layers = _scaling(model)
    sums = [np.zeros(layer.gamma.shape, dtype=np.float64) for layer in layers]
    for by_layer in gradients(model, layers, images, targets, batch=BATCH):
        for layer, total, (gamma, beta) in zip(layers, sums, by_layer, strict=True):
            gate = np.asarray(layer.gamma) * gamma + np.asarray(layer.beta) * beta
            total += gate.astype(np.float64) ** 2
    by_name = {layer.name: total for layer, total in zip(layers, sums, strict=True)}
    return _collect(channels, layers, lambda layer: by_name[layer.name])


def sparsity(model: Model, amount: float) -> None:
    """Add an L1 penalty of ``amount`` on all batch-norm scales: the training before ``batch_norm_scale`` pruning."""
    import keras

    for layer in _scaling(model):
        layer.gamma.regularizer = keras.regularizers.L1(amount) if amount else None


def slim(model: Model, epoch: Epoch, seed: int, *, passes: int = 3, amount: float = 1e-3, rate: float = 2e-3) -> Model:
    """A copy of the model after sparsity training ("Network Slimming"), which makes unneeded batch-norm scales small.

    Adam moves a scale on which only the L1 penalty acts by ``rate`` a step, however small the penalty, so a few passes
    are enough.

    Args:
        epoch: for a number, images float32 (N, h, w, c) and targets float32 (N, classes).
        seed: of the order of images.
        passes: over the images.
        amount: weight of the sum of |gamma| in the loss.
        rate: of Adam.
    """
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    sparsity(copy, amount)
    copy.compile(keras.optimizers.Adam(rate), keras.losses.CategoricalCrossentropy())
    for number in range(passes):
        images, targets = epoch(number)
        order = np.random.default_rng([seed, number, 5]).permutation(len(images))
        copy.fit(images[order], targets[order], batch_size=BATCH, shuffle=False, verbose=0)
    sparsity(copy, 0.0)
    return copy


@dataclass(frozen=True)
class Importance:
    """A measure of which channels matter.

    Attributes:
        score: importance of each removable group.
        prepare: derives the model that is scored and cut from the one before a cut; None where they are the same.
    """

    score: Score
    prepare: Callable[[Model, Epoch, int], Model] | None = None


IMPORTANCES: dict[str, Importance] = {
    "taylor": Importance(taylor),
    "bn": Importance(batch_norm_scale),
    "l1": Importance(l1),
    "slimming": Importance(batch_norm_scale, prepare=slim),
}


def get(method: str) -> Importance:
    """The importance of that name.

    Raises:
        UsageError: there is none; the message lists all names.
    """
    if method not in IMPORTANCES:
        *others, last = IMPORTANCES
        raise UsageError(f"importance '{method}' is unknown", fix=f"{', '.join(others)} or {last}")
    return IMPORTANCES[method]


def _scaling(model: Model) -> list[Layer]:
    return [layer for layer in normalisations(model) if layer.scale]


def _collect(channels: Channels, layers: list[Layer], measure: Callable[[Layer], npt.NDArray[np.floating]]) -> Scores:
    scores: Scores = dict.fromkeys(channels.groups(), 0.0)
    for layer in layers:
        for group, value in zip(channels.roots(channels.uses[layer.name].given), measure(layer), strict=True):
            if group in scores:
                scores[group] += float(value)
    return scores
