"""How large every image of every data set is."""

from __future__ import annotations

#: Width and height of every image that leaves a data set, in pixels.
SIDE = 48
#: What a network is given for one image: height, width, channels.
IMAGE_SHAPE = (SIDE, SIDE, 1)
