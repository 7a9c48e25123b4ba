"""The source itself: style, formatting and types are part of the tests, so that one command says it all."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "command", [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]], ids=["lint", "format", "types"]
)
def test_it_passes(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_providers_do_not_know_the_gateway() -> None:
    upward = re.compile(r"^\s*(?:from|import) gateway\b", re.MULTILINE)
    assert [path for path in (ROOT / "providers").rglob("*.py") if upward.search(path.read_text("utf-8"))] == []
