"""A world of strangers: users with a fresh home folder, and boards that are not prepared for the harness.

Everything is real: OpenSSH's own client and server with their defaults, one account of this machine for each board,
keys made by ``ssh-keygen``. Only root can create it. :class:`~benchmarks.strangers.world.World` is the entry point.
"""

from benchmarks.strangers.accounts import Account
from benchmarks.strangers.servers import Server
from benchmarks.strangers.stranger import Finding, Findings, Stranger
from benchmarks.strangers.world import World, missing

__all__ = ["Account", "Finding", "Findings", "Server", "Stranger", "World", "missing"]
