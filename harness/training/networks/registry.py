"""All networks by name. To add one, write a file with a ``build`` function and add a line here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import Any

from harness.core.errors import UsageError
from harness.training.arrays import INPUT_SHAPE, Model
from harness.training.layers import normalisations


@dataclass(frozen=True)
class Pruning:
    """The target size of a pruned network, and the rounds that lead to it.

    Attributes:
        macs: multiply-accumulates to reach; None where ``keep`` is given instead.
        keep: the same target as a share of the parent's.
        epochs: of tuning, one number per round; each round takes an equal factor. The last round is the longest: the
            network is smallest then, so an epoch costs least and the most accuracy can be regained.
        multiple: widths are multiples of this.
        lanes: output channels that the target's kernels compute at once; ``macs`` are then counted as these compute
            them, see ``harness.training.compress.plan.CostModel``.
        without: convolutions that are removed whole before the first round.
        restarts: how many times the last round's tuning is repeated, starting from its result.
        assistant: epochs of further tuning of the network that answers in the teacher's place, before the last of
            these.
        teacher: the network whose answers are learnt; None for the one that is pruned.
    """

    macs: int | None = None
    keep: float | None = None
    epochs: tuple[int, ...] = (12, 60)
    multiple: int = 4
    lanes: int = 1
    without: tuple[str, ...] = ()
    restarts: int = 0
    assistant: int = 0
    teacher: str | None = None

    def for_images(self, shape: tuple[int, int, int]) -> Pruning:
        """The same for images of another size: ``macs`` are those for faces, and grow with the number of pixels."""
        if self.macs is None:
            return self
        pixels, of_faces = shape[0] * shape[1], INPUT_SHAPE[0] * INPUT_SHAPE[1]
        return replace(self, macs=self.macs * pixels // of_faces)

    def target(self, parent_macs: int) -> float:
        """Multiply-accumulates to reach from a parent of ``parent_macs``."""
        if self.macs is not None:
            return float(self.macs)
        return parent_macs * (1.0 if self.keep is None else self.keep)


@dataclass(frozen=True)
class Network:
    """A network that can be built; importing this record doesn't import Keras.

    Attributes:
        name: as in ``models/<name>/``.
        title: as shown in reports.
        citation: the paper it is from.
        module: under :mod:`harness.training.networks`, with ``build(classes, shape, **options)``.
        options: further arguments of ``build``, as pairs.
        pruned_from: the network this one is pruned from; None for those trained from scratch.
        pruning: the target size and rounds of a pruned network.
    """

    name: str
    title: str
    citation: str
    module: str
    options: tuple[tuple[str, Any], ...] = ()
    pruned_from: str | None = None
    pruning: Pruning = Pruning(keep=0.25)

    def build(self, classes: int = 7, shape: tuple[int, int, int] = INPUT_SHAPE) -> Model:
        """An untrained Keras model: float32 pixels 0..255 of ``shape`` in, softmax probabilities out."""
        module = importlib.import_module(f"harness.training.networks.{self.module}")
        model = module.build(classes, shape, **dict(self.options))
        for layer in normalisations(model):
            # Some published momenta (0.99, 0.999) average over far more steps than 800 images give: the running
            # statistics would lag behind, and the measured accuracy would be too low.
            layer.momentum = min(layer.momentum, 0.9)
        return model


_XU = "Xu, Yin, Yang: Facial Expression Recognition Based on CNNs and Edge Computing, IEEE TOCS 2020"

#: Counted as kernels compute, fetches included; this is 1.35 million plain MACs. With a target in plain MACs, 1.6
#: million took as many ARM instructions as MobileNetV3-Small.
_SMALL = Pruning(
    macs=5_000_000, epochs=(4, 8, 16, 200), multiple=2, lanes=8, without=("block1_2_conv",), restarts=2, assistant=32
)

_WHOLE: tuple[Network, ...] = (
    Network(name="resvgg19", title="Residual VGG19", citation=_XU, module="resvgg19"),
    Network(
        name="resvgg19-pruned",
        title="Residual VGG19, pruned",
        citation=_XU,
        module="resvgg19",
        pruned_from="resvgg19",
        pruning=_SMALL,
    ),
    Network(
        name="vgg19",
        title="VGG19",
        citation="Simonyan, Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015",
        module="resvgg19",
        options=(("residual", False), ("name", "vgg19")),
    ),
    Network(
        name="mobilenet-v1",
        title="MobileNetV1",
        citation="Howard et al.: MobileNets, arXiv:1704.04861, 2017",
        module="mobilenet_v1",
    ),
    Network(
        name="mobilenet-v2",
        title="MobileNetV2",
        citation="Sandler et al.: MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018",
        module="mobilenet_v2",
    ),
    Network(
        name="mobilenet-v3-small",
        title="MobileNetV3-Small",
        citation="Howard et al.: Searching for MobileNetV3, ICCV 2019",
        module="mobilenet_v3",
        options=(("size", "small"),),
    ),
    Network(
        name="mobilenet-v3-large",
        title="MobileNetV3-Large",
        citation="Howard et al.: Searching for MobileNetV3, ICCV 2019",
        module="mobilenet_v3",
        options=(("size", "large"),),
    ),
    Network(
        name="squeezenet",
        title="SqueezeNet 1.1",
        citation="Iandola et al.: SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, arXiv:1602.07360, 2016",
        module="squeezenet",
    ),
    Network(
        name="shufflenet-v2",
        title="ShuffleNetV2 1.0x",
        citation="Ma et al.: ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design, ECCV 2018",
        module="shufflenet_v2",
    ),
    Network(
        name="ghostnet",
        title="GhostNet",
        citation="Han et al.: GhostNet: More Features from Cheap Operations, CVPR 2020",
        module="ghostnet",
    ),
    Network(
        name="efficientnet-lite0",
        title="EfficientNet-Lite0",
        citation="Tan, Le: EfficientNet: Rethinking Model Scaling for CNNs, ICML 2019; Lite form by R. Liu, TensorFlow "
        "blog, 2020",
        module="efficientnet_lite0",
    ),
    Network(
        name="mnasnet",
        title="MnasNet-A1",
        citation="Tan et al.: MnasNet: Platform-Aware Neural Architecture Search for Mobile, CVPR 2019",
        module="mnasnet",
    ),
)

#: Rivals that are pruned as well, so that pruning isn't an advantage of one network alone. ShuffleNetV2's shuffle
#: prevents it.
_RIVALS = (
    "mobilenet-v1", "mobilenet-v2", "mobilenet-v3-small", "mobilenet-v3-large", "squeezenet", "ghostnet",
    "efficientnet-lite0", "mnasnet",
)  # fmt: skip


def _pruned(parent: Network) -> Network:
    return replace(parent, name=f"{parent.name}-pruned", title=f"{parent.title}, pruned", pruned_from=parent.name)


NETWORKS: tuple[Network, ...] = (*_WHOLE, *(_pruned(network) for network in _WHOLE if network.name in _RIVALS))


def names() -> list[str]:
    """Names of all networks, in the order of reports."""
    return [network.name for network in NETWORKS]


def get(name: str) -> Network:
    """The network of that name.

    Raises:
        UsageError: there is none; the message lists all names.
    """
    for network in NETWORKS:
        if network.name == name:
            return network
    raise UsageError(f"network '{name}' is unknown", fix=f"one of {', '.join(names())}")
