"""An S3-speaking server on loopback, and a line to it that refuses, delays and cuts by a seeded plan."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

BUCKET = "bench"
#: How the library finds the server, and no settings of this machine's user.
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "only-a-test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "2",  # of the library itself; our own tries come on top
}
FAULTS = ("refused", "delayed", "request cut", "answer cut")
_DELAY_S = 0.3


class FaultyLine:
    """Forwards TCP connections to a server; a share of the exchanges on them meets a fault.

    An exchange is a request and its answer. The plan of faults follows from the seed alone; which exchange meets which
    depends on their order.

    Attributes:
        share: of the exchanges that meet a fault.
        down: resets all that comes, as if nobody were there.
        met: how many exchanges met each fault, and how many there were, as ``all``.
    """

    def __init__(self, upstream: tuple[str, int], *, seed: int = 1, share: float = 0.0) -> None:
        self.share, self.down = share, False
        self.met: Counter[str] = Counter()
        self._upstream, self._random, self._lock = upstream, random.Random(seed), threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _next(self) -> str:
        with self._lock:
            fault = self._random.choice(FAULTS) if self._random.random() < self.share else ""
            self.met["all"] += 1
            if fault:
                self.met[fault] += 1
            return "refused" if self.down else fault

    def _forward(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(self._upstream) as server:
            asking, fault = False, ""
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(1 << 16)
                    if not data:
                        return
                    if source is client and not asking:
                        fault = self._next()
                        time.sleep(_DELAY_S if fault == "delayed" else 0)
                    asking = source is client
                    cut = (fault == "request cut" and asking) or (fault == "answer cut" and not asking)
                    other = server if asking else client
                    if fault == "refused" or cut:
                        if cut:
                            other.sendall(data[: len(data) // 2])
                        # a reset: the connection is closed with data unread and nothing lingering
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return
                    other.sendall(data)


@pytest.fixture(scope="session")
def s3_address() -> Iterator[tuple[str, int]]:
    """The server itself."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield host, port
    server.stop()


@pytest.fixture
def s3(s3_address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyLine]:
    """A line without faults to the server, on which there is one empty bucket; this process and its children use it."""
    import boto3

    line = FaultyLine(s3_address)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
    client = boto3.client("s3", endpoint_url=f"http://{s3_address[0]}:{s3_address[1]}")
    client.create_bucket(Bucket=BUCKET)
    yield line
    line.close()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for each in page.get("Contents", ()):
            client.delete_object(Bucket=BUCKET, Key=each["Key"])
    client.delete_bucket(Bucket=BUCKET)
    client.close()
