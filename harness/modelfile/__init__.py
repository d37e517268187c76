"""Anybody's model file: reading it, counting what is in it, and whether a board's runtime can take it."""

from harness.modelfile.fit import fits
from harness.modelfile.reading import names_a_file, read, read_all
from harness.modelfile.record import ModelFile, Target

__all__ = ["ModelFile", "Target", "fits", "names_a_file", "read", "read_all"]
