"""How much a network would miss each channel group: batch-norm scale, L1 norm, or first-order Taylor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.training.compress.graph import Channels

Scores = dict[int, float]


def batch_norm_scale(model: Any, channels: Channels) -> Scores:
    """|gamma| summed over the batch normalisations of a group (Liu et al., "Network Slimming", ICCV 2017).

    Meaningful after sparsity training (:func:`slim`), which pushes needless scales to zero.
    """
    return _collect(channels, _normalisations(model), lambda layer: np.abs(np.asarray(layer.gamma)))


def l1(model: Any, channels: Channels) -> Scores:
    """L1 norm of a group's filters over its layer's mean (Li et al., "Pruning Filters for Efficient ConvNets", ICLR
    2017)."""

    def norm(layer: Any) -> npt.NDArray[np.float64]:
        kernel = np.abs(np.asarray(layer.kernel, dtype=np.float64))
        sums = kernel.sum(axis=tuple(range(kernel.ndim - 1)))
        return np.asarray(sums / max(sums.mean(), 1e-12))

    layers = [layer for layer in model.layers if type(layer).__name__ in ("Conv2D", "Dense")]
    return _collect(channels, layers, norm)


def taylor(
    model: Any,
    channels: Channels,
    images: npt.NDArray[np.float32],
    targets: npt.NDArray[np.float32],
    *,
    batch: int = 16,
) -> Scores:
    """First-order Taylor importance at batch-norm gates (Molchanov et al., "Importance Estimation for Neural Network
    Pruning", CVPR 2019): the squared change of the loss if a channel's normalised output went to zero.

    Args:
        model: with batch normalisation after the convolutions; a convolution's own weights would give zero, since
            what follows undoes their scale.
        channels: of the model.
        images: float32 (N, 48, 48, 1), training images.
        targets: float32 (N, classes).
        batch: images per gradient.
    """
    import keras
    import tensorflow as tf

    layers = _normalisations(model)
    variables = [v.value for layer in layers for v in (layer.gamma, layer.beta)]
    sums = [np.zeros(layer.gamma.shape, dtype=np.float64) for layer in layers]

    @tf.function  # type: ignore[untyped-decorator]
    def gradients(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(variables)
            loss = tf.reduce_mean(keras.losses.categorical_crossentropy(y, model(x, training=False)))
        return tape.gradient(loss, variables)

    for start in range(0, len(images) - batch + 1, batch):
        found = gradients(images[start : start + batch], targets[start : start + batch])
        for k, layer in enumerate(layers):
            gate = np.asarray(layer.gamma) * found[2 * k].numpy() + np.asarray(layer.beta) * found[2 * k + 1].numpy()
            sums[k] += gate.astype(np.float64) ** 2
    by_name = {layer.name: total for layer, total in zip(layers, sums, strict=True)}
    return _collect(channels, layers, lambda layer: by_name[layer.name])


def sparsity(model: Any, amount: float) -> None:
    """Add an L1 pull of ``amount`` on all batch-norm scales: the training before ``batch_norm_scale`` pruning."""
    import keras

    for layer in _normalisations(model):
        layer.gamma.regularizer = keras.regularizers.L1(amount) if amount else None


def slim(
    model: Any,
    epoch: Callable[[int], tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]],
    seed: int,
    *,
    passes: int = 3,
    amount: float = 1e-3,
    rate: float = 2e-3,
) -> Any:
    """A copy of the model after sparsity training ("Network Slimming"), in which needless batch-norm scales are small.

    Adam moves a scale that nothing but the L1 pull acts on by ``rate`` a step, however weak the pull: a few passes do.

    Args:
        epoch: for a number, images float32 (N, 48, 48, 1) and targets float32 (N, classes).
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
        copy.fit(images[order], targets[order], batch_size=16, shuffle=False, verbose=0)
    sparsity(copy, 0.0)
    return copy


def _normalisations(model: Any) -> list[Any]:
    return [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization" and layer.scale]


def _collect(channels: Channels, layers: list[Any], measure: Callable[[Any], npt.NDArray[Any]]) -> Scores:
    scores: Scores = dict.fromkeys(channels.groups(), 0.0)
    for layer in layers:
        for group, value in zip(channels.roots(channels.uses[layer.name].given), measure(layer), strict=True):
            if group in scores:
                scores[group] += float(value)
    return scores
