"""Which numbers a network was computed with, told from its outputs.

A runtime that computes with 16-bit floats hands its outputs out as float32, and each of them is still a 16-bit number:
the lower bits are zero. In float32 that is one chance in thousands for each value. So a runtime that does not say which
numbers it used can't hide narrower ones.
"""

from types import ModuleType
from typing import List, Optional

from .shapes import Array

#: How many different values must be telling: two are 16-bit numbers by chance once in sixty million times.
TELLING = 2


def told_by_outputs(np: ModuleType, outputs: List[Array]) -> Optional[str]:
    """``float16`` or ``bfloat16`` if all outputs are such numbers, else ``float32``; None if too few can tell."""
    found = [array.reshape(-1) for array in outputs if array.dtype == np.float32]
    values = np.concatenate(found) if found else np.zeros(0, np.float32)
    values = values[np.isfinite(values)]
    telling = np.unique(values[values * 256 != np.floor(values * 256)])  # 0, 1, a half... are numbers of any kind
    if len(telling) < TELLING:
        return None
    if not np.any(telling.view(np.uint32) & 0xFFFF):
        return "bfloat16"
    with np.errstate(over="ignore"):
        same = telling.astype(np.float16).astype(np.float32) == telling
    return "float16" if bool(same.all()) else "float32"
