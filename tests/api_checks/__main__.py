"""Schemathesis with all checks against a gateway with the sandbox: `python -m tests.api_checks`.

It sends requests that the OpenAPI document allows and ones that it forbids, and checks statuses, headers, bodies and
authorization. `checks.toml` has the deviations that are meant, each with its reason. Further arguments go to
`schemathesis run`, such as `--phases fuzzing --max-time 600` or `--include-operation-id submitVideo`.

SCHEMATHESIS names the program, by default `schemathesis` on the PATH. What it makes up are addresses too, and the
gateway fetches pictures: everything runs in a network namespace that has loopback only, which needs Linux with
`unshare` and `ip`. The exit status is that of Schemathesis, or 2 where the namespace is not to be had.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pydantic import SecretStr

import tests.conftest  # noqa: F401 - certificates and the environment, as in the suite
from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import AccountSettings, Settings
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import UPSTREAM, FastClock, settings_for

CHECKS = Path(__file__).parent / "checks.toml"
KEY, ADMIN_KEY = "gw-checks", "admin-checks"
PROGRAM = os.environ.get("SCHEMATHESIS", "schemathesis")
_ISOLATED = "--isolated"


def main(arguments: list[str]) -> int:
    if arguments[:1] == [_ISOLATED]:
        return run(arguments[1:])
    missing = [name for name in ("unshare", "ip", PROGRAM) if shutil.which(name) is None]
    if missing:
        needed = "util-linux, iproute2 and schemathesis (pip install schemathesis), or set SCHEMATHESIS"
        print(f"not found: {', '.join(missing)}; install {needed}", file=sys.stderr)
        return 2
    inside = [sys.executable, "-m", "tests.api_checks", _ISOLATED, *arguments]
    command = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *inside]
    return subprocess.run(command, check=False).returncode


def run(arguments: list[str]) -> int:
    """Run Schemathesis against a gateway of this process."""
    environment = dict(os.environ) | {"GATEWAY_KEY": KEY, "ADMIN_KEY": ADMIN_KEY}
    with (
        # Where Schemathesis keeps what it found.
        tempfile.TemporaryDirectory() as folder,
        SandboxServer(UPSTREAM) as upstream,
        BackgroundServer(create_app(_settings(upstream), clock=FastClock())) as gateway,
    ):
        command = [PROGRAM, "--config-file", str(CHECKS), "run", f"{gateway.url}/openapi.json", *arguments]
        return subprocess.run(command, check=False, env=environment, cwd=folder).returncode


def _settings(upstream: SandboxServer) -> Settings:
    """A gateway with keys and an account of each upstream, which no request can use up."""
    accounts = tuple(
        AccountSettings(name=name, credential=SecretStr(credential))
        for name, credential in (("jimeng", "session-checks"), ("dashscope", "sk-checks"), ("modelscope", "ms-checks"))
    )
    return settings_for(upstream, keys=(SecretStr(f"checks:{KEY}"),), admin_key=SecretStr(ADMIN_KEY), accounts=accounts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
