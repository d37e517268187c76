"""The size of all images of faces."""

from __future__ import annotations

#: Width and height of each image of a face, in pixels.
SIDE = 48
#: The shape of a network's input for one face: height, width, channels.
IMAGE_SHAPE = (SIDE, SIDE, 1)
