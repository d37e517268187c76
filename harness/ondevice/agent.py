"""The controller's agent on a board: it probes the machine and keeps a store of files by content hash.

It uses Python 3.6 syntax and the standard library alone. The controller sends this text to ``python3 -c`` on stdin, so
nothing has to be installed and no old copy can stay behind. One JSON object goes to stdout; exit 0: it is complete.

    probe ROOT                 describe the machine, and check that the folder ROOT can be used
    have ROOT KIND:SHA...      list which of these are complete in the store
    receive ROOT KIND:SHA SIZE take SIZE bytes from stdin into the store, verified
    lease ROOT OWNER TOKEN     reserve the board for one controller until stdin ends or stays silent for too long
    check ROOT OWNER TOKEN SIZE KIND:SHA...
                               do all of these once, as a run would; the first name is received if it is missing

KIND is ``object`` (a file) or ``wheel`` (unpacked into a folder that a runner imports from).
"""

import sys

sys.path[:] = [folder for folder in sys.path if folder]  # "": never import a module from the working directory
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
    """The version of a package of the board's own Python, or None. An import could take seconds or crash."""
    try:
        try:
            from importlib import metadata

            return metadata.version(name)
        except ImportError:
            packages = __import__("pkg_resources")  # for Python 3.6 and 3.7
            return str(packages.get_distribution(name).version)
    except Exception:
        return None


def cpu() -> Dict[str, Any]:
    text = read("/proc/cpuinfo", 1 << 18) or ""

    def first(key: str) -> Optional[str]:
        match = re.search(r"^%s\s*:\s*(.+)$" % re.escape(key), text, re.M)
        return match.group(1).strip() if match else None

    features = (first("Features") or first("flags") or "").split()
    return {
        "model": first("model name") or first("Model"),
        "implementer": first("CPU implementer"),
        "part": first("CPU part"),
        "features": features[:512],
        "cores": os.cpu_count(),
    }


def memory_bytes() -> Optional[int]:
    match = re.search(r"^MemTotal:\s+(\d+) kB", read("/proc/meminfo") or "", re.M)
    return int(match.group(1)) * 1024 if match else None


def os_name() -> Optional[str]:
    match = re.search(r'^PRETTY_NAME="?([^"\n]*)', read("/etc/os-release") or "", re.M)
    return match.group(1) if match else None


def libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, AttributeError, OSError):
        return " ".join(platform.libc_ver())


def make(folder: str) -> None:
    """Make a private folder and its parents. An error names the folder that can't be made or the file in its place."""
    if os.path.isdir(folder):
        return
    if os.path.lexists(folder):
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
    make(os.path.dirname(folder))
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:  # another process made it meanwhile
        pass


def tried(root: str) -> Optional[str]:
    """Write a file, read it back, and map it as a shared library is mapped.

    Returns why the file can't be mapped, or None. Raises OSError if nothing can be written.
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
    """List the names in the store. A file must still match its hash; a folder is complete, as its rename comes last."""
    present = []
    for name in names:
        kind, digest, path = place(root, name)
        if kind == "object" and os.path.isfile(path):
            if digest_of(path) == digest:
                present.append(name)
            else:
                os.remove(path)
        elif kind == "wheel" and os.path.isdir(path):
            present.append(name)
    return {"have": present}


def receive(root: str, name: str, size: int) -> Dict[str, Any]:
    kind, digest, path = place(root, name)
    folder = os.path.dirname(path)
    make(folder)
    part = os.path.join(folder, ".%s.%d" % (digest, os.getpid()))
    received = hashlib.sha256()
    left = size
    try:
        with open(part, "wb") as handle:
            while left:
                chunk = sys.stdin.buffer.read(min(CHUNK, left))
                if not chunk:
                    raise EOFError("%d of %d bytes never came" % (left, size))
                received.update(chunk)
                handle.write(chunk)
                left -= len(chunk)
        if received.hexdigest() != digest:
            raise ValueError("arrived with SHA-256 %s" % received.hexdigest())
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
    """Hold a kernel lock on a file. It ends with this process for any reason, and needs no clocks that agree.

    Each line on stdin extends the lease to that many seconds from now; the first 120 s need no line. Longer silence
    means that the controller or the network is gone. A controller that comes back with the same token takes the lock
    from the process that it started before.
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
    """Do all that a run does before its first cell. After an error the answer still has the results so far.

    It waits for another check by the same controller, because devices.yaml may name one board twice.
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
    """Write owner, token and pid of the holder into the lock file."""
    handle.seek(0)
    handle.truncate()
    handle.write(os.fsencode("%s\n%s\n%d" % (owner[:200].replace("\n", " "), token[:32], os.getpid())))
    handle.flush()


def locked(handle: Any) -> bool:
    """Try to take the lock. Returns False if another process holds it; other errors are raised."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def holder(handle: Any) -> List[str]:
    """Owner, token and pid of the lock's holder. A holder that has just taken it may not have written them yet."""
    for _ in range(20):
        handle.seek(0)
        words = handle.read(900).decode("utf-8", "replace").split("\n")  # type: List[str]
        if len(words) == 3:
            return words
        time.sleep(0.02)
    return ["", "", ""]


def took_over(handle: Any, pid: str) -> bool:
    """End the earlier holder of the same token, whose connection is dead, and take its lock."""
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
    """End runners that have lost their controller: they would disturb the next measurement."""
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
    """The answer for an error. For an error of the file system it has the name of the errno, and the path."""
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
