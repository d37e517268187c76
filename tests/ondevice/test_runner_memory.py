"""The peak memory that the runner tells is its own."""

from __future__ import annotations

import json
import subprocess
import sys

PARENT = """
import subprocess, sys
large = b"x" * (300 << 20)  # this process is larger than what it starts
sys.stdout.write(subprocess.run([sys.executable, "-c", sys.argv[1]], capture_output=True, text=True, check=True).stdout)
"""
CHILD = """
import json, resource
from harness.ondevice.runner.process import peak_rss_bytes
print(json.dumps([peak_rss_bytes(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""


def test_a_large_parent_adds_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", PARENT, CHILD], capture_output=True, text=True, check=True)
    peak, maxrss = json.loads(done.stdout)
    assert 1 << 20 < peak < 150 << 20
    assert peak <= maxrss


def test_memory_that_was_given_back_still_counts() -> None:
    code = f"large = b'x' * (200 << 20); del large\n{CHILD}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)[0] > 200 << 20
