"""Estimated cycles of a network on a board's core, from a pass on the emulated board. They are never a measurement."""
