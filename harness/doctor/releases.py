"""Whether releases of runtimes that devices.yaml names are known, without asking the package index."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.check import Check
from harness.core.errors import ConfigError
from harness.core.safetext import clean
from harness.runtimes.releases import Releases
from harness.runtimes.requested import Requested
from harness.runtimes.wheels import Platform


def check_releases(wanted: Sequence[Requested], platform: Platform, releases: Releases) -> list[Check]:
    """One check for each release that is named."""
    return [_check(each, platform, releases) for each in wanted if each.release is not None]


def _check(wanted: Requested, platform: Platform, releases: Releases) -> Check:
    try:
        found = releases.known(wanted, platform)
    except ConfigError as error:
        return Check(error.code, "error", clean(error.message), error.fix or "")
    if found is None:
        text = f"{wanted}: not in {releases.lock.name} yet; a run asks the package index for it and fixes its hash"
        return Check("release-unknown", "note", text, f"harness run --runtime {wanted}")
    return Check("release", "ok", f"{wanted}: {found.wheels[0].file}")
