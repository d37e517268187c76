"""Estimated cycles of a network on a board's core, from one pass on the emulated board. They are never a
measurement.
"""
