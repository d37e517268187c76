"""Finds problems on a board before its first run: parsers of the board's own output, and checks.

Everything here is pure: text in, records out, no connection and no clock. :mod:`harness.doctor.probe` holds the one
shell command whose output :func:`harness.doctor.examine.examine` judges.
"""
