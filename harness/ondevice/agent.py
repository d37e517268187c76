"""The errand-runner on a board: looks at the machine and keeps the store of files by content hash.

Python 3.6 syntax and standard library alone. The controller has ``python3 -c`` read this text from stdin, so nothing
has to be installed first and no old copy can be left behind. One JSON object goes to stdout; exit 0: it is complete.

    probe ROOT                 what machine is this, and can the folder ROOT be used
    have ROOT KIND:SHA...      which of these are in the store, whole
    receive ROOT KIND:SHA SIZE take SIZE bytes from stdin into the store, verified
    lease ROOT OWNER TOKEN     hold the board for one controller until stdin ends or is silent for too long
    check ROOT OWNER TOKEN SIZE KIND:SHA...
                               all of these once, as a run would: the first name is received if it is not there

KIND is ``object`` (a file) or ``wheel`` (unpacked into a folder that a runner imports from).
"""

import sys

sys.path[:] = [folder for folder in sys.path if folder]  # "": a module is never looked for where we happen to stand
if sys.version_info < (3, 6):
    sys.stdout.write('{"error": "Python %d.%d is too old", "kind": "python-old"}\n' % sys.version_info[:2])
    sys.exit(1)

import errno
import fcntl
import hashlib
import json
import mmap
import os
import platform
import re
import select
import shutil
import signal
import time
import zipfile
from typing import Any, Dict, List, Optional, Tuple

CHUNK = 1 << 16


def read(path: str, limit: int = 1 << 16) -> Optional[str]:
    try:
        with open(path, "rb") as handle:
            return handle.read(limit).decode("utf-8", "replace").strip("\0\n ")
    except OSError:
        return None


def module_version(name: str) -> Optional[str]:
    """Version of a package of the board's own Python, or None. Not imported: that may take seconds, or crash."""
    try:
        try:
            from importlib import metadata

            return metadata.version(name)
        except ImportError:
            packages = __import__("pkg_resources")  # what Python 3.6 and 3.7 have
            return str(packages.get_distribution(name).version)
    except Exception:
        return None


def cpu() -> Dict[str, Any]:
    text = read("/proc/cpuinfo", 1 << 18) or ""

    def first(key: str) -> Optional[str]:
        found = re.search(r"^%s\s*:\s*(.+)$" % re.escape(key), text, re.M)
        return found.group(1).strip() if found else None

    features = (first("Features") or first("flags") or "").split()
    return {
        "model": first("model name") or first("Model"),
        "implementer": first("CPU implementer"),
        "part": first("CPU part"),
        "features": features[:512],
        "cores": os.cpu_count(),
    }


def memory_bytes() -> Optional[int]:
    found = re.search(r"^MemTotal:\s+(\d+) kB", read("/proc/meminfo") or "", re.M)
    return int(found.group(1)) * 1024 if found else None


def os_name() -> Optional[str]:
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', read("/etc/os-release") or "", re.M)
    return found.group(1) if found else None


def libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, AttributeError, OSError):
        return " ".join(platform.libc_ver())


def make(folder: str) -> None:
    """A folder with those above it, ours alone. An error names the one that can't be made, or stands in the way."""
    if os.path.isdir(folder):
        return
    if os.path.lexists(folder):
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
    make(os.path.dirname(folder))
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:  # by another process, meanwhile
        pass


