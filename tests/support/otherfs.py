"""Other people's file systems: a library put before libc that refuses what NFS, CIFS or a FUSE file system refuses.

The calls are real, only the kernel's answer is another one: NFS locks nothing that is open for reading alone, CIFS
syncs no folder, and a server without its lock service answers ENOLCK to everybody.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

static int answer(const char *name) {
    const char *value = getenv(name);
    return value ? atoi(value) : 0;
}

int flock(int fd, int how) {
    int (*real)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
    int always = answer("OTHERFS_FLOCK"), reading = answer("OTHERFS_FLOCK_READING");
    if (always && !(how & LOCK_UN)) { errno = always; return -1; }
    if (reading && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) { errno = reading; return -1; }
    return real(fd, how);
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    struct stat state;
    int folder = answer("OTHERFS_FSYNC_FOLDER");
    if (folder && fstat(fd, &state) == 0 && S_ISDIR(state.st_mode)) { errno = folder; return -1; }
    return real(fd);
}
"""


def environment(folder: Path, *, flock: int = 0, flock_reading: int = 0, fsync_folder: int = 0) -> dict[str, str]:
    """Environment variables under which a program meets such a file system; the numbers are errnos, 0 for none."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler here: apt-get install gcc libc6-dev")
    library = folder / "otherfs.so"
    if not library.exists():
        source = folder / "otherfs.c"
        source.write_text(_SOURCE, encoding="utf-8")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, timeout=60)
    return {
        **os.environ, "LD_PRELOAD": str(library), "OTHERFS_FLOCK": str(flock),
        "OTHERFS_FLOCK_READING": str(flock_reading), "OTHERFS_FSYNC_FOLDER": str(fsync_folder),
    }  # fmt: skip
