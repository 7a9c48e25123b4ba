"""Output that cannot be written."""

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")


def test_failed_output_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway", "config"]
    with FULL.open("w") as full:
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"
    assert done.returncode == 1


def test_closed_standard_output_is_reported(tmp_path: Path) -> None:
    command = f'exec "{sys.executable}" -m gateway config >&-'
    done = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == "error: standard output is closed\n"
    assert done.returncode == 1


def test_failed_messages_are_ignored(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway", "config", "--config", "missing.toml"]
    with FULL.open("w") as full:
        done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
