"""The guard: a process between a controller and QEMU, which ensures that no board outlives its run.

The guard reads one JSON object from standard input, starts QEMU, and reports events as JSON lines on standard output.
Then it waits for the first of these: the end of QEMU, the word ``close``, SIGTERM, the end of input, the death of the
controller. In each case it ends QEMU and removes the board's folder. After the word ``detach`` it ignores the last two.
If the guard itself is killed, the kernel kills QEMU (PR_SET_PDEATHSIG), and the next boot removes the folder.

The harness runs it as ``python -m harness.emulate.guard``; it is no command for people.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TypedDict

from harness.core.errors import HarnessError, StoreError
from harness.core.locks import Lock
from harness.emulate.imagestore import Store, open_store
from harness.emulate.live import own_folder

_PR_SET_PDEATHSIG = 1
#: Limit of the serial log's size; beyond it the newer half is kept.
LOG_BYTES = 1 << 20
#: Seconds that a board may take to shut down before it is killed.
OFF_SECONDS = 10.0
_BIND_TRIES = 8

#: Placeholders on the command line for values that only the guard knows: the port and the disk.
PORT = "@PORT@"
STORE = "@STORE@"


class Order(TypedDict):
    """The guard's first input, as one line of JSON.

    Attributes:
        argv: the command line of QEMU with the two placeholders.
        live: the folder for the folders of live boards.
        store: the folder of the board's storage.
        seed: the file that a new storage copies.
        host_key: the board's public host key.
        state: a file to remove at the end.
        controller: the pid of the controller, whose end also ends the board.
    """

    argv: list[str]
    live: str
    store: str
    seed: str | None
    host_key: str
    state: str | None
    controller: int


class Started(TypedDict):
    """The event that QEMU runs. ``lost`` says why the storage's earlier content is gone."""

    event: str
    port: int
    pid: int
    guard: int
    folder: str
    log: str
    known_hosts: str
    persistent: bool
    lost: str | None


