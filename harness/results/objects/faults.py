"""Errors of fsspec's back ends: which of them pass by themselves, and what they say.

A back end raises OSError, or an error of its own library: botocore, aiohttp, paramiko. Those libraries may not be
installed here, so their errors are told by name.
"""

from __future__ import annotations

import errno

from harness.core.safetext import clean

#: Errors that another try does not mend: settings, rights, and what a store can't do.
_LASTING = (
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    ImportError,
    TypeError,
    ValueError,
)
#: The same, by the names of classes in botocore and others.
_LASTING_NAMES = frozenset({
    "InvalidEndpointDiscoveryConfigurationError", "InvalidRegionError", "NoCredentialsError", "ParamValidationError",
    "PartialCredentialsError", "ProfileNotFound", "SSOTokenLoadError", "TokenRetrievalError",
    "UnauthorizedSSOTokenError",
})  # fmt: skip
_LASTING_NUMBERS = frozenset({errno.ENOSYS, errno.EPERM, errno.ENAMETOOLONG, errno.EROFS})
_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"})


def lasts(error: Exception) -> bool:
    """Whether another try would end the same."""
    return (
        isinstance(error, _LASTING)
        or not _LASTING_NAMES.isdisjoint(kind.__name__ for kind in type(error).__mro__)
        or (isinstance(error, OSError) and error.errno in _LASTING_NUMBERS)
    )


def reason(error: Exception) -> str:
    """What went wrong, in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return clean(text or type(error).__name__, 300)


def fix(error: Exception) -> str:
    """What to do about it."""
    if type(error).__name__ in _CREDENTIALS:
        return "give credentials in the library's own way: its environment variables or its file, such as ~/.aws/config"
    if isinstance(error, PermissionError):
        return "check the credentials, and what they allow there"
    if isinstance(error, FileNotFoundError):
        return "make the bucket or folder first, or check its name"
    return "check the address, the endpoint and the network"
