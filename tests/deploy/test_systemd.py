"""The systemd unit: verified and rated by systemd itself, its command by the command line."""

import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from gateway.cli.server.graceful_stop import GRACE_SECONDS
from tests.deploy.paths import DEPLOY
from tests.deploy.programs import program
from tests.process import running

UNIT = DEPLOY / "systemd" / "video-gateway@.service"
TEXT = UNIT.read_text("utf-8")
MAX_EXPOSURE = 2.0
"""Of 10, as `systemd-analyze security` rates it; up to 2 it calls a service OK."""


def setting(name: str) -> str:
    found: list[str] = re.findall(rf"^{name}=(.*)$", TEXT, re.MULTILINE)
    return found[-1]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit with a program that exists on this machine, as an instance."""
    unit = tmp_path / "video-gateway@5100.service"
    unit.write_text(TEXT.replace(setting("ExecStart").split()[0], "/bin/true"), "utf-8")
    return unit


def analyze(*arguments: str) -> str:
    result = subprocess.run([program("systemd-analyze"), *arguments], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    # An unknown key is a warning only.
    assert result.stderr == ""
    return result.stdout


def test_systemd_accepts_the_unit(installed: Path) -> None:
    analyze("verify", "--recursive-errors=no", str(installed))


def test_exposure_is_low(installed: Path) -> None:
    table = analyze("security", "--offline=true", "--no-pager", str(installed))
    level = re.search(r"exposure level for \S+: ([\d.]+)", table)
    assert level and float(level[1]) <= MAX_EXPOSURE, table


def test_command_line_of_the_unit_serves_and_reloads(tmp_path: Path) -> None:
    _, *arguments = setting("ExecStart").split()
    (tmp_path / "gateway.toml").write_text('language = "en"\n', "utf-8")
    assert arguments[-1] == "/etc/video-gateway/gateway.toml"
    with running(tmp_path, *arguments[:-1], "gateway.toml", GATEWAY_PORT="0") as process:
        url = process.find(r"listening on (\S+),")
        assert httpx.get(f"{url}/healthz", timeout=20).status_code == 200
        assert setting("ExecReload") == "/bin/kill -HUP $MAINPID"
        process.process.send_signal(signal.SIGHUP)
        process.find("(configuration reloaded)")
        assert process.end() == 0


def test_a_stop_leaves_time_for_running_requests() -> None:
    assert int(setting("TimeoutStopSec")) > GRACE_SECONDS
