"""Boards as they occur in practice, each with one peculiarity that developers rarely have on their own boards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.strangers.accounts import Account
from benchmarks.strangers.servers import Server
from benchmarks.strangers.stranger import Finding, Stranger
from benchmarks.strangers.world import World

ANOTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAHRSrMiN4nUpASV9vbxDKCFQYSXHlF4CZvCH8yMqCl5"


#: Any code except those for boards that were never reached.
BOARDS_OWN = "(?!host-key|authentication|unreachable|internal|no-answer).*"


class Unavailable(Exception):
    """Raised where this machine can't have such a board; the message says why."""


@dataclass
class Scene:
    """The state that the boards of one matrix share: the stranger, one server with defaults, and a jump host."""

    world: World
    stranger: Stranger
    public: str
    server: Server
    hop: Server
    #: lines for ~/.ssh/config and ~/.ssh/known_hosts
    config: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)

    def account(self, *, shell: str = "/bin/bash", home: str = "", fresh: bool = False) -> Account:
        """A board's user whom our key lets in. Unless it is ``fresh``, a runtime was sent to that board before."""
        made = self.world.account(shell=shell, home=home)
        made.authorize(self.public)
        if not fresh:
            self.world.supply(made)
        return made

    def own_server(self, *options: str) -> Server:
        made = self.world.server(*options, key_types=["ed25519"])
        self.known.append(made.known())
        return made

    def device(self, account: Account, server: Server | None = None, **more: object) -> dict[str, object]:
        return {"user": account.name, **(server or self.server).place, **more}

    def host(self, name: str, lines: str, **more: object) -> dict[str, object]:
        """Add a host to ~/.ssh/config, distinguished from the others by name."""
        self.config.append(f"Host {name}\n" + "".join(f"    {line}\n" for line in lines.splitlines()))
        return {"host": name, **more}


@dataclass(frozen=True)
class Kind:
    """One board. ``works`` says whether it can be measured; ``code`` and ``says`` (regular expressions) are what both
    programs report where it can't.
    """

    name: str
    make: Callable[[Scene], dict[str, object]]
    works: bool = True
    code: str = BOARDS_OWN
    says: str = ""

    def judges(self, finding: Finding) -> bool:
        """Whether a finding names the actual fault."""
        return bool(re.fullmatch(self.code, finding.code) and re.search(self.says, finding.text))


def _shell(path: str, *, fresh: bool = False) -> Callable[[Scene], dict[str, object]]:
    def make(scene: Scene) -> dict[str, object]:
        if not os.access(path, os.X_OK):
            raise Unavailable(f"no {path} here")
        return scene.device(scene.account(shell=path, fresh=fresh))

    return make


def _shell_missing(scene: Scene) -> dict[str, object]:
    return scene.device(scene.account(shell="/usr/bin/no-such-shell"))


def _busybox(scene: Scene) -> dict[str, object]:
    program = shutil.which("busybox")
    if program is None:
        raise Unavailable("no busybox here")
    shell = scene.world.folder / "ash"
    shell.symlink_to(program)
    return scene.device(scene.account(shell=str(shell)))


def _files(content: dict[str, str], shell: str = "/bin/bash") -> Callable[[Scene], dict[str, object]]:
    """A home with these files; ``{home}`` in them is replaced by the folder."""

    def make(scene: Scene) -> dict[str, object]:
        if not os.access(shell, os.X_OK):
            raise Unavailable(f"no {shell} here")
        account = scene.account(shell=shell)
        for name, text in content.items():
            account.write(name, text.replace("{home}", str(account.home)))
        return scene.device(account)

    return make


def _server(*options: str) -> Callable[[Scene], dict[str, object]]:
    return lambda scene: scene.device(scene.account(fresh=True), scene.own_server(*options))


def _umlaut(scene: Scene) -> dict[str, object]:
    return scene.device(
        scene.account(home="Zuhause für Bäcker", fresh=True), scene.own_server("SetEnv LC_ALL=C LANG=C")
    )


def _cache_is_a_file(scene: Scene) -> dict[str, object]:
    account = scene.account(fresh=True)
    account.write(".cache", "")
    return scene.device(account)


def _mounted(
    options: str, *, full: bool = False, again: str = "", **more: object
) -> Callable[[Scene], dict[str, object]]:
    """A home on a separate file system; ``again`` are the options it gets once the key is in place."""

    def make(scene: Scene) -> dict[str, object]:
        account = scene.world.account()
        if not scene.world.mount(account.home, f"mode=755,{options}", account):
            raise Unavailable("may not mount")
        account.authorize(scene.public)
        if full:
            _fill(account.home / "video.raw")
        if again:
            scene.world.remount(account.home, again)
        return scene.device(account, **more)

    return make


