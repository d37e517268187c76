"""Names for what passes between the parts of training: arrays with their shapes, and Keras's objects.

Keras ships no types, so its objects are ``Any`` to a type checker; they are that in this file alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.size import IMAGE_SHAPE

#: what every network here takes: height, width and channels of raw grey pixels 0..255
INPUT_SHAPE = IMAGE_SHAPE

#: grey images as a data set holds them: uint8 (N, 48, 48)
Images = npt.NDArray[np.uint8]
#: images as networks take them: float32 (N, 48, 48, 1), 0..255
Pixels = npt.NDArray[np.float32]
#: numbers of images in a data set, or of their classes: int64 (N,)
Index = npt.NDArray[np.int64]
#: a probability for each class, answered or to be learnt: float32 (N, classes)
Probabilities = npt.NDArray[np.float32]
#: weights, of whatever shape and type
Weights = npt.NDArray[Any]
#: which channels stay: bool (channels,)
Mask = npt.NDArray[np.bool_]

#: a Keras model
Model = Any
#: a layer or an operator in a functional Keras model
Layer = Any
#: a tensor of the backend, or a symbolic one of Keras
Tensor = Any
#: a variable of a Keras layer or optimizer
Variable = Any
