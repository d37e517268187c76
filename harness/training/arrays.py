"""Names for the types that the parts of training exchange: arrays with their shapes, and Keras's objects.

Keras ships no types, so its objects are ``Any`` to a type checker, in this file alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.size import IMAGE_SHAPE

#: input of networks for faces: height, width and channels of raw grey pixels 0..255
INPUT_SHAPE = IMAGE_SHAPE

#: images as stored in a data set: uint8 (N, h, w) if grey, (N, h, w, 3) if red, green and blue
Images = npt.NDArray[np.uint8]
#: images as input of networks: float32 (N, h, w, 1 or 3), 0..255
Pixels = npt.NDArray[np.float32]
#: indices of images in a data set, or class numbers: int64 (N,)
Index = npt.NDArray[np.int64]
#: a probability for each class, predicted or as target: float32 (N, classes)
Probabilities = npt.NDArray[np.float32]
#: weights of any shape and type
Weights = npt.NDArray[Any]
#: which channels are kept: bool (channels,)
Mask = npt.NDArray[np.bool_]

#: a Keras model
Model = Any
#: a layer or an operator in a functional Keras model
Layer = Any
#: a tensor of the backend, or a symbolic tensor of Keras
Tensor = Any
#: a variable of a Keras layer or optimizer
Variable = Any
