"""``module:function``: a metric of the user's own, run on the controller as any program of theirs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np

from harness.core.errors import MetricError, UsageError
from harness.core.files import sha256_bytes
from harness.tasks.metrics.registry import Labels, MetricKind, Outputs, PerSample
from harness.tasks.schema import MetricChoice


def load(choice: MetricChoice, folder: Path) -> MetricKind:
    """The metric of a user's function. Its module lies beside the task's file, or is installed.

    The function takes the outputs, a list of float64 arrays (n, ...), and the labels (n,), and returns one number for
    each sample or a single number.

    Raises:
        UsageError: the module or the function isn't there, or can't be imported.
    """
    name, _, attribute = choice.name.partition(":")
    function = getattr(_module(name, folder), attribute, None)
    if not callable(function):
        raise UsageError(f"metric '{choice.name}': no function '{attribute}' in {name}")
    called = cast("Callable[[Outputs, Labels], Any]", function)
    return MetricKind(
        name=choice.name,
        labels=choice.labels or "classes",
        higher_is_better=choice.higher_is_better is not False,
        per_sample=lambda outputs, labels: _numbers(choice.name, called, outputs, labels),
    )


def _module(name: str, folder: Path) -> ModuleType:
    beside = folder / f"{name.replace('.', '/')}.py"
    try:
        if beside.is_file():
            # a name of its own: two tasks may have modules of one name
            own_name = f"_metric_{sha256_bytes(str(beside).encode())[:16]}"
            spec = importlib.util.spec_from_file_location(own_name, beside)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[own_name] = module  # dataclasses look their module up
            spec.loader.exec_module(module)
            return module
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        fix = f"put {name}.py beside the task's file" if error.name == name.split(".")[0] else f"install {error.name}"
        raise UsageError(f"metric module '{name}': {error}", fix=fix) from error
    except (Exception, SystemExit) as error:  # a user's module may raise anything, SystemExit too
        raise UsageError(f"metric module '{name}' can't be imported: {type(error).__name__}: {error}") from error


def _numbers(name: str, function: Callable[[Outputs, Labels], Any], outputs: Outputs, labels: Labels) -> PerSample:
    """What the function returns, checked: (n,), or (1,) for a single number."""
    try:
        values = np.asarray(function(outputs, labels), dtype=np.float64)
    except (Exception, SystemExit) as error:
        raise MetricError(f"metric '{name}' failed: {type(error).__name__}: {error}") from error
    if values.shape not in ((), (len(labels),)):
        raise MetricError(f"metric '{name}' returned shape {values.shape}, not one number or {len(labels)}")
    if not np.isfinite(values).all() or (values.size and np.abs(values).max() >= 1e300):
        raise MetricError(f"metric '{name}' returned NaN, infinity or a number beyond 1e300")
    return values.reshape(-1)
