"""Whether a board can run the model files that were named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.config.devices import Device
from harness.core.check import Check
from harness.core.safetext import clean
from harness.modelfile.boards import Way, as_seen, expected, ways
from harness.modelfile.record import ModelFile
from harness.remote.probe import Probe

_FIX = "choose another runtime, board or variant; harness show lists all"


def check_files(device: Device, files: Sequence[ModelFile], seen: Probe | None = None) -> list[Check]:
    """One check for each file.

    Args:
        seen: the board's own description; without it, an emulated board is what its image makes it.
    """
    if seen is None:
        board = expected(device.family, emulated=device.emulate, os=device.os)
    else:
        board = as_seen(seen.platform, title=seen.os, memory_bytes=seen.memory_bytes)
    board = replace(board, runtimes=device.runtimes or (), delegates=device.delegates)
    return [_judged(file, ways(file, board)) for file in files]


def _judged(file: ModelFile, tried: Sequence[Way]) -> Check:
    name = clean(file.path.name, 100)
    against = [f"{_name(way)}: {way.why}" for way in tried if way.why is not None]
    able = [_name(way) for way in tried if way.why is None]
    if not able:
        return Check("model-unfit", "error", f"{name} can't run here: {'; '.join(against)}", _FIX)
    if against:
        return Check("model-unfit", "warning", f"{name} can't run in every way: {'; '.join(against)}", _FIX)
    return Check("model", "ok", f"{name} can run by {' and '.join(able)}")


def _name(way: Way) -> str:
    return f"{way.runtime} {way.version}".strip() + ("" if way.delegate == "cpu" else f" on {way.delegate}")