def _fill(path: Path) -> None:
    try:
        with path.open("wb", buffering=0) as stream:
            while stream.write(b"\0" * 65536):
                pass
    except OSError:
        pass


def _elsewhere(scene: Scene) -> dict[str, object]:
    """A board with a read-only home; devices.yaml names another folder."""
    device = _mounted("size=900m", again="ro")(scene)
    folder = scene.world.folder / "elsewhere"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    return {**device, "dir": str(folder / "harness")}


def _refused(scene: Scene) -> dict[str, object]:
    return scene.device(scene.world.account())  # the key was never put there


def _down(scene: Scene) -> dict[str, object]:
    server = scene.own_server()
    server.stop()
    return scene.device(scene.account(), server)


def _unknown(scene: Scene) -> dict[str, object]:
    return scene.device(scene.account(), scene.world.server(key_types=["ed25519"]))


def _changed(scene: Scene) -> dict[str, object]:
    server = scene.world.server(key_types=["ed25519"])
    scene.known.append(f"{server.name} {ANOTHER_KEY}\n")
    return scene.device(scene.account(), server)


def _revoked(scene: Scene) -> dict[str, object]:
    server = scene.own_server()
    scene.known.append(f"@revoked {server.name} {server.keys['ed25519']}\n")
    return scene.device(scene.account(), server)


def _end(scene: Scene, server: Server) -> str:
    return f"HostName {server.address}\nPort {server.port}\nUser {scene.account(fresh=True).name}\n"


def _hop(scene: Scene, extra: str = "") -> str:
    user = "" if "User " in extra else f"User {scene.account(fresh=True).name}\n"
    return f"HostName {scene.hop.address}\nPort {scene.hop.port}\n{user}{extra}"


def _behind(scene: Scene) -> dict[str, object]:
    scene.host("hop", _hop(scene))
    return scene.host("behind", _end(scene, scene.server) + "ProxyJump hop\n")


def _behind_unknown(scene: Scene) -> dict[str, object]:
    scene.host("hop-unknown", _hop(scene, "HostKeyAlias never-met\n"))
    return scene.host("behind-unknown", _end(scene, scene.server) + "ProxyJump hop-unknown\n")


def _behind_refused(scene: Scene) -> dict[str, object]:
    scene.host("hop-refused", _hop(scene, "User nobody-here\n"))
    return scene.host("behind-refused", _end(scene, scene.server) + "ProxyJump hop-refused\n")


def _down_behind(scene: Scene) -> dict[str, object]:
    server = scene.own_server()
    server.stop()
    scene.host("good-hop", _hop(scene))
    return scene.host("down-behind", _end(scene, server) + "ProxyJump good-hop\n")


def _key_file(name: str) -> Callable[[Scene], dict[str, object]]:
    """A board that only the key ``~/.ssh/other`` opens; ``name`` is given for that key."""

    def make(scene: Scene) -> dict[str, object]:
        account = scene.world.account()
        public = scene.stranger.home / ".ssh/other.pub"
        account.authorize(public.read_text(encoding="utf-8") if public.exists() else scene.stranger.make_key("other"))
        return scene.device(account, identity_file=f"~/.ssh/{name}")

    return make


def _user_site(scene: Scene) -> dict[str, object]:
    """Files that Python itself imports from a home folder at every start."""
    asked = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"], capture_output=True,
        encoding="utf-8", check=False,
    )  # fmt: skip
    if asked.returncode:
        raise Unavailable("no /usr/bin/python3 here")
    return _files({f".local/lib/{asked.stdout.strip()}/site-packages/usercustomize.py": BROKEN})(scene)


def _shim(scene: Scene) -> dict[str, object]:
    """A fake python3 that prints instructions."""
    folder = scene.world.folder / "shims"
    folder.mkdir()
    (folder / "python3").write_text(
        '#!/bin/sh\necho "pyenv: python3: command not found" >&2\nexit 127\n', encoding="utf-8"
    )
    (folder / "python3").chmod(0o755)
    return scene.device(scene.account(), scene.own_server(f"SetEnv PATH={folder}:/usr/bin:/bin"))


