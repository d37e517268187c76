"""Runtimes that the board itself must have: a GPU build of ONNX Runtime fits only the board's own CUDA and TensorRT.

No published wheel fits them. So these delegates use the packages of the board's own Python."""

from __future__ import annotations

from harness.runtimes import registry

#: Delegates whose runtime must be installed on the board.
DELEGATES = frozenset(delegate.name for delegate in registry.DELEGATES.values() if delegate.onboard)


def packages(home: str | None, python: str) -> tuple[str, ...]:
    """Folders of ``pip install --user`` on the board.

    The runner starts without them (``-s``), so that the user's packages can't replace a runtime that the harness sends.

    Args:
        home: the home folder on the board; None if unknown.
        python: the version of the board's Python, e.g. ``3.6.9``.
    """
    if home is None:
        return ()
    return (f"{home}/.local/lib/python{'.'.join(python.split('.')[:2])}/site-packages",)
