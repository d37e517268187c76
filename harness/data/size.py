"""The size of all images of all data sets."""

from __future__ import annotations

#: Width and height of each image of a data set, in pixels.
SIDE = 48
#: The shape of a network's input for one image: height, width, channels.
IMAGE_SHAPE = (SIDE, SIDE, 1)
