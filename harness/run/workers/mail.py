"""Messages between a worker and the controller, through queues of Dask's scheduler, which both of them reach.

Each message that matters is answered before the worker goes on. So what a worker has reported is kept by the
controller, and a worker whose device was given to another one learns it before it measures more.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.core.errors import ClusterError

if TYPE_CHECKING:
    import distributed

#: How long an answer may take, in seconds: the controller may be storing large cells of many boards.
ANSWER_S = 300.0
#: An answer says for so long, in seconds, that the worker still has its devices.
FRESH_S = 1.0
#: What queues carry: text, numbers, bytes, and lists and objects of them.
Message = dict[str, object]
#: Errors of Dask where the scheduler can't be reached any more.
GONE = (OSError, TimeoutError, RuntimeError, ValueError)


class Line:
    """A worker's line to the controller, for one group of devices. Safe to use from several threads.

    Args:
        inbox: the controller's queue.
        number: of the group.
        attempt: as in the order.
    """

    def __init__(self, client: distributed.Client, inbox: str, *, number: int, attempt: int) -> None:
        from distributed import Queue

        self.name = f"{inbox}-{number}-{secrets.token_hex(4)}"
        self._about: Message = {"from": self.name, "number": number, "attempt": attempt}
        self._lock = threading.Lock()
        self._over, self._heard = False, 0.0
        try:
            self._inbox, self._answers = Queue(inbox, client=client), Queue(self.name, client=client)
        except GONE as error:
            raise _gone(error) from error

    def tell(self, kind: str, **content: object) -> None:
        """Send a message that needs no answer; it is lost where the scheduler is gone."""
        with contextlib.suppress(*GONE), self._lock:
            self._inbox.put({**self._about, "kind": kind, "asks": False, **content})

    def ask(self, kind: str, **content: object) -> Message:
        """Send a message, and wait until the controller has acted on it.

        Raises:
            ClusterError: the controller can't be reached, or this worker no longer has the devices.
        """
        answer = self._answer(kind, content)
        if self._over:
            raise ClusterError("the run has ended, or its controller gave the devices to another worker")
        return answer

    @property
    def over(self) -> bool:
        """Whether this worker shall end: another one has its devices, the run ends, or the controller is gone."""
        if not self._over and time.monotonic() > self._heard + FRESH_S:
            with contextlib.suppress(ClusterError):
                self._answer("still", {})
        return self._over

    def _answer(self, kind: str, content: Message) -> Message:
        with self._lock:
            try:
                self._inbox.put({**self._about, "kind": kind, "asks": True, **content})
                answer = self._answers.get(timeout=ANSWER_S)
            except GONE as error:
                self._over = True
                raise _gone(error) from error
            self._heard = time.monotonic()
            self._over = self._over or bool(answer.get("over"))
            return dict(answer)

    def close(self) -> None:
        """Release the queues; never raises."""
        with contextlib.suppress(*GONE):
            self._answers.close()
            self._inbox.close()


def _gone(error: BaseException) -> ClusterError:
    return ClusterError(f"the run's controller can't be reached: {' '.join(str(error).split())[:300]}")


@contextlib.contextmanager
def reaching() -> Iterator[None]:
    """Map Dask's errors on the controller where the scheduler can't be reached.

    Raises:
        ClusterError: it can't.
    """
    try:
        yield
    except GONE as error:
        text = " ".join(str(error).split())[:300]
        raise ClusterError(f"the Dask scheduler can't be reached any more: {text}") from error
