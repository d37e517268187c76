"""The harness's folder on a board, and descriptions of its faults for people."""

from __future__ import annotations

from harness.core.errors import PlaceError
from harness.core.safetext import clean

#: In the home folder, unless ``dir`` in devices.yaml names another.
DEFAULT = "~/.cache/harness"

_ELSEWHERE = "name another folder with 'dir:' in devices.yaml"

#: The meaning of an error number, and its fix.
_FAULTS = {
    "EROFS": ("the file system is read-only", f"a worn-out SD card turns read-only; replace it, or {_ELSEWHERE}"),
    "ENOSPC": ("the board's disk is full", "free space under {root}, or " + _ELSEWHERE),
    "EDQUOT": ("the disk quota there is used up", "free space under {root}, or " + _ELSEWHERE),
    "EACCES": ("this user may not write there", f"give that folder to this user, or {_ELSEWHERE}"),
    "EPERM": ("this user may not write there", f"give that folder to this user, or {_ELSEWHERE}"),
    "ENOTDIR": ("it is a file, not a folder", f"move the file away, or {_ELSEWHERE}"),
    "EEXIST": ("it is a file, not a folder", f"move the file away, or {_ELSEWHERE}"),
    "ENOENT": ("it is not there and can't be made", _ELSEWHERE),
    "ELOOP": ("a link leads to itself", f"remove the link, or {_ELSEWHERE}"),
    "EIO": ("the storage fails to read or write", f"look at the board's storage (dmesg), or {_ELSEWHERE}"),
    "ENOLCK": ("the file system there has no locks", f"a network folder? {_ELSEWHERE}"),
}


def folder(label: str, home: str | None, given: str | None) -> str:
    """The harness's folder on a board as an absolute path.

    Args:
        home: the home folder there; None where there is none.
        given: ``dir`` of devices.yaml.

    Raises:
        PlaceError: the folder would be in the home folder, and there is none.
    """
    chosen = given or DEFAULT
    if not chosen.startswith("~"):
        return chosen.rstrip("/")
    if home is None or not home.strip("/"):
        state = "is not there" if home is None else "is '/'"
        raise PlaceError(f"{label}: the home folder on the board {state} ($HOME)", fix=_ELSEWHERE)
    return home.rstrip("/") + chosen[1:].rstrip("/")


def fault(label: str, root: str, name: str, *, path: str, words: str) -> PlaceError:
    """The meaning of an error from the board's file system.

    Args:
        name: the error number's name, such as ``EROFS``.
        path: where it happened.
        words: the board's own message.
    """
    text, fix = _FAULTS.get(name, (clean(words, 300), _ELSEWHERE))
    return PlaceError(f"{label}: {clean(path or root, 300)}: {text}", fix=fix.format(root=clean(root, 300)))


def no_exec(label: str, root: str, words: str) -> PlaceError:
    """The error for a folder whose files may be read but not executed, so that no runtime can be loaded from there."""
    return PlaceError(
        f"{label}: {clean(root, 300)}: no program library may be loaded from there, a 'noexec' file system? "
        f"({clean(words, 200)})",
        fix=_ELSEWHERE,
    )
