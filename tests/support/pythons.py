"""Old Pythons on this machine, as boards have them."""

from __future__ import annotations

from pathlib import Path

#: Version -> interpreter, None where pyenv has none here.
OLD_PYTHONS = {
    version: next(iter(sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python3"))), None)
    for version in ("3.6", "3.7")
}
