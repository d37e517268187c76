"""The one training recipe of all networks, in a quick and a full form."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.core.errors import UsageError

PROFILES = ("quick", "full")
#: networks with more multiply-accumulates learn in fewer epochs: they fit 800 images sooner and cost most
LARGE_MACS = 150_000_000
#: from this number of training images on, epochs become fewer, so that about as many images are learnt
MANY_IMAGES = 4000
LEAST_EPOCHS = 4


@dataclass(frozen=True)
class Recipe:
    """The parameters of a network's training.

    AdamW (Loshchilov & Hutter, ICLR 2019) with a linear warm-up and one cosine decay to zero; cross-entropy with label
    smoothing and class weights; a fresh random variation of each image in each pass.

    Attributes:
        epochs: passes over the training images.
        batch: images per step.
        rate: peak learning rate.
        decay: weight decay.
        smoothing: share of the target spread over all classes.
        balance: exponent of inverse class frequency in the class weights (0 none, 1 full).
        warmup: share of all steps spent warming up.
        patience: epochs without a better validation score after which training stops.
    """

    epochs: int
    batch: int = 32
    rate: float = 2e-3
    decay: float = 0.02
    smoothing: float = 0.05
    balance: float = 0.5
    warmup: float = 0.12
    patience: int = 1000


def fewer_epochs(epochs: int, images: int) -> int:
    """The epochs for that many training images: fewer where there are many."""
    if images <= MANY_IMAGES:
        return epochs
    return max(min(epochs, LEAST_EPOCHS), epochs * MANY_IMAGES // images)


def recipe_for(profile: str, macs: int, images: int = 0) -> Recipe:
    """The recipe of a profile for a network of ``macs`` multiply-accumulates per image.

    Args:
        images: the number of training images.

    Raises:
        UsageError: the profile is neither quick nor full.
    """
    if profile not in PROFILES:
        raise UsageError(f"profile '{profile}' is unknown", fix="quick or full")
    large = macs > LARGE_MACS
    if profile == "quick":
        base = Recipe(epochs=6 if large else 30)
    else:
        base = Recipe(epochs=25 if large else 120, patience=15 if large else 40)
    base = replace(base, epochs=fewer_epochs(base.epochs, images))
    return replace(base, batch=16, rate=1e-3) if large else base
