"""Which numbers a network was computed with, told from its outputs.

A runtime that computes with 16-bit floats hands its outputs out as float32, and each of them is still a 16-bit number:
the lower bits are zero. In float32 that is one chance in thousands for each value. So a runtime that does not say which
numbers it used can't hide narrower ones.
"""

from types import ModuleType
from typing import List, Optional

from .files import RunnerError
from .shapes import Array

#: How many values must be telling: two by chance would be one in sixty million.
TELLING = 2


def narrow_numbers(np: ModuleType, outputs: List[Array]) -> Optional[str]:
    """``float16`` or ``bfloat16`` if all outputs are such numbers; None if not, or if they are too few to tell."""
    found = [array.reshape(-1) for array in outputs if array.dtype == np.float32]
    values = np.concatenate(found) if found else np.zeros(0, np.float32)
    values = values[np.isfinite(values)]
    telling = values[values * 256 != np.floor(values * 256)]  # 0, 1, a half... are numbers of any kind
    if len(np.unique(telling)) < TELLING:
        return None
    if not np.any(telling.view(np.uint32) & 0xFFFF):
        return "bfloat16"
    with np.errstate(over="ignore"):
        same = telling.astype(np.float16).astype(np.float32) == telling
    return "float16" if bool(same.all()) else None


def check_precision(np: ModuleType, runtime: str, variant: str, outputs: List[Array]) -> str:
    """What the outputs tell, for the proof of what ran.

    Raises:
        RunnerError: a float32 network was computed with narrower numbers.
    """
    narrow = narrow_numbers(np, outputs)
    if narrow and variant == "fp32":
        text = "asked for fp32, and %s computes with %s: every output is such a number" % (runtime, narrow)
        raise RunnerError("precision-fallback", text)
    return "outputs are %s numbers" % narrow if narrow else "outputs are no 16-bit numbers"
