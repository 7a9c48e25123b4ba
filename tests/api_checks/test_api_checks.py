"""Schemathesis finds nothing in the cases that it derives from the OpenAPI document.

It needs an environment of its own, which `.ci/run` makes: SCHEMATHESIS is the path of its program.
"""

import os
import subprocess
import sys

import pytest

from tests.environment import bare

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif("SCHEMATHESIS" not in os.environ, reason="SCHEMATHESIS names no program"),
]


def test_no_derived_case_fails_a_check() -> None:
    can_isolate = subprocess.run(["unshare", "-rn", "ip", "link", "set", "lo", "up"], capture_output=True, check=False)
    if can_isolate.returncode != 0:
        pytest.skip(f"no network namespace with loopback only: {can_isolate.stderr.decode().strip()}")
    command = [sys.executable, "-m", "tests.api_checks", "--phases", "examples,coverage", "--no-color"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110, env=bare(os.environ))
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "Tested: " in done.stdout