def main() -> int:
    """Entry point. Returns 0 if QEMU was started and has ended."""
    order: Order = json.loads(_first_line())
    # Ctrl-C is for the controller; SIGTERM becomes a readable byte below
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    live = Path(order["live"])
    state = Path(order["state"]) if order["state"] else None
    folder: Path | None = None
    try:
        try:
            folder, lock = own_folder(live)
        except (OSError, StoreError) as error:
            fix = "free space, or set HARNESS_CACHE to a folder of your own"
            why = error.message if isinstance(error, StoreError) else error.strerror or error
            _say(event="failed", message=f"{live} can't be used: {why}", fix=fix)
            return 1
        return _Guard(order, folder, lock).run()
    except HarnessError as error:
        _say(event="failed", message=error.message, fix=error.fix)
        return 1
    except OSError as error:
        _say(event="failed", message=f"QEMU can't be started: {error.strerror or error}", fix=None)
        return 1
    finally:
        if state is not None:
            with contextlib.suppress(OSError):
                state.unlink()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _first_line() -> bytes:
    """The first line of standard input, read byte by byte, because later words must stay in the pipe."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def _say(**event: object) -> None:
    """Report an event to the controller, which may have ended."""
    with contextlib.suppress(OSError, ValueError):
        print(json.dumps(event), flush=True)


def _die_with_parent(parent: int) -> None:
    """Between fork and exec: ask the kernel to kill this process when the guard ends, even if it has just ended."""
    # prctl(2) has five arguments
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def escaped(path: Path) -> str:
    """A file name inside a QEMU option list: commas are doubled."""
    return str(path).replace(",", ",,")


def fill(argv: list[str], *, port: int, store: Path) -> list[str]:
    """``argv`` with the two placeholders replaced."""
    return [word.replace(PORT, str(port)).replace(STORE, escaped(store)) for word in argv]


class _Guard:
    """The guard of one board, from the start of QEMU to its end."""

    def __init__(self, order: Order, folder: Path, lock: Lock) -> None:
        self.order = order
        self.folder = folder
        self.lock = lock
        self.log = folder / "serial.log"
        self.wake, wake_writer = socket.socketpair()
        wake_writer.setblocking(False)
        self.wake.setblocking(False)
        signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False)
        self._writer = wake_writer
        signal.signal(signal.SIGTERM, lambda *_: None)
        seed = Path(order["seed"]) if order["seed"] else None
        self.store: Store = open_store(Path(order["store"]), folder, seed)
        self.qemu: subprocess.Popen[bytes]
        self.port = 0

    def run(self) -> int:
        for _ in range(_BIND_TRIES):
            self._start()
            # a free port may be taken before QEMU binds it, so only QEMU can tell
            if not self._bind_failed():
                break
        else:
            _say(event="failed", message="QEMU found no free port on 127.0.0.1", fix=None)
            return 1
        (self.folder / "known_hosts").write_text(
            f"[127.0.0.1]:{self.port} {self.order['host_key']}\n", encoding="utf-8"
        )
        started = Started(
            event="started",
            port=self.port,
            pid=self.qemu.pid,
            guard=os.getpid(),
            folder=str(self.folder),
            log=str(self.log),
            known_hosts=str(self.folder / "known_hosts"),
            persistent=self.store.persistent,
            lost=self.store.lost,
        )
        _say(**started)
        try:
            self._watch()
        finally:
            self.qemu.kill()
            status = self.qemu.wait()
            _say(event="exited", status=status, tail=tail(self.log))
        return 0

    def _start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        argv = fill(self.order["argv"], port=self.port, store=self.store.path)
        parent = os.getpid()
        held = [lock.number for lock in (self.lock, self.store.lock) if lock is not None]
        self.qemu = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # QEMU inherits the locks, so they last until both have ended; preexec_fn is safe, as there are no threads
            pass_fds=held,
            preexec_fn=lambda: _die_with_parent(parent),
            cwd=self.folder,
        )

    def _bind_failed(self) -> bool:
        """Wait a moment for QEMU's first output. Returns whether QEMU ended because the port was taken."""
        assert self.qemu.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.qemu.stdout, selectors.EVENT_READ)
            while selector.select(timeout=0.5):
                data = os.read(self.qemu.stdout.fileno(), 1 << 16)
                self._keep(data)
                if not data:
                    self.qemu.wait()
                    return "Could not set up host forwarding" in tail(self.log)
                if b"host forwarding" not in data:
                    break
        return False

    def _keep(self, data: bytes) -> None:
        """Append to the serial log, within its limit."""
        with self.log.open("ab") as handle:
            handle.write(data)
            size = handle.tell()
        if size > LOG_BYTES:
            self.log.write_bytes(self.log.read_bytes()[-LOG_BYTES // 2 :])

    def _watch(self) -> None:
        """Wait until the board has ended or must be killed."""
        assert self.qemu.stdout is not None
        selector = selectors.DefaultSelector()
        selector.register(self.qemu.stdout, selectors.EVENT_READ, "serial")
        selector.register(self.wake, selectors.EVENT_READ, "term")
        selector.register(0, selectors.EVENT_READ, "control")
        # a child of the controller may hold the pipe open, so watch the controller itself as well
        controller = os.pidfd_open(self.order["controller"])
        selector.register(controller, selectors.EVENT_READ, "controller")
        deadline: float | None = None
        while deadline is None or time.monotonic() < deadline:
            for key, _ in selector.select(None if deadline is None else max(0.0, deadline - time.monotonic())):
                word = b""
                if key.data == "serial":
                    data = os.read(self.qemu.stdout.fileno(), 1 << 16)
                    if not data:
                        return
                    self._keep(data)
                    continue
                if key.data == "term":
                    word = b"close" if self.wake.recv(64) else b""
                elif key.data == "control":
                    word = os.read(0, 64).strip()
                if word == b"detach":
                    selector.unregister(0)
                    selector.unregister(controller)
                elif word == b"close":
                    deadline = deadline or self._switch_off()
                else:
                    return

    def _switch_off(self) -> float:
        """Ask the board to shut down. Returns the deadline for it (time.monotonic seconds)."""
        assert self.qemu.stdin is not None
        with contextlib.suppress(OSError):
            self.qemu.stdin.write(b"off\n")
            self.qemu.stdin.flush()
        return time.monotonic() + OFF_SECONDS


def tail(log: Path, limit: int = 2000) -> str:
    """The end of a serial log as printable text, at most ``limit`` characters."""
    try:
        text = log.read_bytes()[-4 * limit :].decode(errors="replace")
    except OSError:
        return ""
    return "".join(c for c in text if c.isprintable() or c == "\n")[-limit:].strip()


if __name__ == "__main__":
    sys.exit(main())
