"""How much a network would miss each channel group: batch-norm scale, L1 norm, or first-order Taylor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.compress.graph import Channels
from harness.errors import UsageError

Scores = dict[int, float]


def batch_norm_scale(model: Any, channels: Channels) -> Scores:
    """|gamma| summed over the batch normalisations of a group (Liu et al., "Network Slimming", ICCV 2017).

    Meaningful after sparsity training (:func:`sparsity`), which pushes needless scales to zero.
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


def check_method(method: str) -> str:
    """The method's name, if it is one.

    Raises:
        UsageError: it isn't.
    """
    if method not in ("taylor", "bn", "l1"):
        raise UsageError(f"importance '{method}' is unknown", fix="taylor, bn or l1")
    return method


def _normalisations(model: Any) -> list[Any]:
    return [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization" and layer.scale]


def _collect(channels: Channels, layers: list[Any], measure: Callable[[Any], npt.NDArray[Any]]) -> Scores:
    scores: Scores = dict.fromkeys(channels.groups(), 0.0)
    for layer in layers:
        for group, value in zip(channels.roots(channels.uses[layer.name].given), measure(layer), strict=True):
            if group in scores:
                scores[group] += float(value)
    return scores
