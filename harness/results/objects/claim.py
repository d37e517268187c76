"""The claim on a run at an address elsewhere: one controller at a time works on it.

A claim is the object ``<run>/claim.json``. It is made on the condition that there is none, and expires unless it is
renewed, so that a controller that died keeps nobody out. It is renewed when a cell is stored, and by a thread only
where a cell takes very long: on this machine's own cells that would be measured, too.

Expiry is told by the clocks of the controllers. One whose clock is wrong by minutes could take a living run over; the
other one notices before it writes the next time, and ends.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import socket
import threading
import time
from pathlib import Path

from pydantic import Field, ValidationError

from harness import __version__
from harness.core.errors import LockTakenError, StoreError
from harness.core.files import write_atomic
from harness.core.paths import user_name
from harness.core.safetext import clean
from harness.records.base import Record, Text
from harness.results import jsonfile
from harness.results.objects.layout import CLAIM
from harness.results.objects.store import Objects, Stored
from harness.results.storage import Say

#: How long a claim lasts without being renewed, in seconds.
LASTS_S = 900.0
#: A cell that is stored so long after the last renewal renews the claim, in seconds.
RENEW_S = 60.0
#: So long without a renewal, and a thread renews it, in seconds.
OVERDUE_S = 600.0
#: Where a store knows no conditions: how long a claim must stay as it was written before it counts, in seconds.
PROOF_S = 3.0
_MAX_BYTES = 16 << 10


class ClaimRecord(Record):
    """``claim.json``.

    Attributes:
        token: of the claim itself.
        place: of the mirror on the holder's machine.
        claimed, renewed, expires: in seconds since 1970, by the holder's clock.
    """

    schema_: int = Field(alias="schema", default=1)
    token: Text
    place: Text
    user: Text
    host: Text
    pid: int
    harness: Text
    claimed: float
    renewed: float
    expires: float

    def renewed_now(self) -> ClaimRecord:
        """The same claim, which lasts anew."""
        now = time.time()
        return self.model_copy(update={"renewed": now, "expires": now + LASTS_S})

    def data(self) -> bytes:
        """The object's content."""
        return (self.model_dump_json(by_alias=True, indent=1) + "\n").encode()

    @property
    def holder(self) -> str:
        """Who holds it, for people."""
        return f"{clean(self.user, 60)}@{clean(self.host, 100)} pid {self.pid}"

    @property
    def until(self) -> str:
        """When it expires, for people."""
        try:
            return dt.datetime.fromtimestamp(self.expires, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        except (OverflowError, ValueError, OSError):
            return "a time that is no date"


class Claim:
    """A claim of this process on one run; a context manager that takes it and gives it back.

    Args:
        run: the run's name under the address.
        place: identifies the mirror here. Its kernel lock on the run is held already, so that an earlier claim of the
            same mirror is that of a process which has ended.

    Raises (on entry):
        LockTakenError: another controller holds the run; the message names it.
        StoreError: the store can't be reached, or holds something else by that name.
    """

    def __init__(self, objects: Objects, run: str, place: str, say: Say) -> None:
        now = time.time()
        self._objects, self._run, self._say = objects, run, say
        self._name = f"{run}/{CLAIM}"
        self._record = ClaimRecord(
            token=secrets.token_hex(16), place=place, user=user_name()[:100], host=socket.gethostname()[:200],
            pid=os.getpid(), harness=__version__, claimed=now, renewed=now, expires=now + LASTS_S,
        )  # fmt: skip
        self._lock = threading.Lock()
        self._lost: str | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._renew_overdue, name=f"claim {run}", daemon=True)

    def __enter__(self) -> Claim:
        found = self._found()
        if found is not None:
            self._take_over(*found)
        elif not self._objects.create(self._name, self._record.data()):
            raise self._taken()
        else:
            self._prove()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        try:
            if self._lost is None and self._is_ours():
                self._objects.remove(self._name)
        except StoreError as error:
            self._say(f"{error}; the claim on run {self._run} ends at {self._record.until}")

    def confirm(self) -> None:
        """Make sure that the claim is still held; renews it where that is due.

        Raises:
            LockTakenError: another controller has taken the run over.
            StoreError: the claim has expired meanwhile, and the store doesn't say whose the run is.
        """
        with self._lock:
            age = time.time() - self._record.renewed
            if self._lost is None and (age > RENEW_S or age < 0):
                try:
                    self._renew()
                except StoreError:
                    if self._lost is None and time.time() > self._record.expires:
                        raise
            if self._lost is not None:
                raise LockTakenError(self._lost, fix="what was measured is kept here; start a new run")

    def _renew_overdue(self) -> None:
        while not self._end.wait(max(10.0, self._record.renewed + OVERDUE_S - time.time())):
            with self._lock:
                if self._lost is None and time.time() - self._record.renewed > OVERDUE_S:
                    try:
                        self._renew()
                    except StoreError as error:
                        self._say(str(error))

    def _renew(self) -> None:
        """Renew the claim; the lock is held."""
        found = self._found()
        if found is None or found[0].token != self._record.token:
            by = f"by {found[0].holder}" if found else "and given back by another controller"
            self._lost = f"{self._objects.url}/{self._run}: was taken over {by}"
            return
        renewed = self._record.renewed_now()
        if self._objects.replace(self._name, renewed.data(), found[1]):
            self._record = renewed
        else:
            self._lost = f"{self._objects.url}/{self._run}: was taken over by another controller"

    def _found(self) -> tuple[ClaimRecord, Stored] | None:
        """The present claim and its state, or None."""
        state = self._objects.state(self._name)
        data = self._objects.read(self._name, _MAX_BYTES) if state else None
        if state is None or data is None:
            return None
        try:
            return ClaimRecord.model_validate_json(data), state
        except ValidationError as error:
            raise StoreError(
                f"{self._objects.url}/{self._name}: is not a claim",
                fix="remove it if nobody measures, or use a newer harness",
            ) from error

    def _is_ours(self) -> bool:
        found = self._found()
        return found is not None and found[0].token == self._record.token

    def _taken(self) -> LockTakenError:
        found = self._found()
        by = f"{found[0].holder} works on it, claimed until {found[0].until}" if found else "another controller has it"
        return LockTakenError(
            f"{self._objects.url}/{self._run}: {by}",
            fix="wait for it, or end it; after that time --resume takes it over",
        )

    def _take_over(self, found: ClaimRecord, state: Stored) -> None:
        """Replace a claim that doesn't count any more.

        Raises:
            LockTakenError: it does count.
        """
        died_here = found.place == self._record.place and found.host == self._record.host
        if not died_here and found.expires > time.time():
            raise self._taken()
        if not self._objects.replace(self._name, self._record.data(), state):
            raise self._taken()
        why = "has ended without giving it back" if died_here else f"claimed it until {found.until}"
        self._say(f"taking over run {self._run}: {found.holder} {why}")
        if not died_here:
            self._settle()

    def _prove(self) -> None:
        """See whether the store refuses a second claim; where it doesn't, the first may have replaced another's."""
        self._record = self._record.renewed_now()
        if self._objects.create(self._name, self._record.data()):
            self._settle()

    def _settle(self) -> None:
        time.sleep(PROOF_S)
        if not self._is_ours():
            raise self._taken()


def place_of(folder: Path) -> str:
    """A mirror's identity: a random text in a file of it.

    Raises:
        StoreError: it can't be written.
    """
    path = folder / ".place"
    if not path.exists():
        write_atomic(path, secrets.token_hex(16) + "\n")
    return jsonfile.read(path, 1024).decode("ascii", "replace").strip()
