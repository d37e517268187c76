"""The command line for a board's login shell: a form that every shell accepts, with a frame around the program's
output.

The login shell may be any (bash, zsh, fish, csh...), and its start-up files may print anything. So it is only asked to
start ``sh``, with words that no shell interprets. Everything else is sent to that ``sh``, which prints a random word
before and after the program's output. Output outside these words belongs to the login shell, not to the program.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Mapping, Sequence

#: Set for every program on a board, so that the user's locale and packages don't matter and the environment is always
#: the same. Where C.UTF-8 is missing, PYTHONUTF8 gives Python 3.7 and newer UTF-8.
SETTINGS = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1"}

#: Variables that change a shell, Python or a tool are removed; for Python, all that its manual lists (up to 3.14).
_SHELL = ("ENV", "BASH_ENV", "CDPATH", "GLOBIGNORE", "POSIXLY_CORRECT", "GREP_OPTIONS", "GREP_COLOR", "TAR_OPTIONS")
_LOCALE = ("LANG", "LANGUAGE", "LC_CTYPE", "LC_MESSAGES", "LC_NUMERIC", "LC_TIME", "LC_COLLATE")
#: These differ between two connections, and the size of the environment moves a program's stack.
_SESSION = ("SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "SSH_AUTH_SOCK", "SSH_ORIGINAL_COMMAND", "XDG_SESSION_ID")
_PYTHON = (
    "ASYNCIODEBUG BREAKPOINT CASEOK COERCECLOCALE DEBUG DEVMODE DONTWRITEBYTECODE DUMPREFS EXECUTABLE FAULTHANDLER "
    "HASHSEED HOME INSPECT INTMAXSTRDIGITS IOENCODING LEGACYWINDOWSFSENCODING MALLOC MALLOCSTATS NODEBUGRANGES "
    "NOUSERSITE OPTIMIZE PATH PERFSUPPORT PLATLIBDIR PROFILEIMPORTTIME PYCACHEPREFIX SAFEPATH STARTUP THREADDEBUG "
    "TRACEMALLOC UNBUFFERED USERBASE UTF8 VERBOSE WARNDEFAULTENCODING WARNINGS _BASIC_REPL _COLORS "
    "_CONTEXT_AWARE_WARNINGS _CPU_COUNT _DISABLE_REMOTE_DEBUG _FROZEN_MODULES _GIL _HISTORY _JIT _PERF_JIT_SUPPORT "
    "_PRESITE _THREAD_INHERIT_CONTEXT _TLBC"
)
UNSET = (*_SHELL, *_LOCALE, *_SESSION, *(f"PYTHON{name}" for name in _PYTHON.split()))

#: Programs start here. In the home folder, where an SSH session starts, a file may have the name of a Python module.
FOLDER = "/"

#: Programs are also searched here, since a start-up file may have replaced PATH.
_ALSO_PATH = "/usr/local/bin:/usr/bin:/bin"
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-=,: ")
#: The original csh accepts no word above 4,096 characters.
_WORD_CHARS = 800


class Frame:
    """The random word around one program's output, and the command that makes ``sh`` print it."""

    def __init__(self) -> None:
        self.word = secrets.token_hex(8)
        self.begin = f"{self.word}<\n".encode()
        self.end = re.compile(f"{self.word}>(\\d{{1,3}})\n".encode())
        #: the longest possible end
        self.end_bytes = len(self.word) + 5

    def command(self, argv: Sequence[str], env: Mapping[str, str] | None = None, *, sh: str = "sh") -> str:
        """The line for the login shell. Characters beyond UTF-8 in ``argv`` are surrogates, as in :func:`os.fsdecode`.

        ``env`` is for the program alone. ``sh`` exits with 128 plus the signal's number where a signal ended the
        program.
        """
        given = [f"{key}={shlex.quote(value)}" for key, value in {**SETTINGS, **(env or {})}.items()]
        script = "; ".join(
            (
                f"unset {' '.join(UNSET)}",
                f'PATH="${{PATH:+$PATH:}}{_ALSO_PATH}"',
                "export PATH",
                "umask 077",
                f"cd {FOLDER}",
                f"printf '{self.word}<\\n'",
                f"printf '{self.word}<\\n' >&2",
                f"{' '.join(['env', *given])} {shlex.join(argv)}",
                "set -- $?",
                f"printf '{self.word}>%d\\n' \"$1\"",
                f"printf '{self.word}>%d\\n' \"$1\" >&2",
                'exit "$1"',
            )
        )
        return " ".join([sh, "-c", """'eval "$(printf %b "$@")"'""", "sh", *map(_quoted, _pieces(script))])

    def inside(self, output: bytes) -> bytes:
        """The part of ``output`` between the two marks; all of it where a mark was cut off."""
        output = output.rpartition(self.begin)[2]
        end_mark = self.end.search(output)
        return output[: end_mark.start()] if end_mark else output


def _pieces(script: str) -> list[str]:
    """The script for printf's ``%b``, in words of bounded size: safe characters as they are, other bytes in octal."""
    coded = [chr(b) if b in _SAFE else f"\\0{b:03o}" for b in script.encode("utf-8", "surrogateescape")]
    per_word = _WORD_CHARS // 5
    return ["".join(coded[at : at + per_word]) for at in range(0, len(coded), per_word)]


def _quoted(word: str) -> str:
    return f"'{word}'"
