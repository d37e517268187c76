"""What only the board itself can have: a GPU build of ONNX Runtime belongs to its CUDA and TensorRT, and no wheel that
we could bring fits them. So for these delegates the board's own Python is taken as it is."""

from __future__ import annotations

from harness.runtimes import registry

#: Delegates whose runtime the board must have by itself.
DELEGATES = frozenset(delegate.name for delegate in registry.DELEGATES.values() if delegate.onboard)


def packages(home: str | None, python: str) -> tuple[str, ...]:
    """Where ``pip install --user`` put things on the board; the runner is started without that folder (``-s``), since
    nothing of the user's may slip into a measurement that we bring the runtime for.

    Args:
        home: the home folder on the board.
        python: the board's version, ``3.6.9``.
    """
    if home is None:
        return ()
    return (f"{home}/.local/lib/python{'.'.join(python.split('.')[:2])}/site-packages",)
