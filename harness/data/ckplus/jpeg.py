"""The check of an untrusted JPEG file before Pillow decodes it."""

from __future__ import annotations

from harness.data.ckplus.badimage import AGAIN, BadImageError

_START, _END, _SCAN = b"\xff\xd8\xff", b"\xff\xd9", b"\xff\xda"
#: A progressive file has about ten scans. Each costs the decoder a pass over the whole image.
MAX_SCANS = 64


def check_jpeg(data: bytes) -> None:
    """Check that a file has its start and end marks (ISO/IEC 10918-1) and not too many scans.

    Raises:
        BadImageError: it has not.
    """
    if not data:
        raise BadImageError("truncated-image", "is empty", AGAIN)
    if not data.startswith(_START) and not _START.startswith(data):
        raise BadImageError("not-jpeg", "is no JPEG file, whatever its name says", AGAIN)
    if _END not in data[2:]:
        raise BadImageError("truncated-image", f"ends after {len(data)} bytes, before its end mark", AGAIN)
    if data.count(_SCAN) > MAX_SCANS:
        raise BadImageError("damaged-image", f"has more than {MAX_SCANS} scans", AGAIN)
