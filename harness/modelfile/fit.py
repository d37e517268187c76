"""Whether a board's runtime can take a network: asked before anything is sent."""

from __future__ import annotations

from harness.modelfile.record import ModelFile, Target


def fits(file: ModelFile, target: Target) -> str | None:
    """The reason why a target can't run the file, in one line; None where nothing speaks against it."""
    raise NotImplementedError