def tried(root: str) -> Optional[str]:
    """Write a file, read it back, and load it as a program library is loaded. Says why the last one is not possible.

    Raises OSError where nothing can be written.
    """
    make(root)
    path = os.path.join(root, ".try.%d" % os.getpid())
    content = os.urandom(1 << 12)
    try:
        with open(path, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        with open(path, "rb") as handle:
            if handle.read() != content:
                raise OSError(errno.EIO, "what is written there is not what is read", path)
            try:
                mmap.mmap(handle.fileno(), len(content), mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()
            except OSError as error:
                return str(error)
    except OSError as error:
        raise OSError(error.errno, error.strerror, root)
    finally:
        if os.path.exists(path):
            os.remove(path)
    return None


def probe(root: str) -> Dict[str, Any]:
    no_exec = tried(root)
    usage = shutil.disk_usage(root)
    uname = os.uname()
    return {
        "machine": uname.machine,
        "kernel": uname.release,
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "os": os_name(),
        "libc": libc(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "cpu": cpu(),
        "board": read("/proc/device-tree/model"),
        "memory_bytes": memory_bytes(),
        "disk_free_bytes": usage.free,
        "time_s": time.time(),
        "numpy": module_version("numpy"),
        "no_exec": no_exec,
    }


def place(root: str, name: str) -> Tuple[str, str, str]:
    kind, _, digest = name.partition(":")
    if kind not in ("object", "wheel") or not re.match(r"^[0-9a-f]{64}$", digest):
        raise ValueError("bad name %r" % name)
    return kind, digest, os.path.join(root, kind + "s", digest)


def digest_of(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for chunk in iter(lambda: handle.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def have(root: str, names: List[str]) -> Dict[str, Any]:
    """A file counts when its content still has its hash; a folder when it was completed (its rename came last)."""
    found = []
    for name in names:
        kind, digest, path = place(root, name)
        if kind == "object" and os.path.isfile(path):
            if digest_of(path) == digest:
                found.append(name)
            else:
                os.remove(path)
        elif kind == "wheel" and os.path.isdir(path):
            found.append(name)
    return {"have": found}


def receive(root: str, name: str, size: int) -> Dict[str, Any]:
    kind, digest, path = place(root, name)
    folder = os.path.dirname(path)
    make(folder)
    part = os.path.join(folder, ".%s.%d" % (digest, os.getpid()))
    seen = hashlib.sha256()
    left = size
    try:
        with open(part, "wb") as handle:
            while left:
                chunk = sys.stdin.buffer.read(min(CHUNK, left))
                if not chunk:
                    raise EOFError("%d of %d bytes never came" % (left, size))
                seen.update(chunk)
                handle.write(chunk)
                left -= len(chunk)
        if seen.hexdigest() != digest:
            raise ValueError("arrived with SHA-256 %s" % seen.hexdigest())
        if digest_of(part) != digest:
            raise ValueError("was not stored as it arrived")
        if kind == "wheel":
            unpacked = part + ".d"
            with zipfile.ZipFile(part) as archive:
                archive.extractall(unpacked)
            os.remove(part)
            os.sync()
            shutil.rmtree(path, ignore_errors=True)
            os.rename(unpacked, path)
        else:
            os.rename(part, path)
        os.sync()
    finally:
        for left_over in (part, part + ".d"):
            if os.path.isdir(left_over):
                shutil.rmtree(left_over, ignore_errors=True)
            elif os.path.exists(left_over):
                os.remove(left_over)
    return {"received": name, "bytes": size}


def lease(root: str, owner: str, token: str) -> Dict[str, Any]:
    """The kernel's lock on a file: it ends with this process, whatever happened, and needs no clock to agree.

    Each line on stdin is for how many seconds from now the lease goes on; the first 120 s are free. Silence beyond that
    means that the controller or the network is gone without having said so. A controller that comes back with the same
    token takes the lock from the process it started before.
    """
    handle = lock_file(root)
    if not locked(handle):
        words = holder(handle)
        if words[1] != token or not took_over(handle, words[2]):
            return {"granted": False, "owner": words[0], "token": words[1]}
    sign(handle, owner, token)
    end_runners(root)
    sys.stdout.write(json.dumps({"granted": True}) + "\n")
    sys.stdout.flush()
    left = 120.0
    while select.select([0], [], [], left)[0]:
        line = os.read(0, 100)
        if not line:
            break
        left = float(line.split()[-1])
    return {"ended": True}


def check(root: str, owner: str, token: str, size: int, names: List[str]) -> Dict[str, Any]:
    """Everything that a run does before its first cell. What was found out before an error is in the answer, too.

    Another check by the same controller, which knows this board under two names, is waited for.
    """
    answer = {"probe": probe(root)}  # type: Dict[str, Any]
    try:
        handle = lock_file(root)
        for _ in range(200):
            answer["granted"] = locked(handle)
            if answer["granted"]:
                sign(handle, owner, token)
                break
            answer["owner"], holding, _ = holder(handle)
            if holding != token:
                return answer
            time.sleep(0.02)
        answer.update(have(root, names))
        if names[0] not in answer["have"]:
            receive(root, names[0], size)
        handle.close()
    except FAULTS as error:
        answer.update(failure(error))
    return answer


def lock_file(root: str) -> Any:
    make(root)
    return open(os.path.join(root, "lease"), "ab+")


def sign(handle: Any, owner: str, token: str) -> None:
    """Say whose the lock is."""
    handle.seek(0)
    handle.truncate()
    handle.write(os.fsencode("%s\n%s\n%d" % (owner[:200].replace("\n", " "), token[:32], os.getpid())))
    handle.flush()


def locked(handle: Any) -> bool:
    """Whether the lock is ours now; False where it is another's, and nothing else."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def holder(handle: Any) -> List[str]:
    """Owner, token and pid of who has the lock; who has just taken it may not have written them yet."""
    for _ in range(20):
        handle.seek(0)
        words = handle.read(900).decode("utf-8", "replace").split("\n")  # type: List[str]
        if len(words) == 3:
            return words
        time.sleep(0.02)
    return ["", "", ""]


def took_over(handle: Any, pid: str) -> bool:
    """End our own earlier holder, whose connection is dead, and take its lock."""
    if not pid.isdigit() or b"lease" not in command_line(pid):
        return False
    os.kill(int(pid), signal.SIGKILL)
    for _ in range(100):
        if locked(handle):
            return True
        time.sleep(0.05)
    return False


def command_line(pid: str) -> List[bytes]:
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as handle:
            return handle.read(1 << 18).split(b"\0")
    except OSError:
        return []


def end_runners(root: str) -> None:
    """A runner of ours that still works here has lost its controller: it would only disturb the next measurement."""
    results = os.fsencode(os.path.join(root, "results", ""))
    for pid in filter(str.isdigit, os.listdir("/proc")):
        words = command_line(pid)
        if b"--job" in words and words[-2:-1] and words[-2].startswith(results):
            try:
                os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass


FAULTS = (OSError, ValueError, EOFError, zipfile.BadZipFile, MemoryError)


def failure(error: BaseException) -> Dict[str, Any]:
    """What went wrong; of the file system's errors the number's name and the path."""
    if not isinstance(error, OSError) or not error.errno:
        return {"error": "%s: %s" % (type(error).__name__, error)}
    path = error.filename if isinstance(error.filename, str) else ""
    return {
        "error": os.strerror(error.errno),
        "errno": errno.errorcode.get(error.errno, str(error.errno)),
        "path": os.fsencode(path).decode("utf-8", "replace"),
    }


def main(argv: List[str]) -> int:
    command, root = argv[1], argv[2]
    try:
        if command == "probe":
            answer = probe(root)
        elif command == "have":
            answer = have(root, argv[3:])
        elif command == "lease":
            answer = lease(root, argv[3], argv[4])
        elif command == "receive":
            answer = receive(root, argv[3], int(argv[4]))
        elif command == "check":
            answer = check(root, argv[3], argv[4], size=int(argv[5]), names=argv[6:])
        else:
            raise ValueError("unknown command %r" % command)
    except FAULTS as error:
        answer = failure(error)
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "error" in answer else 0


sys.exit(main(sys.argv))
