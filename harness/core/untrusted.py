"""JSON from a board, with limits on its size in memory as well as in bytes.

Thirty megabytes of ``{},{},...`` would become two gigabytes of Python objects, and a million wrong keys would become a
million error messages. So containers, keys and values are counted in the bytes before anything is parsed.
"""

from __future__ import annotations

import json
from typing import Any

#: Limits far above a genuine answer, which has a few thousand containers and keys and three million numbers.
MAX_CONTAINERS = 20_000
MAX_COLONS = 400_000
MAX_COMMAS = 3_500_000
MAX_KEYS = 2_000


def load(data: bytes) -> Any:
    """Parse the JSON that a board sent.

    Raises:
        ValueError: it is not JSON, or it would exceed a limit.
    """
    for what, count, most in (
        ("objects and lists", data.count(b"{") + data.count(b"["), MAX_CONTAINERS),
        ("colons", data.count(b":"), MAX_COLONS),
        ("values", data.count(b","), MAX_COMMAS),
    ):
        if count > most:
            raise ValueError(f"{count} {what}, more than {most}")
    try:
        return json.loads(data, object_pairs_hook=_small)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _small(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(pairs) > MAX_KEYS:
        raise ValueError(f"an object with {len(pairs)} keys")
    return dict(pairs)
