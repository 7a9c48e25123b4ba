"""The programs that check the deployment files, or that they are for."""

import os
import shutil
import sys
from pathlib import Path

import pytest

_FOLDERS = (str(Path(sys.executable).parent), "/usr/sbin")
"""Beside those of the PATH: the programs that come as Python packages, and servers."""


def program(name: str) -> str:
    """The path of a program: of the environment variable with its name in capitals, else of the PATH. Skips the test
    where there is none."""
    named = os.environ.get(name.upper().replace("-", "_"))
    found = (
        named or shutil.which(name) or next(filter(None, (shutil.which(name, path=path) for path in _FOLDERS)), None)
    )
    if not found:
        pytest.skip(f"{name} is not installed")
    return found
