"""What makes a first run on a board fail, told before it is tried: parsers of a board's own words, and checks.

Everything here is pure: text in, records out, no connection and no clock. :mod:`harness.doctor.probe` has the one shell
command whose output :func:`harness.doctor.examine.examine` judges.
"""