#: A ``typing`` module that fails on import, and files that are no modules.
BROKEN = "raise SystemExit('somebody imported me')\n"
MATRIX = (
    Kind("bash", _shell("/bin/bash", fresh=True)),
    Kind("dash", _shell("/bin/dash")),
    Kind("zsh", _shell("/usr/bin/zsh")),
    Kind("fish", _shell("/usr/bin/fish")),
    Kind("csh", _shell("/bin/csh", fresh=True)),
    Kind("tcsh", _shell("/bin/tcsh")),
    Kind("busybox", _busybox),
    Kind("noise-line", _files({".bashrc": "echo Welcome to the lab board\n"})),
    Kind("noise-no-end", _files({".bashrc": "printf 'ROS noetic '\n"})),
    Kind("noise-colour", _files({".bashrc": "printf '\\033[1;32mready\\033[0m\\n'\n"})),
    Kind("noise-long", _files({".bashrc": "head -c 10000 /dev/zero | tr '\\0' x\n"})),
    Kind("noise-stderr", _files({".bashrc": "echo Welcome >&2\n"})),
    Kind("noise-zsh", _files({".zshenv": "echo Welcome\n"}, "/usr/bin/zsh")),
    Kind("noise-fish", _files({".config/fish/config.fish": "echo Welcome\n"}, "/usr/bin/fish")),
    Kind("noise-csh", _files({".cshrc": "echo Welcome\n"}, "/bin/csh")),
    Kind("elsewhere-cd", _files({".bashrc": "cd /tmp\n"})),
    Kind("strict-shell", _files({".bashrc": "set -u\n"})),
    Kind("lost-path", _files({".bashrc": "export PATH={home}/bin\n"})),
    Kind("python-path", _files({".bashrc": "export PYTHONPATH={home}/lib\n", "lib/typing.py": BROKEN})),
    Kind("python-home", _files({".bashrc": "export PYTHONHOME=/nowhere PYTHONSTARTUP=/nowhere\n"})),
    Kind("python-start-up", _files({".bashrc": "export PYTHONINSPECT=1 PYTHONVERBOSE=1 PYTHONWARNINGS=error\n"})),
    Kind("home-modules", _files(dict.fromkeys(("platform.py", "typing.py", "numpy.py", "os.py"), BROKEN))),
    Kind("user-site", _user_site),
    Kind("umlaut-in-ascii", _umlaut),
    Kind("one-session", _server("MaxSessions 1")),
    Kind("two-sessions", _server("MaxSessions 2")),
    Kind("behind-a-hop", _behind),
    Kind("another-folder", _elsewhere),
    Kind("nologin", _shell("/usr/sbin/nologin"), False, says="not available"),
    Kind("file-transfer-only", _server("ForceCommand internal-sftp"), False, says="(?i)sftp"),
    Kind("shell-missing", _shell_missing, False, "authentication"),
    Kind("python-shim", _shim, False, says="pyenv: python3"),
    Kind("cache-is-a-file", _cache_is_a_file, False, says=r"\.cache"),
    Kind("read-only", _mounted("size=900m", again="ro"), False, says="(?i)read-only"),
    Kind("no-programs", _mounted("size=900m,noexec"), False, says="(?i)noexec"),
    Kind("full", _mounted("size=4m", full=True), False, says="(?i)space|full"),
    Kind("refused", _refused, False, "authentication"),
    Kind("no-key-file", _key_file("id_missing"), False, "authentication", "id_missing"),
    Kind("other-key", _key_file("other")),
    Kind("public-half", _key_file("other.pub"), False, "authentication", r"other\.pub"),
    Kind("down", _down, False, "unreachable"),
    Kind("unknown-key", _unknown, False, "host-key"),
    Kind("changed-key", _changed, False, "host-key", "(?i)changed"),
    Kind("revoked-key", _revoked, False, "host-key", "(?i)revoked"),
    Kind("behind-unknown-hop", _behind_unknown, False, "host-key", "hop-unknown|never-met"),
    Kind("behind-refusing-hop", _behind_refused, False, "authentication", "hop-refused|nobody-here"),
    Kind("down-behind-a-hop", _down_behind, False, "unreachable"),
)  # fmt: skip


def build(world: World, kinds: tuple[Kind, ...] = MATRIX) -> tuple[Stranger, list[dict[str, object]], dict[str, str]]:
    """Make the boards and a stranger who has followed the guide for each.

    Returns:
        the stranger, a device for each board, and why some can't be made here.
    """
    stranger = world.stranger()
    scene = Scene(world, stranger, stranger.make_key(), world.server(), world.server())
    scene.known += [scene.server.known(), scene.hop.known()]
    devices, skipped = [], {}
    for kind in kinds:
        try:
            devices.append({"name": kind.name, "runtimes": ["litert"], **kind.make(scene)})
        except Unavailable as reason:
            skipped[kind.name] = str(reason)
    stranger.write(".ssh/known_hosts", "".join(scene.known))
    stranger.write(".ssh/config", "".join(scene.config))
    return stranger, devices, skipped
