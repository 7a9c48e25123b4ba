"""The memory allocator of the server's process."""

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import gc, sys
from gateway.cli.server.allocator import return_large_blocks

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

if "tuned" in sys.argv:
    return_large_blocks()
before = resident()
for size in (2**20, 2**22, 2**23, 2**24):
    bytes(size)
kept = []
for number in range(40):
    large = b"x" * 2**20
    # What lives on behind it holds the end of the heap.
    kept.append(b"y" * 100_000)
    del large
    large = [b"x" * 2**20, b"x" * 2**21]
    kept.append(b"y" * 100_000)
    del large
print(resident() - before - sum(map(len, kept)))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_freed_blocks_go_back_to_the_system() -> None:
    held = {
        mode: int(subprocess.run([sys.executable, "-c", _PROGRAM, mode], check=True, capture_output=True).stdout)
        for mode in ("default", "tuned")
    }
    assert held["tuned"] < 2**20, held
