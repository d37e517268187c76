"""Edge benchmarking harness: which network, on which board, how fast and how right?"""

__version__ = "0.1.0"
