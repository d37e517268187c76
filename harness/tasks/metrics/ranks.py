"""Whether the right class is the one with the highest score, or among the five highest."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.errors import DataError

Scores = npt.NDArray[np.float64]


def top1(outputs: list[Scores], labels: npt.NDArray[Any]) -> Scores:
    """1 where the right class has the highest score, else 0. Of equal scores the first counts."""
    return np.asarray(scores(outputs, labels).argmax(axis=1) == labels, dtype=np.float64)


def top5(outputs: list[Scores], labels: npt.NDArray[Any]) -> Scores:
    """1 where the right class is among the five highest scores, else 0. Of equal scores the first count."""
    best = np.argsort(-scores(outputs, labels), axis=1, kind="stable")[:, :5]
    return np.asarray((best == labels[:, None]).any(axis=1), dtype=np.float64)


def scores(outputs: list[Scores], labels: npt.NDArray[Any]) -> Scores:
    """The one output as scores (n, classes).

    Raises:
        DataError: there are several outputs, or fewer scores than classes.
    """
    if len(outputs) != 1:
        raise DataError(f"{len(outputs)} outputs, and classes are judged by one", fix="metric: module:function")
    flat = outputs[0].reshape(len(labels), -1)
    if len(labels) and int(labels.max()) >= flat.shape[1]:
        raise DataError(f"the network gives {flat.shape[1]} scores, and class {int(labels.max())} has none")
    return flat
