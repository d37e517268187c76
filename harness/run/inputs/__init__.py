"""Inputs of a network without a data set: random values, or the user's own."""
