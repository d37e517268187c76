"""Opens a data set by what the user wrote: ``synthetic`` or the path of a CK+ copy."""

from __future__ import annotations

from pathlib import Path

from harness.data import synthetic
from harness.data.dataset import Dataset
from harness.errors import DataError


def load(spec: str, *, seed: int = 0) -> Dataset:
    """Open ``synthetic`` (drawn afresh, the same each time for a seed) or the CK+ copy at a path, any of its forms.

    Raises:
        DataError: nothing is there, or it isn't CK+.
    """
    if spec == "synthetic":
        return synthetic.generate(seed)
    path = Path(spec).expanduser()
    if not path.exists():
        raise DataError(f"data '{spec}': no such file or folder", fix="'synthetic', or the path of a CK+ copy")
    from harness.data.ckplus import load_ckplus  # needs Pillow, which drawn faces don't

    return load_ckplus(path)
