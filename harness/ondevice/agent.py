"""The errand-runner on a board: looks at the machine and keeps the store of files by content hash.

Python 3.6 syntax and standard library alone. The controller passes this text to ``python3 -c``, so nothing has to be
installed first and no old copy can be left behind. One JSON object goes to stdout; exit 0 means it is complete.

    probe ROOT                 what machine is this
    have ROOT KIND:SHA...      which of these are in the store, whole
    receive ROOT KIND:SHA SIZE take SIZE bytes from stdin into the store, verified
    lease ROOT OWNER TOKEN     hold the board for one controller until stdin ends or is silent for too long

KIND is ``object`` (a file) or ``wheel`` (unpacked into a folder that goes on PYTHONPATH).
"""

import fcntl
import hashlib
import json
import os
import platform
import re
import select
import shutil
import signal
import sys
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
        packages = __import__("pkg_resources")  # what Python 3.6 and 3.7 have
        return str(packages.get_distribution(name).version)
    except Exception:
        try:
            from importlib import metadata

            return metadata.version(name)
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


def probe(root: str) -> Dict[str, Any]:
    os.makedirs(root, mode=0o700, exist_ok=True)
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
    os.makedirs(folder, mode=0o700, exist_ok=True)
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
    os.makedirs(root, mode=0o700, exist_ok=True)
    handle = open(os.path.join(root, "lease"), "a+", encoding="utf-8")
    if not locked(handle):
        handle.seek(0)
        words = handle.read(300).split("\n")
        if len(words) < 3 or words[1] != token or not took_over(handle, words[2]):
            return {"granted": False, "owner": words[0]}
    handle.seek(0)
    handle.truncate()
    handle.write("%s\n%s\n%d" % (owner[:200].replace("\n", " "), token[:32], os.getpid()))
    handle.flush()
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


def locked(handle: Any) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except (IOError, OSError):
        return False


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
    results = os.path.join(root, "results", "").encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        words = command_line(pid)
        if b"--job" in words and words[-2:-1] and words[-2].startswith(results):
            try:
                os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass


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
        else:
            raise ValueError("unknown command %r" % command)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        answer = {"error": "%s: %s" % (type(error).__name__, error), "errno": getattr(error, "errno", None)}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "error" in answer else 0


sys.exit(main(sys.argv))
